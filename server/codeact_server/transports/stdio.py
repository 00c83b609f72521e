"""MCP over this process's stdin and stdout.

The SDK reads and writes in threads that cannot be cancelled: after SIGINT such a server hangs until stdin ends
(measured, mcp 2.3), and with a client that does not read it hangs for ever. Here the event loop waits for pipes and
sockets, which clients use; that also takes 0.13 ms less for each call. Terminals, files and Windows need threads here
too. A thread that blocks is abandoned, so that the server can always stop.

O_NONBLOCK is never set: it belongs to the open file description and would affect other processes that share it.
"""

import os
import select
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any, cast

import anyio
import anyio.from_thread
import anyio.lowlevel
import anyio.to_thread
from mcp.server.lowlevel.server import Server
from mcp.server.stdio import stdio_server
from pydantic_core import to_json

from codeact_server.front.opening import Opening, claim, is_pollable
from codeact_server.transports.json_rpc import BATCH_VERSION, examine, requested_version

READ_BYTES = 1 << 16
MAX_LINE_BYTES = 64 << 20
"""Longest message read. A longer one is cut, so that it is answered with a parse error. Programs are 1 MB at most."""

DRAIN_S = 1.0
"""How long after the end of stdin the client may take to read the responses sent before."""


async def serve_stdio(server: Server[dict[str, Any]], opening: Opening | None = None) -> None:
    """Serve one client until stdin ends or this is cancelled. An `opening` has answered its first requests."""
    if opening is None:
        private_stdin, private_stdout, read = claim(0), claim(1), b""
    else:
        private_stdin, private_stdout, read = opening.stdin, opening.stdout, opening.hand_over()
    # The SDK uses no other methods of the two files than these objects have.
    writer = StdoutWriter(private_stdout, opening.corrected if opening is not None else str)
    stdin = cast("anyio.AsyncFile[str]", messages_of(lines_of(private_stdin, read), writer))
    stdout = cast("anyio.AsyncFile[str]", writer)
    with anyio.CancelScope() as scope:
        async with stdio_server(stdin, stdout) as (read_stream, write_stream):
            await server.run(read_stream, write_stream, server.create_initialization_options())
            scope.deadline = anyio.current_time() + DRAIN_S


def lines_of(fd: int, read: bytes = b"") -> AsyncGenerator[str]:
    """Yield the lines of a descriptor, then close it. Can be cancelled. `read` was read from it before, by polling."""
    return _lines_by_polling(fd, read) if is_pollable(fd) else _lines_from_thread(fd)


async def _lines_by_polling(fd: int, read: bytes) -> AsyncGenerator[str]:
    lines = _LineSplitter()
    try:
        if read:
            for line in lines.feed(read):
                yield line.decode("utf-8", "replace")
        while True:
            await anyio.wait_readable(fd)
            try:
                data = os.read(fd, READ_BYTES)
            except OSError:
                data = b""
            for line in lines.feed(data):
                yield line.decode("utf-8", "replace")
            if not data:
                return
    finally:
        os.close(fd)


class _LineSplitter:
    """Cuts a stream into lines."""

    def __init__(self) -> None:
        self._partial = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the lines that end in `data`. At the end of the stream (`b""`), also yield an incomplete last line."""
        *ended, rest = data.split(b"\n")
        for line in ended:
            yield bytes(self._partial) + line + b"\n"
            self._partial.clear()
        self._partial += rest
        if self._partial and (not data or len(self._partial) >= MAX_LINE_BYTES):
            yield bytes(self._partial)
            self._partial.clear()


async def _lines_from_thread(fd: int) -> AsyncGenerator[str]:
    send, receive = anyio.create_memory_object_stream[str](0)
    token = anyio.lowlevel.current_token()

    def read() -> None:
        try:
            with os.fdopen(fd, "rb") as file:
                while line := file.readline(MAX_LINE_BYTES):
                    anyio.from_thread.run(send.send, line.decode("utf-8", "replace"), token=token)
            anyio.from_thread.run(send.aclose, token=token)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, RuntimeError, OSError):
            return  # the server and its event loop have stopped

    threading.Thread(target=read, name="stdin", daemon=True).start()
    async with receive:
        async for line in receive:
            yield line


async def messages_of(lines: AsyncGenerator[str], stdout: "StdoutWriter") -> AsyncGenerator[str]:
    """Yield a line for each message. A line that is none is answered here."""
    version = None
    async for line in lines:
        if not line.strip():
            continue
        examined = examine(line, batches=version == BATCH_VERSION)
        for refused in examined.refusals:
            await stdout.write(refused.model_dump_json(by_alias=True, exclude_unset=True) + "\n")
            await stdout.flush()
        for message in examined.messages:
            version = requested_version(message) or version
            yield to_json(message).decode() + "\n" if examined.is_batch else line


class StdoutWriter:
    """Writes to a descriptor, one `flush` after the other. `flush` raises `ClosedResourceError` when the reader has
    closed it."""

    def __init__(self, fd: int, corrected: Callable[[str], str] = str) -> None:
        """`corrected` returns what to write of each message."""
        self._fd, self._corrected = fd, corrected
        self._pending = b""
        self._pollable = is_pollable(fd)
        self._flushing = anyio.Lock()

    async def write(self, text: str) -> None:
        self._pending += self._corrected(text).encode()

    async def flush(self) -> None:
        async with self._flushing:
            data, self._pending = self._pending, b""
            try:
                if self._pollable:
                    await self._write_by_polling(data)
                else:
                    await anyio.to_thread.run_sync(self._write_blocking, data, abandon_on_cancel=True)
            except OSError as exc:
                raise anyio.ClosedResourceError from exc  # the SDK stops writing on this

    async def _write_by_polling(self, data: bytes) -> None:
        """Write in pieces of at most `select.PIPE_BUF` bytes: a writable descriptor takes so many without blocking."""
        rest, writable = memoryview(data), select.poll()
        writable.register(self._fd, select.POLLOUT)
        while rest:
            if not writable.poll(0):
                await anyio.wait_writable(self._fd)
            rest = rest[os.write(self._fd, rest[: select.PIPE_BUF]) :]

    def _write_blocking(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._fd, rest) :]
