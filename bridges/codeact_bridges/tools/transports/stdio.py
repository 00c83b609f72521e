"""A downstream server as a child process: JSON-RPC lines over its stdin and stdout, its stderr in a log of its own.

Replaces `mcp.client.stdio`, which does not expose the process and takes up to 4 s to stop it, while our own process
must end within 5; splits lines in quadratic time (a 20 MB result takes 4 s); and buffers an endless line until memory
is full. For POSIX only: processes end differently on Windows, where `stdio_windows` uses `mcp.client.stdio`.
"""

import json
import logging
import os
import re
import signal
import sys
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, cast

import anyio
from anyio.abc import ObjectReceiveStream, ObjectSendStream
from anyio.lowlevel import checkpoint
from mcp.client.stdio import get_default_environment
from mcp.shared.message import SessionMessage
from mcp.types import PARSE_ERROR, ErrorData, JSONRPCError, JSONRPCResponse, jsonrpc_message_adapter
from pydantic_core import from_json

from codeact_bridges.system.child_process import ChildProcess, ProcessEnded, spawn
from codeact_bridges.text import one_line
from codeact_bridges.tools.spec import StdioServer
from codeact_bridges.tools.transports.json_limits import MAX_MESSAGE_BYTES, MAX_PARTS, has_too_many_parts
from codeact_bridges.tools.transports.mcp_streams import TransportStreams
from codeact_bridges.tools.transports.server_log import ServerLog

assert sys.platform != "win32"

log = logging.getLogger(__name__)

END_GRACE_S = 1.0
"""How long a server may take to exit after its stdin is closed, as the protocol requires."""

TERM_GRACE_S = 1.0
"""How long it may take to exit after SIGTERM. Then its process group is killed. The sum is well below the 5 s that our
own process has."""

REAP_S = 0.5
"""How long to wait until the process is reaped and its own children have closed its pipes."""

EXIT_CODE_WAIT_S = 0.2
"""How long to wait for the exit code after stdout has ended."""

MAX_GARBAGE_LINES = 1_000
"""Consecutive lines that are not MCP. A process that prints more is not an MCP server, or is hostile."""

LINES_PER_TURN = 100
"""Lines parsed before other tasks get a turn of the event loop: 65,000 can arrive at once."""

MAX_ENTRIES = 10_000
"""Entries of one list at the top of a result: tools, content blocks. Each costs the session 4 µs or more. Lists inside
structured content do not count."""

_ID: Final = rb'\s*"id"\s*:\s*(-?[0-9]{1,18}|"[^"\\]{0,200}")\s*'
_VERSION: Final = rb'\s*"jsonrpc"\s*:\s*"2\.0"\s*'
_ID_FIRST: Final = re.compile(
    rb"\s*\{(?:" + _VERSION + rb",)?" + _ID + rb",(?:" + _VERSION + rb',)?\s*"(?:result|error)"'
)
_RESULT_FIRST: Final = re.compile(rb"\s*\{(?:" + _VERSION + rb',)?\s*"(?:result|error)"')
_ID_LAST: Final = re.compile(rb"," + _ID + rb"(?:," + _VERSION + rb")?\}\s*\Z")


class _FatalMessageError(Exception):
    """The server sent something that ends the connection. The message is the reason."""


