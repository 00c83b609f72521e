"""`codeact-mcp` in a process of its own, as tests see it: how to speak to it, what runs below it, how it ends.

Not a test. Process states come from /proc, so this needs Linux, as the tests of processes do.
"""

import json
import os
import signal
import subprocess
import sys
import sysconfig
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import PIPE
from typing import Any, Literal, TypeAlias

import anyio
import anyio.abc
import httpx2
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.message import SessionMessage
from mcp.types import CallToolResult, TextContent, jsonrpc_message_adapter

Transport: TypeAlias = Literal["stdio", "http", "sse"]
Era: TypeAlias = Literal["auto", "legacy"]

COMMAND = str(Path(sysconfig.get_path("scripts")) / "codeact-mcp")
SERVERS = Path(__file__).parents[1] / "servers"
EXAMPLES = Path(__file__).parents[2] / "examples"
ENDS_WITHIN_S = 5
"""What is promised of every way to stop the server."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A process that was there: its number alone could soon be another's."""

    pid: int
    started: str
    command: str = field(compare=False)

    @property
    def is_worker(self) -> bool:
        return "codeact_bridges.sandbox.worker.main" in self.command

    @property
    def is_there(self) -> bool:
        stat = _stat(self.pid)
        return stat is not None and stat[19] == self.started and stat[0] != "Z"


