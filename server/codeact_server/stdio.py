"""MCP over this process's stdin and stdout.

The SDK reads and writes in threads that cannot be cancelled: after SIGINT such a server hangs until stdin ends
(measured, mcp 2.3), and with a client that does not read for ever. Here what blocks is left behind, so that the server
can stop whenever it wants to.
"""

import os
import sys
import threading
from collections.abc import AsyncIterator
from typing import BinaryIO, cast

import anyio
import anyio.from_thread
import anyio.lowlevel
import anyio.to_thread
from mcp.server.stdio import stdio_server

from codeact_server.execute_code import CodeActServer

MAX_LINE_BYTES = 64 << 20
"""Longest message read; a longer one is cut and so answered with a parse error. Programs are 1 MB at most."""


LAST_WORDS_S = 1.0
"""How long after the end of stdin the client may take to read what was answered before."""


async def serve_stdio(server: CodeActServer) -> None:
    """Serve one client until stdin ends or this is cancelled."""
    wire_in, wire_out = _claim(0), _claim(1)
    # All that the SDK asks of the two files.
    stdin = cast("anyio.AsyncFile[str]", _Lines(wire_in))
    stdout = cast("anyio.AsyncFile[str]", _Out(wire_out))
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


class _Lines:
    """The lines of a descriptor, as an asynchronous iterator that can be cancelled."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    async def __aiter__(self) -> AsyncIterator[str]:
        send, receive = anyio.create_memory_object_stream[str](0)
        token = anyio.lowlevel.current_token()

        def read(file: BinaryIO) -> None:
            try:
                while line := file.readline(MAX_LINE_BYTES):
                    anyio.from_thread.run(send.send, line.decode("utf-8", "replace"), token=token)
                anyio.from_thread.run(send.aclose, token=token)
            except (anyio.BrokenResourceError, anyio.ClosedResourceError, RuntimeError, OSError):
                return  # the server has stopped, and its loop with it

        threading.Thread(target=read, args=(os.fdopen(self._fd, "rb"),), name="stdin", daemon=True).start()
        async with receive:
            async for line in receive:
                yield line


class _Out:
    """Writes to a descriptor, until whoever reads it is gone."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._pending = b""

    async def write(self, text: str) -> None:
        self._pending += text.encode()

    async def flush(self) -> None:
        data, self._pending = self._pending, b""
        try:
            await anyio.to_thread.run_sync(self._write, data, abandon_on_cancel=True)
        except OSError as exc:
            raise anyio.ClosedResourceError from exc  # at which the SDK stops writing

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._fd, rest) :]


def stderr_line(line: str) -> None:
    """Tell the operator; clients keep stderr in their log of this server."""
    print(f"codeact-mcp: {line}", file=sys.stderr, flush=True)  # noqa: T201
