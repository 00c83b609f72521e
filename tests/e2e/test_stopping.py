"""What ends a run, what ends the server, and that nothing is left of either."""

import fcntl
import json
import os
import select
import signal
import sys
import termios
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias, get_args

import anyio
import httpx2
import pytest
from mcp import Client, MCPError
from served import Commands, Era, Seen, Served, Transport, execute, server, until

Wire: TypeAlias = tuple[Transport, Era]
WIRES: list[Wire] = [(transport, era) for transport in get_args(Transport) for era in get_args(Era)]
GREETING = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "test", "version": "0"},
}
BUSY = "call_tool('marker.mark', path={!r})\nwhile True: pass"
WAITING = "call_tool('marker.hang', path={!r})"
PIPE_BYTES = 65_536
"""What a pipe holds on Linux."""


@pytest.fixture
def config(commands: Commands) -> str:
    return commands.config({"marker": server("marker.py")})


@asynccontextmanager
async def running(served: Served, era: Era, program: str, mark: Path) -> AsyncGenerator[Client]:
    """A client in the middle of running `program`, which makes the file `mark`. Whatever ends the run is fine."""
    async with served.client(era) as client, anyio.create_task_group() as tasks:

        async def run() -> None:
            with suppress(MCPError):
                await execute(client, program.format(str(mark)))

        tasks.start_soon(run)
        await until(mark.exists)
        yield client
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("program", [BUSY, WAITING], ids=["busy", "waiting-for-a-tool"])
@pytest.mark.parametrize("wire", WIRES, ids="-".join)
async def test_a_client_that_cancels_stops_its_run(
    wire: Wire, program: str, commands: Commands, config: str, tmp_path: Path
) -> None:
    with anyio.fail_after(30):
        async with commands.serving(wire[0], "--config", config) as served, served.client(wire[1]) as client:
            mark = tmp_path / "mark"
            in_use = set[Seen]()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(execute, client, program.format(str(mark)))
                await until(mark.exists)
                in_use |= served.workers()
                tasks.cancel_scope.cancel()
            # One of them had the run, and a program cannot be stopped but with its worker.
            await until(lambda: any(not worker.is_there for worker in in_use))
            assert await execute(client, "6 * 7") == (False, "42")