class ServerProcess:
    """One process of a stdio server. `opened` starts it; after the block it and its process group have ended."""

    def __init__(self, spec: StdioServer, server_log: ServerLog) -> None:
        self._spec = spec
        self._stderr = server_log
        self._child: ChildProcess | None = None
        self._messages: _IncomingMessages | None = None
        self._stopped_by_force = False

    @property
    def failure_detail(self) -> str | None:
        """Why we closed the connection; else, if the process has ended, its exit code and the end of its stderr."""
        if self._messages is not None and self._messages.fault is not None:
            return self._messages.fault
        code = self._child.returncode if self._child else None
        if code is None:
            return None
        if self._stopped_by_force:
            return self.stderr_detail
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exited with code {code}"
        return f"{how}; {self.stderr_detail}" if self.stderr_detail else how

    @property
    def stderr_detail(self) -> str | None:
        """The end of its stderr."""
        return f"stderr: {self._stderr.tail}" if self._stderr.tail else None

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[TransportStreams]:
        spec = self._spec
        self._stderr.begin_process()
        # In its own process group, so that its children can be killed with it.
        self._child = child = await spawn(
            [spec.command, *spec.args],
            stderr=self._stderr.write,
            env={**get_default_environment(), **spec.env},
            cwd=spec.cwd,
        )
        # No await from here to the block: a cancellation in between would leak the process.
        self._messages = _IncomingMessages(child, spec.name)
        try:
            yield self._messages, _OutgoingMessages(child)
        finally:
            with anyio.CancelScope(shield=True):
                self._stopped_by_force = not await _stop(child, spec.name)


class _IncomingMessages(ObjectReceiveStream[SessionMessage | Exception]):
    """The read stream: one message for each line of the server's stdout."""

    def __init__(self, child: ChildProcess, name: str) -> None:
        self._child, self._name = child, name
        self._pending = bytearray()
        self._lines: deque[bytes] = deque()
        self._lines_read = 0
        self._garbage_lines = 0
        """Consecutive."""
        self._garbage_logged = False
        self.fault: str | None = None
        """Why we closed the connection, if the server sent something that ends it."""

    async def receive(self) -> SessionMessage | Exception:
        """The next message, or the error that ends the connection.

        Raises:
            EndOfStream: the process has closed its stdout.
        """
        try:
            while True:
                item = self._read(await self._line())
                if item is not None:
                    return item
        except _FatalMessageError as exc:
            self.fault = str(exc)
            self._lines.clear()
            self._child.discard_output()
            return exc
        except ProcessEnded:
            with anyio.move_on_after(EXIT_CODE_WAIT_S):
                await self._child.wait()
            raise anyio.EndOfStream from None

    async def aclose(self) -> None:
        """Do nothing: `ServerProcess` ends the process."""

    async def _line(self) -> bytes:
        while not self._lines:
            first, *rest = (await self._child.receive()).split(b"\n")
            self._pending += first
            if len(self._pending) > MAX_MESSAGE_BYTES:
                raise _FatalMessageError(f"it sent a message of more than {MAX_MESSAGE_BYTES:,} bytes")
            for following in rest:
                self._lines.append(bytes(self._pending))
                self._pending = bytearray(following)
        self._lines_read += 1
        if self._lines_read % LINES_PER_TURN == 0:
            await checkpoint()
        return self._lines.popleft()

    def _read(self, line: bytes) -> SessionMessage | None:
        """The message in `line`, or an error response in its place; None if the line is to be ignored."""
        if not line.lstrip().startswith(b"{"):
            self._count_garbage(line)
            return None
        if has_too_many_parts(line):
            reason = f"it sent a message with more than {MAX_PARTS:,} values"
            if (request_id := _id_without_parsing(line)) is None:
                raise _FatalMessageError(reason)
            return _error_response(request_id, reason)
        try:
            # Not `validate_json`, which builds the result once for each kind of message (70 ms more for 4.5 MB).
            message = jsonrpc_message_adapter.validate_python(from_json(line, cache_strings="keys"), by_name=False)
        except ValueError:
            self._count_garbage(line)
            # Answer the request that an invalid response belongs to: its caller would else wait until the timeout.
            if (request_id := _parsed_id(line)) is not None:
                return _error_response(request_id, f"its response is not JSON-RPC: {_shown(line)}")
            return None
        self._garbage_lines = 0
        if isinstance(message, JSONRPCResponse) and (key := _overlong_list(message.result)) is not None:
            return _error_response(message.id, f"its response has more than {MAX_ENTRIES:,} entries in {key!r}")
        return SessionMessage(message)

    def _count_garbage(self, line: bytes) -> None:
        self._garbage_lines += 1
        if not self._garbage_logged and line.strip():  # only the first: a server may print such lines all day
            self._garbage_logged = True
            log.warning("server %r prints lines that are not MCP messages: %s", self._name, _shown(line))
        if self._garbage_lines > MAX_GARBAGE_LINES:
            raise _FatalMessageError(f"it printed more than {MAX_GARBAGE_LINES:,} consecutive lines that are not MCP")


