"""A downstream server as a child process: JSON-RPC lines over its stdin and stdout, its stderr into a log of its own.

In place of `mcp.client.stdio`, which keeps the process to itself and lets it take 4 s to stop, while all of ours must
be gone within 5; splits lines in quadratic time (a 20 MB result takes 4 s); and collects a line without end until
memory is full. For POSIX: on Windows, whose processes end in other ways, `windows.py` takes `mcp.client.stdio`.
"""

import json
import logging
import os
import re
import signal
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from subprocess import PIPE
from typing import Any, Final, cast

import anyio
from anyio.abc import ByteReceiveStream, ByteSendStream, Process
from anyio.lowlevel import checkpoint
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.client._transport import TransportStreams
from mcp.client.stdio import get_default_environment
from mcp.shared.message import SessionMessage
from mcp.types import PARSE_ERROR, ErrorData, JSONRPCError, JSONRPCResponse, jsonrpc_message_adapter

from codeact_bridges.tools.server_log import ServerLog
from codeact_bridges.tools.spec import StdioServer
from codeact_bridges.tools.streams import MAX_MESSAGE_BYTES, MAX_PARTS, has_too_many_parts
from codeact_bridges.tools.text import one_line

assert sys.platform != "win32"

log = logging.getLogger(__name__)

END_GRACE_S = 1.0
"""How long a server may take to end after its stdin did, as the protocol asks it to."""

TERM_GRACE_S = 1.0
"""How long it may take after SIGTERM. Then its process group is killed. Together well below the 5 s our own process
has."""

REAP_S = 0.5

MAX_UNSENT = 1_000
"""Messages that wait for a server which does not read. Without the queue, cancelling a call to one would wait too."""

MAX_GARBAGE_LINES = 1_000
"""Lines in a row that are not MCP. Then whatever we started is no MCP server, or means harm."""

LINES_AT_ONCE = 100
"""Lines after which everybody else has a turn: 65,000 can arrive at once."""

MAX_ENTRIES = 10_000
"""Of one list in an answer: tools, pieces of content. Each costs the session 4 µs or more. What structured content
holds is not meant."""

_GONE: Final = (anyio.EndOfStream, anyio.ClosedResourceError, anyio.BrokenResourceError, OSError)

_ID: Final = rb'\s*"id"\s*:\s*(-?[0-9]{1,18}|"[^"\\]{0,200}")\s*'
_VERSION: Final = rb'\s*"jsonrpc"\s*:\s*"2\.0"\s*'
_ID_FIRST: Final = re.compile(
    rb"\s*\{(?:" + _VERSION + rb",)?" + _ID + rb",(?:" + _VERSION + rb',)?\s*"(?:result|error)"'
)
_RESULT_FIRST: Final = re.compile(rb"\s*\{(?:" + _VERSION + rb',)?\s*"(?:result|error)"')
_ID_LAST: Final = re.compile(rb"," + _ID + rb"(?:," + _VERSION + rb")?\}\s*\Z")


class _UnbearableError(Exception):
    """The server sends what ends the connection."""