def descendants(pid: int) -> set[Seen]:
    """The processes that `pid` started, and those that they did."""
    children: dict[int, list[Seen]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (stat := _stat(int(entry.name))) is not None and stat[0] != "Z":
            with suppress(OSError):
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                children.setdefault(int(stat[1]), []).append(Seen(int(entry.name), stat[19], command))
    found: set[Seen] = set()
    parents = [pid]
    while parents:
        for child in children.get(parents.pop(), []):
            found.add(child)
            parents.append(child.pid)
    return found


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat from the third on: state, parent, …; the 20th is when it started."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


async def until(condition: Callable[[], bool], within_s: float = 10) -> None:
    """Wait for what no event tells of: something in another process."""
    with anyio.fail_after(within_s):
        while not condition():  # noqa: ASYNC110  # another process sets no event
            await anyio.sleep(0.02)


@dataclass
class Served:
    """A running `codeact-mcp serve`."""

    transport: Transport
    process: anyio.abc.Process
    log: Path
    address: str = ""
    """`http://127.0.0.1:PORT`, empty for stdio."""
    wire: list[bytes] = field(default_factory=list[bytes])
    """Every line that came over stdio."""

    @property
    def stderr(self) -> str:
        return self.log.read_text(errors="replace")

    def below(self) -> set[Seen]:
        return descendants(self.process.pid)

    def workers(self) -> set[Seen]:
        return {seen for seen in self.below() if seen.is_worker}

    def client(self, era: Era, **options: Any) -> Client:
        """A client that has not connected yet. Over stdio there can be one."""
        match self.transport:
            case "stdio":
                return Client(self._stdio(), mode=era, **options)
            case "http":
                streams = streamable_http_client(f"{self.address}/mcp", max_sse_event_size=None)
                return Client(streams, mode=era, **options)
            case "sse":
                return Client(self._sse(), mode=era, **options)

    async def health(self) -> dict[str, Any]:
        async with httpx2.AsyncClient() as client:
            answer = await client.get(f"{self.address}/health")
        told: dict[str, Any] = answer.raise_for_status().json()
        return told

    async def end_of_stdin(self) -> None:
        assert self.process.stdin is not None
        await self.process.stdin.aclose()

    async def ended(self) -> int:
        """The exit code, within the time that is promised, with nothing left of what ran below."""
        with anyio.fail_after(ENDS_WITHIN_S):
            # Not `wait()`, which also waits for the pipes.
            while (code := self.process.returncode) is None:  # noqa: ASYNC110
                await anyio.sleep(0.02)
        return code

    @asynccontextmanager
    async def _sse(self) -> AsyncGenerator[Any]:
        """The SDK's streams. When the server goes while they are being closed, they fail at telling nobody of it, and
        cancel what closes them."""
        failed = False
        try:
            async with sse_client(f"{self.address}/sse") as streams:
                try:
                    yield streams
                except Exception:
                    failed = True
                    raise
        except* anyio.BrokenResourceError:
            if failed:
                raise

    @asynccontextmanager
    async def _stdio(self) -> AsyncGenerator[Any]:
        """The streams of an MCP client. Unlike the SDK's this leaves the process alone at its end."""
        stdin, stdout = self.process.stdin, self.process.stdout
        assert stdin is not None
        assert stdout is not None
        to_client, from_server = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        to_server, from_client = anyio.create_memory_object_stream[SessionMessage](0)

        async def read() -> None:
            pending = b""
            with to_client, suppress(anyio.EndOfStream, anyio.ClosedResourceError, anyio.BrokenResourceError):
                while True:
                    *lines, pending = (pending + await stdout.receive()).split(b"\n")
                    for line in lines:
                        self.wire.append(line)
                        await to_client.send(SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False)))

        async def write() -> None:
            with from_client, suppress(anyio.ClosedResourceError, anyio.BrokenResourceError):
                async for item in from_client:
                    await stdin.send(item.message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            tasks.start_soon(write)
            try:
                with from_server, to_server:
                    yield from_server, to_server
            finally:
                tasks.cancel_scope.cancel()


@asynccontextmanager
async def serving(
    transport: Transport, arguments: Sequence[str], *, environment: Mapping[str, str], log: Path
) -> AsyncGenerator[Served]:
    """`codeact-mcp serve` with these arguments, for the length of the block."""
    command = [COMMAND, "serve", "--transport", transport]
    command += [] if transport == "stdio" else ["--port", "0"]
    with log.open("wb") as stderr:
        process = await anyio.open_process(
            [*command, *arguments], env=environment, stdin=PIPE, stdout=PIPE, stderr=stderr, start_new_session=True
        )
    served = Served(transport, process, log)
    try:
        if transport != "stdio":
            await until(lambda: "serving http" in served.stderr or process.returncode is not None, 20)
            served.address = served.stderr.partition("serving ")[2].split()[0].rpartition("/")[0]
        yield served
    finally:
        left = served.below()
        with suppress(ProcessLookupError):
            process.kill()
        await process.aclose()
        for seen in left:
            if seen.is_there:
                os.kill(seen.pid, signal.SIGKILL)


@dataclass(frozen=True)
class Commands:
    """Starts `codeact-mcp` with a home of its own."""

    folder: Path
    """For configurations and logs; empty at first."""
    environment: Mapping[str, str]

    def config(self, servers: Mapping[str, Any] | None = None, **settings: Any) -> str:
        """The path of a new configuration file."""
        path = self.folder / f"config-{len(list(self.folder.iterdir()))}.json"
        path.write_text(json.dumps({"mcpServers": servers or {}, "codeact": settings}))
        return str(path)

    def serving(self, transport: Transport, *arguments: str, **environment: str) -> Any:
        """See `serving`."""
        log = self.folder / f"log-{len(list(self.folder.iterdir()))}"
        return serving(transport, arguments, environment={**self.environment, **environment}, log=log)

    def run(
        self, *arguments: str, stdin: str = "", timeout_s: float = 90, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [COMMAND, *arguments],
            input=stdin,
            env={**self.environment, **environment},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )


def server(script: str, *arguments: str) -> dict[str, Any]:
    """The configuration entry of one of the servers in `tests/servers`."""
    return {"command": sys.executable, "args": [str(SERVERS / script), *arguments]}


async def execute(client: Client, code: str, **arguments: Any) -> tuple[bool, str]:
    """Run a program: whether it failed, and its text. See `text_of`."""
    result = await client.call_tool("execute_code", {"code": code, **arguments})
    return result.is_error, text_of(result)


def text_of(result: CallToolResult) -> str:
    """The text as clients show it that join blocks with nothing between. Without the last line end, and without the
    mark of a value that comes first: `protocol/test_results.py` holds these."""
    text = "".join(part.text for part in result.content if isinstance(part, TextContent))
    return text.removeprefix("[result]\n").removesuffix("\n")
