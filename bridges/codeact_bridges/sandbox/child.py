"""A child process spoken to over its stdin and stdout.

asyncio's own transports and not anyio's streams, which go three times as often around the event loop for each message:
every tool call of a program and every line it prints comes this way.
"""

import asyncio
import os
import signal
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO

import anyio

MAX_UNREAD_BYTES = 1 << 18
"""What a child may have written that nobody has received yet. Then it has to wait."""


class Ended(Exception):
    """The child has closed its stdout, or is gone."""


class Child(asyncio.SubprocessProtocol):
    """Made by `spawn`; whoever made it calls `aclose`."""

    def __init__(self) -> None:
        self._pieces: deque[bytes] = deque()
        self._unread = 0
        self._paused = False
        self._ended = False
        self._news: asyncio.Future[None] | None = None
        self._exited = anyio.Event()
        self._closed = anyio.Event()

    @property
    def pid(self) -> int:
        pid = self._transport.get_pid()
        assert pid is not None
        return pid

    def send(self, data: bytes) -> None:
        """Write all of `data`, as the child reads it. Nothing is raised when it is gone: `receive` tells that."""
        if not self._stdin.is_closing():
            self._stdin.write(data)

    @property
    def has_more(self) -> bool:
        """Whether it has written something that was not received yet."""
        return bool(self._pieces)

    @property
    def unsent_bytes(self) -> int:
        """What it has not taken yet of all that was sent."""
        return self._stdin.get_write_buffer_size()

    async def receive(self) -> bytes:
        """What the child wrote next, at least one byte.

        Raises:
            Ended: it will not write any more.
        """
        while not self._pieces:
            if self._ended:
                raise Ended
            self._news = asyncio.get_running_loop().create_future()
            await self._news
        piece = self._pieces.popleft()
        self._unread -= len(piece)
        if self._paused and self._unread < MAX_UNREAD_BYTES:
            self._paused = False
            self._stdout.resume_reading()
        return piece

    async def wait(self) -> int | None:
        """The exit code, once there is one."""
        await self._exited.wait()
        return self._transport.get_returncode()

    def kill(self) -> None:
        """End it, if it has not ended. Any number of times."""
        if self._transport.get_returncode() is not None:
            return
        with suppress(ProcessLookupError):
            if sys.platform == "win32":
                self._transport.kill()
            else:
                # Not the transport's: `Popen` would collect a child that has just ended, and asyncio then not find it.
                os.kill(self.pid, signal.SIGKILL)

    async def aclose(self) -> None:
        """Kill it if it is still there, collect it, and close the pipes."""
        self.kill()
        try:
            await self._exited.wait()
        finally:
            self._transport.close()
        await self._closed.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.SubprocessTransport)
        stdin, stdout = transport.get_pipe_transport(0), transport.get_pipe_transport(1)
        assert isinstance(stdin, asyncio.WriteTransport)
        assert isinstance(stdout, asyncio.ReadTransport)
        self._transport, self._stdin, self._stdout = transport, stdin, stdout
        stdout.set_protocol(_Stdout(self, stdout.get_protocol()))

    def wrote(self, data: bytes) -> None:
        """The child has written something."""
        self._pieces.append(data)
        self._unread += len(data)
        if self._unread >= MAX_UNREAD_BYTES and not self._paused:
            self._paused = True
            self._stdout.pause_reading()
        self._tell()

    def will_not_write(self) -> None:
        """The child has closed its end."""
        self._ended = True
        self._tell()

    def process_exited(self) -> None:
        self._exited.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._closed.set()

    def _tell(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)


class _Stdout(asyncio.Protocol):
    """Stands before the protocol that asyncio gives to a child's stdout, which takes another turn of the loop."""

    def __init__(self, child: Child, asyncios: asyncio.BaseProtocol) -> None:
        self._child, self._asyncios = child, asyncios

    def data_received(self, data: bytes) -> None:
        self._child.wrote(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._child.will_not_write()
        self._asyncios.connection_lost(exc)  # the child's own `connection_lost` depends on it


async def spawn(command: Sequence[str], *, stderr: IO[bytes], env: Mapping[str, str]) -> Child:
    """Start `command` in a session of its own: a Ctrl-C in the terminal is for the server to act on.

    Raises:
        OSError: it cannot be started.
    """
    loop = asyncio.get_running_loop()
    _, child = await loop.subprocess_exec(Child, *command, stderr=stderr, env=env, start_new_session=True)
    return child
