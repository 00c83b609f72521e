"""MCP over this process's stdin and stdout.

The SDK reads and writes in threads that cannot be cancelled: after SIGINT such a server hangs until stdin ends
(measured, mcp 2.3), and with a client that does not read for ever. Here the event loop waits for pipes and sockets,
which is what clients give us; that takes 0.13 ms less for each call, too. For a terminal, a file and on Windows there
are threads here as well, and one that blocks is left behind, so that the server can stop whenever it wants to.

No descriptor is made non-blocking: whoever shares it with us would find it so as well.
"""

import os
import select
import stat
import sys
import threading
from collections.abc import AsyncGenerator, Iterator
from typing import cast

import anyio
import anyio.from_thread
import anyio.lowlevel
import anyio.to_thread
from mcp.server.stdio import stdio_server

from codeact_server.protocol.server import CodeActServer

READ_BYTES = 1 << 16
MAX_LINE_BYTES = 64 << 20
"""Longest message read; a longer one is cut and so answered with a parse error. Programs are 1 MB at most."""


LAST_WORDS_S = 1.0
"""How long after the end of stdin the client may take to read what was answered before."""


async def serve_stdio(server: CodeActServer) -> None:
    """Serve one client until stdin ends or this is cancelled."""
    wire_in, wire_out = _claim(0), _claim(1)
    # All that the SDK asks of the two files.
    stdin = cast("anyio.AsyncFile[str]", lines_of(wire_in))
    stdout = cast("anyio.AsyncFile[str]", StdoutWriter(wire_out))
    with anyio.CancelScope() as scope:
        async with stdio_server(stdin, stdout) as (read_stream, write_stream):
            await server.run(read_stream, write_stream, server.create_initialization_options())
            scope.deadline = anyio.current_time() + LAST_WORDS_S


def _claim(fd: int) -> int:
    """Move a standard stream to a private descriptor, so that no print and no child can disturb the protocol."""
    private = os.dup(fd)
    if fd == 0:
        replacement = os.open(os.devnull, os.O_RDONLY)
        os.dup2(replacement, fd)
        os.close(replacement)
    else:
        os.dup2(2, fd)
    return private


def _can_be_waited_for(fd: int) -> bool:
    """Whether the event loop can tell when there is something to read, or room to write."""
    kind = os.fstat(fd).st_mode
    return sys.platform != "win32" and (stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind))


def lines_of(fd: int) -> AsyncGenerator[str]:
    """The lines of a descriptor, which it closes. Can be cancelled."""
    return _lines_as_they_come(fd) if _can_be_waited_for(fd) else _lines_from_a_thread(fd)


async def _lines_as_they_come(fd: int) -> AsyncGenerator[str]:
    lines = _Lines()
    try:
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


class _Lines:
    """Cuts a stream into lines."""

    def __init__(self) -> None:
        self._begun = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The lines that end in `data`; at its end, which is `b""`, also the rest."""
        *ended, rest = data.split(b"\n")
        for line in ended:
            yield bytes(self._begun) + line + b"\n"
            self._begun.clear()
        self._begun += rest
        if self._begun and (not data or len(self._begun) >= MAX_LINE_BYTES):
            yield bytes(self._begun)
            self._begun.clear()


async def _lines_from_a_thread(fd: int) -> AsyncGenerator[str]:
    send, receive = anyio.create_memory_object_stream[str](0)
    token = anyio.lowlevel.current_token()

    def read() -> None:
        try:
            with os.fdopen(fd, "rb") as file:
                while line := file.readline(MAX_LINE_BYTES):
                    anyio.from_thread.run(send.send, line.decode("utf-8", "replace"), token=token)
            anyio.from_thread.run(send.aclose, token=token)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, RuntimeError, OSError):
            return  # the server has stopped, and its loop with it

    threading.Thread(target=read, name="stdin", daemon=True).start()
    async with receive:
        async for line in receive:
            yield line


class StdoutWriter:
    """Writes to a descriptor, until whoever reads it is gone."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._pending = b""
        self._can_be_waited_for = _can_be_waited_for(fd)

    async def write(self, text: str) -> None:
        self._pending += text.encode()

    async def flush(self) -> None:
        data, self._pending = self._pending, b""
        try:
            if self._can_be_waited_for:
                await self._write_as_there_is_room(data)
            else:
                await anyio.to_thread.run_sync(self._write, data, abandon_on_cancel=True)
        except OSError as exc:
            raise anyio.ClosedResourceError from exc  # at which the SDK stops writing

    async def _write_as_there_is_room(self, data: bytes) -> None:
        """Where there is room at all, `PIPE_BUF` bytes fit without blocking (`select.PIPE_BUF`)."""
        rest, room = memoryview(data), select.poll()
        room.register(self._fd, select.POLLOUT)
        while rest:
            if not room.poll(0):
                await anyio.wait_writable(self._fd)
            rest = rest[os.write(self._fd, rest[: select.PIPE_BUF]) :]

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._fd, rest) :]