class _OutgoingMessages(ObjectSendStream[SessionMessage]):
    """The write stream: each message becomes a line of the server's stdin."""

    def __init__(self, child: ChildProcess) -> None:
        self._child = child

    async def send(self, item: SessionMessage) -> None:
        """Send a message. Waits only above the high-water mark of unread stdin: otherwise even the cancellation of a
        call would block on a server that does not read.

        Raises:
            BrokenResourceError: the server has closed its stdin.
        """
        if not self._child.stdin_open:
            self._child.discard_output()  # the process may live on without stdin; the session ends here
            raise anyio.BrokenResourceError
        await self._child.drain()
        self._child.send(item.message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n")

    async def aclose(self) -> None:
        """Do nothing: `ServerProcess` ends the process."""


async def _stop(child: ChildProcess, name: str) -> bool:
    """End the process and its process group: close stdin, then SIGTERM, then SIGKILL. Takes at most 2.5 s.

    Returns whether it ended without a signal.
    """
    child.discard_output()  # a server that is blocked in a write could not exit
    child.close_stdin()
    ended_by_itself = await _ended_within(child, END_GRACE_S)
    if not ended_by_itself:
        _signal_group(child, signal.SIGTERM)
        await _ended_within(child, TERM_GRACE_S)
    _signal_group(child, signal.SIGKILL)  # even after a clean exit: its children may still run
    with anyio.move_on_after(REAP_S) as scope:
        await child.wait_closed()
    if scope.cancelled_caught:  # a descendant left the process group and still holds a pipe
        log.warning("server %r: a process that it started is still running", name)
    child.close()
    return ended_by_itself


async def _ended_within(child: ChildProcess, seconds: float) -> bool:
    with anyio.move_on_after(seconds):
        await child.wait()
        return True
    return False


def _signal_group(child: ChildProcess, number: signal.Signals) -> None:
    # The group's id is the leader's pid (`start_new_session`); it is not reused while the group has a member.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)


def _parsed_id(line: bytes) -> int | str | None:
    """The id of the request that an invalid line seems to answer."""
    try:
        found = cast(object, json.loads(line))
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    answer = cast("dict[str, Any]", found)
    request_id = answer.get("id")
    return request_id if isinstance(request_id, int | str) and "method" not in answer else None


def _id_without_parsing(line: bytes) -> int | str | None:
    """The same for a line that is too costly to parse. Finds the id only at the beginning or at the end."""
    found = _ID_FIRST.match(line) or (_ID_LAST.search(line, len(line) - 400) if _RESULT_FIRST.match(line) else None)
    return None if found is None else cast("int | str", json.loads(found[1].decode(errors="replace")))


def _overlong_list(result: Mapping[str, Any]) -> str | None:
    """The key of a list in `result` that has more than `MAX_ENTRIES` entries."""
    long = (key for key, value in result.items() if isinstance(value, list) and len(cast(Any, value)) > MAX_ENTRIES)
    return next((one_line(key, 40) for key in long), None)


def _error_response(request_id: int | str, reason: str) -> SessionMessage:
    """An error response to the request `request_id`, in place of the server's response."""
    error = ErrorData(code=PARSE_ERROR, message=reason)
    return SessionMessage(JSONRPCError(jsonrpc="2.0", id=request_id, error=error))


def _shown(line: bytes) -> str:
    return repr(one_line(line[:200].decode(errors="replace"), 120))