class ServerProcess:
    """One run of a stdio server. `opened` holds the process for the length of its block; afterwards nothing of it is
    left."""

    def __init__(self, spec: StdioServer, server_log: ServerLog) -> None:
        self._spec = spec
        self._stderr = server_log
        self._process: Process | None = None
        self._garbage_lines = 0
        """In a row."""
        self._told_of_garbage = False
        self._fault: str | None = None
        """Why we stopped listening to it."""
        self._stopped_by_force = False

    @property
    def last_words(self) -> str | None:
        """Why we stopped listening to it; else how it ended and what it said last on stderr, if it has ended."""
        if self._fault is not None:
            return self._fault
        code = self._process.returncode if self._process else None
        if code is None:
            return None
        if self._stopped_by_force:
            return self.said
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exited with code {code}"
        return f"{how}; {self.said}" if self.said else how

    @property
    def said(self) -> str | None:
        """What it said last on stderr."""
        return f"stderr: {self._stderr.tail}" if self._stderr.tail else None

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[TransportStreams]:
        spec = self._spec
        self._stderr.begin()
        process = await anyio.open_process(
            [spec.command, *spec.args],
            env={**get_default_environment(), **spec.env},
            cwd=spec.cwd,
            stderr=PIPE,
            start_new_session=True,  # a process group of its own, so that what it starts can be killed with it
        )
        # No await from here to the task group: a cancellation in between would leave the process behind.
        self._process = process
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        to_session, from_server = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        to_server, from_session = anyio.create_memory_object_stream[SessionMessage](MAX_UNSENT)
        async with anyio.create_task_group() as tg:
            tg.start_soon(self._read, process.stdout, to_session)
            tg.start_soon(self._write, process.stdin, from_session, to_session)
            tg.start_soon(self._log, process.stderr)
            try:
                yield from_server, to_server
            finally:
                with anyio.CancelScope(shield=True):
                    # The reader goes on reading, into nothing: a server stuck in a write could not end.
                    from_server.close()
                    to_server.close()
                    self._stopped_by_force = not await _stop(process, spec.name)
                tg.cancel_scope.cancel()

    async def _read(
        self, stdout: ByteReceiveStream, to_session: MemoryObjectSendStream[SessionMessage | Exception]
    ) -> None:
        with to_session, suppress(*_GONE):
            try:
                await self._pass_on(stdout, to_session)
            except _UnbearableError as exc:
                self._fault = str(exc)
                await to_session.send(exc)
        with suppress(*_GONE):
            while True:
                await stdout.receive()

    async def _pass_on(
        self, stdout: ByteReceiveStream, to_session: MemoryObjectSendStream[SessionMessage | Exception]
    ) -> None:
        pending = bytearray()
        while True:
            first, *rest = (await stdout.receive()).split(b"\n")
            pending += first
            if len(pending) > MAX_MESSAGE_BYTES:
                raise _UnbearableError(f"it sent a message of more than {MAX_MESSAGE_BYTES:,} bytes")
            for number, following in enumerate(rest, 1):
                await self._deliver(bytes(pending), to_session)
                pending = bytearray(following)
                if number % LINES_AT_ONCE == 0:
                    await checkpoint()

    async def _deliver(self, line: bytes, to_session: MemoryObjectSendStream[SessionMessage | Exception]) -> None:
        if not line.lstrip().startswith(b"{"):
            self._count_garbage(line)
            return
        if has_too_many_parts(line):
            reason = f"it sent a message of more than {MAX_PARTS:,} parts"
            if (request_id := _id_unread(line)) is None:
                raise _UnbearableError(reason)
            await to_session.send(_refusal(request_id, reason))
            return
        try:
            message = jsonrpc_message_adapter.validate_json(line, by_name=False)
        except ValueError:
            self._count_garbage(line)
            # An answer nobody can read is an answer all the same: without one its caller would wait for the timeout.
            if (request_id := _answered_id(line)) is not None:
                await to_session.send(_refusal(request_id, f"its answer is not JSON-RPC: {_shown(line)}"))
            return
        self._garbage_lines = 0
        if isinstance(message, JSONRPCResponse) and (key := _overlong_list(message.result)) is not None:
            await to_session.send(_refusal(message.id, f"its answer has more than {MAX_ENTRIES:,} entries in {key!r}"))
            return
        await to_session.send(SessionMessage(message))

    def _count_garbage(self, line: bytes) -> None:
        self._garbage_lines += 1
        if not self._told_of_garbage and line.strip():  # only the first: a server may print all day
            self._told_of_garbage = True
            log.warning("server %r prints what is not MCP: %s", self._spec.name, _shown(line))
        if self._garbage_lines > MAX_GARBAGE_LINES:
            raise _UnbearableError(f"it printed more than {MAX_GARBAGE_LINES:,} lines in a row that are not MCP")

    async def _write(
        self,
        stdin: ByteSendStream,
        from_session: MemoryObjectReceiveStream[SessionMessage],
        to_session: MemoryObjectSendStream[SessionMessage | Exception],
    ) -> None:
        with from_session:
            try:
                async for item in from_session:
                    await stdin.send(item.message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n")
            except (anyio.ClosedResourceError, anyio.BrokenResourceError, OSError):
                to_session.close()  # it may live on, deaf: for the session this is the end

    async def _log(self, stderr: ByteReceiveStream) -> None:
        with suppress(*_GONE):
            while True:
                self._stderr.write(await stderr.receive())


async def _stop(process: Process, name: str) -> bool:
    """End the process and all that it started: politely, then not. Takes at most 2.5 s. Whether it ended by itself."""
    assert process.stdin is not None
    with suppress(OSError, anyio.BrokenResourceError, anyio.ClosedResourceError):
        await process.stdin.aclose()
    ended_by_itself = await _ended_within(process, END_GRACE_S)
    if not ended_by_itself:
        _signal_group(process, signal.SIGTERM)
        await _ended_within(process, TERM_GRACE_S)
    _signal_group(process, signal.SIGKILL)  # also where it ended by itself: its children may not have
    with anyio.move_on_after(REAP_S):
        await process.wait()
        return ended_by_itself
    # Somebody who left the process group still holds a pipe. Close our end, which only asyncio's transport can.
    transport = getattr(getattr(process, "_process", None), "_transport", None)
    if transport is not None:
        transport.close()
    log.warning("server %r: something it started is still running", name)
    return ended_by_itself


async def _ended_within(process: Process, seconds: float) -> bool:
    # Not `process.wait()`: it waits for the pipes too, which the server's own children may hold open.
    with anyio.move_on_after(seconds):
        while process.returncode is None:  # noqa: ASYNC110
            await anyio.sleep(0.01)
        return True
    return False


def _signal_group(process: Process, number: signal.Signals) -> None:
    # The group's id is the leader's pid (`start_new_session`), and stays taken for as long as the group has a member.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _answered_id(line: bytes) -> int | str | None:
    """The id of the request that this line seems to answer."""
    try:
        found = cast(object, json.loads(line))
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    answer = cast("dict[str, Any]", found)
    request_id = answer.get("id")
    return request_id if isinstance(request_id, int | str) and "method" not in answer else None


def _id_unread(line: bytes) -> int | str | None:
    """The same, of a line that is not to be read: where it stands before or after all the rest."""
    found = _ID_FIRST.match(line) or (_ID_LAST.search(line, len(line) - 400) if _RESULT_FIRST.match(line) else None)
    return None if found is None else cast("int | str", json.loads(found[1].decode(errors="replace")))


def _overlong_list(result: Mapping[str, Any]) -> str | None:
    """The key under which an answer has a list that is too long."""
    long = (key for key, value in result.items() if isinstance(value, list) and len(cast(Any, value)) > MAX_ENTRIES)
    return next((one_line(key, 40) for key in long), None)


def _refusal(request_id: int | str, reason: str) -> SessionMessage:
    """What the caller gets in place of an answer."""
    error = ErrorData(code=PARSE_ERROR, message=reason)
    return SessionMessage(JSONRPCError(jsonrpc="2.0", id=request_id, error=error))


def _shown(line: bytes) -> str:
    return repr(one_line(line[:200].decode(errors="replace"), 120))