@pytest.mark.parametrize("era", get_args(Era))
async def test_an_http_client_that_hangs_up_stops_its_run(
    era: Era, commands: Commands, config: str, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    arguments: dict[str, Any] = {"name": "execute_code", "arguments": {"code": BUSY.format(str(mark))}}
    headers = {"accept": "application/json, text/event-stream"}

    with anyio.fail_after(30):
        async with (
            commands.serving("http", "--config", config) as served,
            httpx2.AsyncClient(base_url=served.address, headers=headers, timeout=None) as http,
        ):
            if era == "legacy":
                answer = await http.post("/mcp", json=request(1, "initialize", GREETING))
                session = answer.headers["mcp-session-id"]
                http.headers |= {"mcp-session-id": session, "mcp-protocol-version": "2025-11-25"}
                await http.post("/mcp", json={"jsonrpc": "2.0", "method": "notifications/initialized"})
            else:
                http.headers |= {
                    "mcp-protocol-version": "2026-07-28",
                    "mcp-method": "tools/call",
                    "mcp-name": "execute_code",
                }
                meta = "io.modelcontextprotocol"
                arguments |= {
                    "_meta": {
                        f"{meta}/protocolVersion": "2026-07-28",
                        f"{meta}/clientInfo": {"name": "test", "version": "0"},
                        f"{meta}/clientCapabilities": {},
                    }
                }
            in_use = set[Seen]()
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(partial(http.post, "/mcp", json=request(2, "tools/call", arguments)))
                await until(mark.exists)
                in_use |= served.workers()
                tasks.cancel_scope.cancel()
            await until(lambda: any(not worker.is_there for worker in in_use))


async def test_an_sse_client_that_hangs_up_stops_its_run(commands: Commands, config: str, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    arguments = {"name": "execute_code", "arguments": {"code": BUSY.format(str(mark))}}

    with anyio.fail_after(30):
        async with (
            commands.serving("sse", "--config", config) as served,
            httpx2.AsyncClient(base_url=served.address, timeout=None) as http,
        ):
            async with http.stream("GET", "/sse") as stream:
                lines = stream.aiter_lines()
                while not (line := await anext(lines)).startswith("data: "):
                    pass
                messages = line.removeprefix("data: ")
                await http.post(messages, json=request(1, "initialize", GREETING))
                await http.post(messages, json={"jsonrpc": "2.0", "method": "notifications/initialized"})
                await http.post(messages, json=request(2, "tools/call", arguments))
                await until(mark.exists)
                in_use = served.workers()
            await until(lambda: any(not worker.is_there for worker in in_use))


def request(number: int, method: str, params: dict[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


ENDINGS: list[tuple[Transport, str]] = [
    ("stdio", "end of stdin"),
    *((transport, name) for transport in get_args(Transport) for name in ("SIGTERM", "SIGINT")),
]


async def stop(served: Served, how: str) -> None:
    if how == "end of stdin":
        await served.end_of_stdin()
    else:
        os.kill(served.process.pid, signal.Signals[how])


@pytest.mark.parametrize("how", ENDINGS, ids="-".join)
async def test_it_ends_in_time_in_the_middle_of_a_run_records_it_and_leaves_no_process(
    how: tuple[Transport, str], commands: Commands, tmp_path: Path
) -> None:
    transport, ending = how
    audit = tmp_path / "audit.jsonl"
    config = commands.config({"marker": server("marker.py")}, audit={"path": str(audit)})
    with anyio.fail_after(30):
        async with (
            commands.serving(transport, "--config", config) as served,
            running(served, "legacy", BUSY, tmp_path / "mark"),
        ):
            below = served.below()
            assert len(below) >= 2, "a downstream server and a worker"
            await stop(served, ending)
            assert await served.ended() == 0
            assert not [seen for seen in below if seen.is_there]
    (record,) = audit.read_text().splitlines()
    assert json.loads(record)["outcome"] == "cancelled"
    assert [call["tool"] for call in json.loads(record)["calls"]] == ["marker.mark"]


@pytest.mark.parametrize("how", ENDINGS, ids="-".join)
async def test_neither_a_stubborn_server_below_nor_a_listening_client_keeps_it(
    how: tuple[Transport, str], commands: Commands, tmp_path: Path
) -> None:
    transport, ending = how
    config = commands.config(
        {"marker": server("marker.py", "--stubborn"), "mute": server("hostile.py", "--start", "hang")}
    )
    with anyio.fail_after(30):
        async with (
            commands.serving(transport, "--config", config) as served,
            running(served, "auto", WAITING, tmp_path / "mark") as client,
            client.listen(tools_list_changed=True),
        ):
            below = served.below()
            assert len(below) >= 3, "two downstream servers and a worker"
            await stop(served, ending)
            assert await served.ended() == 0
            assert not [seen for seen in below if seen.is_there]


@pytest.mark.parametrize("how", ["SIGTERM", "SIGINT"])
async def test_it_can_be_stopped_while_the_guest_is_compiled(how: str, commands: Commands, tmp_path: Path) -> None:
    def compiling() -> bool:
        return any("component_compiler" in seen.command for seen in served.below())

    with anyio.fail_after(30):
        async with commands.serving("stdio", "--engine", "wasmtime", XDG_CACHE_HOME=str(tmp_path / "cache")) as served:
            await until(compiling)
            below = served.below()
            await stop(served, how)
            assert await served.ended() == 0
            assert not [seen for seen in below if seen.is_there]
            assert not list((tmp_path / "cache" / "codeact-mcp").iterdir())


@pytest.mark.parametrize("transport", get_args(Transport))
async def test_nothing_survives_when_the_server_is_killed(
    transport: Transport, commands: Commands, config: str, tmp_path: Path
) -> None:
    with anyio.fail_after(30):
        async with (
            commands.serving(transport, "--config", config) as served,
            running(served, "legacy", BUSY, tmp_path / "mark"),
        ):
            below = served.below()
            served.process.kill()
            await until(lambda: not any(seen.is_there for seen in below))


@pytest.mark.parametrize("ending", ["end of stdin", "SIGTERM", "SIGINT"])
async def test_a_client_that_does_not_read_does_not_keep_it(ending: str, commands: Commands, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    config = commands.config({"marker": server("marker.py")}, limits={"output_bytes": 8_000_000})
    code = f"call_tool('marker.mark', path={str(mark)!r})\n'x' * 6_000_000"
    call = request(2, "tools/call", {"name": "execute_code", "arguments": {"code": code}})
    with anyio.fail_after(30):
        async with commands.serving("stdio", "--config", config) as served:
            await say(served, request(1, "initialize", GREETING), call)
            await until(mark.exists)
            await until(lambda: pipe_is_full(served))
            below = served.below()
            await stop(served, ending)
            assert await served.ended() == 0
            assert not [seen for seen in below if seen.is_there]


async def test_a_client_that_is_gone_altogether_ends_it_without_a_traceback(
    commands: Commands, config: str, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    call = request(2, "tools/call", {"name": "execute_code", "arguments": {"code": WAITING.format(str(mark))}})
    with anyio.fail_after(30):
        async with commands.serving("stdio", "--config", config) as served:
            await say(served, request(1, "initialize", GREETING), call)
            await until(mark.exists)
            assert served.process.stdout is not None
            await served.process.stdout.aclose()
            await served.end_of_stdin()
            assert await served.ended() == 0

    assert "Traceback" not in served.stderr


async def say(served: Served, *messages: dict[str, Any]) -> None:
    assert served.process.stdin is not None
    for message in messages:
        await served.process.stdin.send(json.dumps(message).encode() + b"\n")


def pipe_is_full(served: Served) -> bool:
    """Whether the server waits for somebody to read what it wrote."""
    for file in Path(f"/proc/{served.process.pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since
            if os.readlink(file).startswith("pipe:") and _in_pipe(file) > PIPE_BYTES - select.PIPE_BUF:
                return True
    return False


def _in_pipe(file: Path) -> int:
    """Bytes that nobody has read yet."""
    fd = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
    try:
        return int.from_bytes(fcntl.ioctl(fd, termios.FIONREAD, bytes(4)), sys.byteorder)
    finally:
        os.close(fd)
