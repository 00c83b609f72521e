"""What a client's first requests get, from a process that has served the same configuration before.

The process's import of the SDK is held up until a test lets it go on: an answer that comes before is the recorded one.
"""

import json
import os
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import DEVNULL, PIPE
from typing import Any

import anyio
import anyio.abc
import anyio.to_thread
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream
from served import COMMAND, Commands, server

from codeact_server.front.opening import HANDSHAKE_VERSIONS, LISTS, MODERN_VERSIONS
from codeact_server.front.requests import CAPABILITIES_KEY, CLIENT_KEY, VERSION_KEY

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there, the first answers wait for the SDK")
GUARD_S = 60
VERSIONS = (*HANDSHAKE_VERSIONS, *MODERN_VERSIONS, "2099-01-01")
MAX_LINE = 1 << 20
PROGRAM = "call_tool('list.one')"
HELD_MCP = """
import pathlib, sys
pathlib.Path({gate!r}).read_bytes()
sys.path.remove({folder!r})
del sys.modules["mcp"]
import mcp
"""

Message = dict[str, Any]


class Conversation:
    """A client that looks at every message."""

    def __init__(self, process: anyio.abc.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.process, self._stdin = process, process.stdin
        self._lines = BufferedByteReceiveStream(process.stdout)
        self.notifications: list[str] = []
        self.answered: list[Any] = []

    async def send(self, *messages: Message) -> None:
        await self._stdin.send(b"".join(json.dumps(message).encode() + b"\n" for message in messages))

    async def answer(self, request_id: int) -> Message:
        """The answer to a request. Other messages are noted."""
        while True:
            message = await self.message()
            if message.get("id") == request_id:
                return message

    async def message(self) -> Message:
        message: Message = json.loads(await self._lines.receive_until(b"\n", MAX_LINE))
        if "method" in message:
            self.notifications.append(message["method"])
        else:
            assert message["id"] not in self.answered, "a request was answered twice"
            self.answered.append(message["id"])
        return message

    async def end(self) -> None:
        """End the input, and note all that comes until the server ends."""
        await self._stdin.aclose()
        try:
            while True:
                await self.message()
        except (anyio.IncompleteRead, anyio.EndOfStream):
            return


class Starts:
    """One configuration, started again and again."""

    def __init__(self, commands: Commands, folder: Path) -> None:
        self.tools, self._gate, self._held = folder / "tools", folder / "gate", folder / "held"
        self.state = folder / "state"
        self.tools.write_text("one two!")
        os.mkfifo(self._gate)
        (self._held / "mcp").mkdir(parents=True)
        code = HELD_MCP.format(gate=str(self._gate), folder=str(self._held))
        (self._held / "mcp" / "__init__.py").write_text(code)
        self.config = commands.config({"list": server("listing.py", str(self.tools))}, engine="wasmtime")
        self._environment = {**commands.environment, "XDG_STATE_HOME": str(self.state)}

    @asynccontextmanager
    async def start(self, *, held: bool = False) -> AsyncGenerator[Conversation]:
        """`codeact-mcp serve` for the length of the block; `held` until `let_go`."""
        environment = self._environment | ({"PYTHONPATH": str(self._held)} if held else {})
        process = await anyio.open_process(
            [COMMAND, "serve", "--config", self.config], env=environment, stdin=PIPE, stdout=PIPE, stderr=DEVNULL
        )
        try:
            yield Conversation(process)
        finally:
            process.terminate() if process.returncode is None else None
            await process.aclose()

    async def let_go(self) -> None:
        await anyio.to_thread.run_sync(self._gate.write_bytes, b"")

    async def recorded(self) -> None:
        """A start that has left its recording."""
        async with self.start() as client:
            await client.send(*hello("2025-11-25"), request(2, "tools/list"))
            await client.answer(2)
            folder = self.state / "codeact-mcp" / "openings"
            while not folder.exists() or not list(folder.glob("*.json")):  # noqa: ASYNC110  # another process
                await anyio.sleep(0.02)
            await client.end()


@pytest.fixture
def starts(commands: Commands, tmp_path: Path) -> Starts:
    return Starts(commands, tmp_path)


def request(number: int, method: str, **params: Any) -> Message:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


def hello(version: str) -> list[Message]:
    info = {"name": "test", "version": "1"}
    return [
        request(1, "initialize", protocolVersion=version, capabilities={}, clientInfo=info),
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
    ]


def beginning(version: str) -> list[Message]:
    """How a client of that version begins."""
    call: Message = {"name": "execute_code", "arguments": {"code": PROGRAM}}
    if version not in MODERN_VERSIONS:
        lists = [request(10 + number, method) for number, method in enumerate(LISTS)]
        return [*hello(version), request(3, "ping"), *lists, request(4, "tools/call", **call)]
    about = {
        VERSION_KEY: version,
        CLIENT_KEY: {"name": "test", "version": "1"},
        CAPABILITIES_KEY: {},
    }
    return [
        request(1, "server/discover", _meta=about),
        *(request(10 + number, method, _meta=about) for number, method in enumerate(LISTS)),
        request(4, "tools/call", **call, _meta=about),
    ]


def numbers(messages: Sequence[Message]) -> list[int]:
    return [message["id"] for message in messages if "id" in message]


async def test_every_version_gets_the_sdks_answers_before_the_sdk_is_there(starts: Starts) -> None:
    with anyio.fail_after(3 * GUARD_S):
        await starts.recorded()
        for version in VERSIONS:
            messages = beginning(version)
            async with starts.start() as client:
                await client.send(*messages[:1])
                plain = {1: await client.answer(1)}
                await client.send(*messages[1:])
                plain |= {number: await client.answer(number) for number in numbers(messages)[1:]}
                await client.end()
            async with starts.start(held=True) as client:
                await client.send(*messages)
                early = {number: await client.answer(number) for number in numbers(messages) if number != 4}
                await starts.let_go()
                early[4] = await client.answer(4)
                await client.end()

            assert early.keys() == plain.keys()
            for number in early.keys() - {4}:
                assert early[number] == plain[number], version
            assert early[4]["result"]["content"] == plain[4]["result"]["content"]
            assert client.notifications == []


async def test_the_first_list_of_all_waits_for_the_servers(starts: Starts) -> None:
    with anyio.fail_after(GUARD_S):
        async with starts.start() as client:
            await client.send(*hello("2025-11-25"), request(2, "tools/list"))
            tool = (await client.answer(2))["result"]["tools"][0]
            await client.end()

    assert "list.one(" in tool["description"]
    assert tool["annotations"]["destructiveHint"] is False
    assert client.notifications == []


async def test_a_list_that_has_changed_is_notified_and_recorded(starts: Starts) -> None:
    with anyio.fail_after(GUARD_S):
        await starts.recorded()
        starts.tools.write_text("one three")
        async with starts.start(held=True) as client:
            await client.send(*hello("2025-11-25"), request(2, "tools/list"))
            old = (await client.answer(2))["result"]["tools"][0]
            await starts.let_go()
            while "notifications/tools/list_changed" not in client.notifications:
                await client.message()
            await client.send(
                request(3, "tools/list"),
                request(4, "tools/call", name="execute_code", arguments={"code": "call_tool('list.two')"}),
            )
            answers = {
                message["id"]: message
                for message in [await client.message(), await client.message()]
                if "id" in message
            }
            await client.end()

    new = answers[3]["result"]["tools"][0]
    assert "list.two(" in old["description"]
    assert "list.two(" not in new["description"]
    assert "list.three(" in new["description"]
    assert (old["annotations"]["readOnlyHint"], new["annotations"]["readOnlyHint"]) == (False, True)
    assert "the server listed it earlier and no longer does" in json.dumps(answers[4])


async def test_a_damaged_recording_is_ignored(starts: Starts) -> None:
    with anyio.fail_after(GUARD_S):
        await starts.recorded()
        (path,) = (starts.state / "codeact-mcp" / "openings").iterdir()
        path.write_text(path.read_text().replace("list.one", "list.bad"))
        async with starts.start() as client:
            await client.send(*hello("2025-11-25"), request(2, "tools/list"))
            described = (await client.answer(2))["result"]["tools"][0]["description"]
            await client.end()

    assert "list.one(" in described
    assert client.notifications == []


async def test_a_client_that_hangs_up_before_the_sdk_is_there_leaves_no_process(starts: Starts) -> None:
    with anyio.fail_after(GUARD_S):
        await starts.recorded()
        async with starts.start(held=True) as client:
            await client.send(*hello("2025-11-25"))
            await client.answer(1)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(client.end)
                await starts.let_go()
            assert await client.process.wait() == 0
