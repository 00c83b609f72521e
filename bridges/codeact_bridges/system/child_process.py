"""A child process spoken to over its stdin and stdout.

asyncio's own transports and not anyio's streams, which go three times as often around the event loop for each message:
every line that a program prints comes this way, and every tool call twice.
"""

import asyncio
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from subprocess import PIPE
from typing import IO

import anyio

MAX_UNREAD_BYTES = 1 << 18
"""What a child may have written that nobody has received yet. Then it has to wait."""


MAX_UNTAKEN_BYTES = 10_000_000
"""What may be sent to a child that does not read, before whoever sends more has to wait."""


class ProcessEnded(Exception):
    """The child has closed its stdout, or is gone, or is not listened to any more."""


class ChildProcess(asyncio.SubprocessProtocol):
    """Made by `spawn`; whoever made it calls `aclose`, or ends it in another way and calls `close`."""

    def __init__(self, on_stderr: Callable[[bytes], None] | None = None) -> None:
        self._on_stderr = on_stderr
        self._pieces: deque[bytes] = deque()
        self._unread = 0
        self._paused = False
        self._ended = False
        self._dropping = False
        self._has_room = anyio.Event()
        self._has_room.set()
        self._news: asyncio.Future[None] | None = None
        self._exited = anyio.Event()
        self._closed = anyio.Event()

    @property
    def pid(self) -> int:
        pid = self._transport.get_pid()
        assert pid is not None
        return pid

    @property
    def returncode(self) -> int | None:
        """The exit code, or the negative number of the signal that ended it; None while it is there."""
        return self._transport.get_returncode()

    @property
    def hears(self) -> bool:
        """Whether its stdin is still open."""
        return not self._stdin.is_closing()

    def send(self, data: bytes) -> None:
        """Write all of `data`, as the child reads it. Nothing is raised when it is gone: `receive` tells that."""
        if self.hears:
            self._stdin.write(data)

    async def room(self) -> None:
        """Wait until less than `MAX_UNTAKEN_BYTES` of what was sent are still to be taken."""
        await self._has_room.wait()

    def close_stdin(self) -> None:
        """Tell it that nothing more will come, after all that was sent."""
        if self.hears:
            self._stdin.close()

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
                raise ProcessEnded
            self._news = asyncio.get_running_loop().create_future()
            await self._news
        piece = self._pieces.popleft()
        self._unread -= len(piece)
        if self._paused and self._unread < MAX_UNREAD_BYTES:
            self._paused = False
            self._stdout.resume_reading()
        return piece

    def drop_the_rest(self) -> None:
        """Listen no more: who waits in `receive` hears `Ended`, and the child can write without being read."""
        self._dropping = True
        self._pieces.clear()
        self._unread = 0
        if self._paused:
            self._paused = False
            self._stdout.resume_reading()
        self.will_not_write()

    async def wait(self) -> int | None:
        """The exit code, once there is one."""
        await self._exited.wait()
        return self.returncode

    def kill(self) -> None:
        """End it, if it has not ended. Any number of times."""
        if self.returncode is not None:
            return
        with suppress(ProcessLookupError):
            if sys.platform == "win32":
                self._transport.kill()
            else:
                # Not the transport's: `Popen` would collect a child that has just ended, and asyncio then not find it.
                os.kill(self.pid, signal.SIGKILL)

    async def wait_closed(self) -> None:
        """Wait until it has ended and nobody holds its pipes any more, which processes that it started may."""
        await self._closed.wait()

    async def aclose(self) -> None:
        """Kill it if it is still there, collect it, and close the pipes."""
        self.kill()
        try:
            await self._exited.wait()
        finally:
            self.close()
        await self._closed.wait()

    def close(self) -> None:
        """Close the pipes at once. It must have ended, or be past all help."""
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.SubprocessTransport)
        stdin, stdout = transport.get_pipe_transport(0), transport.get_pipe_transport(1)
        assert isinstance(stdin, asyncio.WriteTransport)
        assert isinstance(stdout, asyncio.ReadTransport)
        self._transport, self._stdin, self._stdout = transport, stdin, stdout
        stdin.set_write_buffer_limits(high=MAX_UNTAKEN_BYTES)
        stdout.set_protocol(_Stdout(self, stdout.get_protocol()))

    def wrote(self, data: bytes) -> None:
        """The child has written something."""
        if self._dropping:
            return
        self._pieces.append(data)
        self._unread += len(data)
        if self._unread >= MAX_UNREAD_BYTES and not self._paused:
            self._paused = True
            self._stdout.pause_reading()
        self._tell()

    def will_not_write(self) -> None:
        """The child has closed its end."""
        self._ended = True
        self._has_room.set()  # who waits to send more would wait for ever
        self._tell()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if self._on_stderr is not None:
            self._on_stderr(data)

    def pause_writing(self) -> None:
        self._has_room = anyio.Event()

    def resume_writing(self) -> None:
        self._has_room.set()

    def process_exited(self) -> None:
        self._exited.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._closed.set()

    def _tell(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)


class _Stdout(asyncio.Protocol):
    """Stands before the protocol that asyncio gives to a child's stdout, which takes another turn of the loop."""

    def __init__(self, child: ChildProcess, asyncios: asyncio.BaseProtocol) -> None:
        self._child, self._asyncios = child, asyncios

    def data_received(self, data: bytes) -> None:
        self._child.wrote(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._child.will_not_write()
        self._asyncios.connection_lost(exc)  # the child's own `connection_lost` depends on it


async def spawn(
    command: Sequence[str],
    *,
    stderr: IO[bytes] | Callable[[bytes], None],
    env: Mapping[str, str],
    cwd: Path | None = None,
) -> ChildProcess:
    """Start `command` in a session of its own: a Ctrl-C in the terminal is for the server to act on.

    Args:
        stderr: a file for it, or who is given each piece of it.

    Raises:
        OSError: it cannot be started.
    """
    loop = asyncio.get_running_loop()
    make, pipe = (partial(ChildProcess, stderr), PIPE) if callable(stderr) else (ChildProcess, stderr)
    _, child = await loop.subprocess_exec(make, *command, stderr=pipe, env=env, cwd=cwd, start_new_session=True)
    return child
