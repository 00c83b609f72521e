"""A child process with pipes to its stdin and stdout.

Uses asyncio's transports. anyio's streams take three times as many turns of the event loop per message, and every
line that a program prints and both directions of every tool call pass through here.
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
"""High-water mark of unreceived stdout. Above it reading pauses, so the child blocks on its pipe."""

MAX_UNSENT_BYTES = 10_000_000
"""High-water mark of unread stdin. Above it `drain` blocks (backpressure)."""


class ProcessEnded(Exception):
    """The child has closed its stdout or exited, or its output is being discarded."""


class ChildProcess(asyncio.SubprocessProtocol):
    """Made by `spawn`. The caller must end it with `aclose`, or end it in another way and then call `close`."""

    def __init__(self, on_stderr: Callable[[bytes], None] | None = None) -> None:
        self._on_stderr = on_stderr
        self._pieces: deque[bytes] = deque()
        self._unread = 0
        self._paused = False
        self._ended = False
        self._discarding = False
        self._has_room = anyio.Event()
        self._has_room.set()
        self._readable: asyncio.Future[None] | None = None
        self._exited = anyio.Event()
        self._closed = anyio.Event()

    @property
    def pid(self) -> int:
        pid = self._transport.get_pid()
        assert pid is not None
        return pid

    @property
    def returncode(self) -> int | None:
        """The exit code, or the negative signal number; None while the child runs."""
        return self._transport.get_returncode()

    @property
    def stdin_open(self) -> bool:
        """Whether the child can still be sent data."""
        return not self._stdin.is_closing()

    def send(self, data: bytes) -> None:
        """Queue `data` for stdin. Does nothing once stdin is closed: `receive` reports the end of the child."""
        if self.stdin_open:
            self._stdin.write(data)

    async def drain(self) -> None:
        """Wait while more than `MAX_UNSENT_BYTES` are queued for stdin."""
        await self._has_room.wait()

    def close_stdin(self) -> None:
        """Send end of file, after all queued data (half-close)."""
        if self.stdin_open:
            self._stdin.close()

    @property
    def has_output(self) -> bool:
        """Whether there is output that was not received yet."""
        return bool(self._pieces)

    @property
    def unsent_bytes(self) -> int:
        """Queued for stdin and not yet written to the pipe."""
        return self._stdin.get_write_buffer_size()

    async def receive(self) -> bytes:
        """Wait for output and return it, at least one byte.

        Raises:
            ProcessEnded: there will be no more output.
        """
        while not self._pieces:
            if self._ended:
                raise ProcessEnded
            self._readable = asyncio.get_running_loop().create_future()
            await self._readable
        piece = self._pieces.popleft()
        self._unread -= len(piece)
        if self._paused and self._unread < MAX_UNREAD_BYTES:
            self._paused = False
            self._stdout.resume_reading()
        return piece

    def discard_output(self) -> None:
        """Discard further output. Pending `receive` calls raise `ProcessEnded`; stdout is still drained, so the child
        cannot block on a full pipe."""
        self._discarding = True
        self._pieces.clear()
        self._unread = 0
        if self._paused:
            self._paused = False
            self._stdout.resume_reading()
        self.stdout_closed()

    async def wait(self) -> int | None:
        """Wait for the child to exit and return its exit code."""
        await self._exited.wait()
        return self.returncode

    def kill(self) -> None:
        """Kill the child if it still runs. Idempotent."""
        if self.returncode is not None:
            return
        with suppress(ProcessLookupError):
            if sys.platform == "win32":
                self._transport.kill()
            else:
                # Not the transport's kill: its `Popen` would reap a child that has just exited, and asyncio could not.
                os.kill(self.pid, signal.SIGKILL)

    async def wait_closed(self) -> None:
        """Wait until the child has exited and its pipes are closed, which its own child processes may hold open."""
        await self._closed.wait()

    async def aclose(self) -> None:
        """Kill the child if it still runs, reap it and close its pipes."""
        self.kill()
        try:
            await self._exited.wait()
        finally:
            self.close()
        await self._closed.wait()

    def close(self) -> None:
        """Close the pipes without waiting. Only for a child that has exited or cannot be killed."""
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.SubprocessTransport)
        stdin, stdout = transport.get_pipe_transport(0), transport.get_pipe_transport(1)
        assert isinstance(stdin, asyncio.WriteTransport)
        assert isinstance(stdout, asyncio.ReadTransport)
        self._transport, self._stdin, self._stdout = transport, stdin, stdout
        stdin.set_write_buffer_limits(high=MAX_UNSENT_BYTES)
        stdout.set_protocol(_Stdout(self, stdout.get_protocol()))

    def stdout_received(self, data: bytes) -> None:
        """Called by the stdout protocol with new output."""
        if self._discarding:
            return
        self._pieces.append(data)
        self._unread += len(data)
        if self._unread >= MAX_UNREAD_BYTES and not self._paused:
            self._paused = True
            self._stdout.pause_reading()
        self._wake_receiver()

    def stdout_closed(self) -> None:
        """Called by the stdout protocol at end of file."""
        self._ended = True
        self._has_room.set()  # a pending `drain` would never return
        self._wake_receiver()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd == 1:  # from a child so fast that asyncio read it before `connection_made`
            self.stdout_received(data)
        elif self._on_stderr is not None:
            self._on_stderr(data)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        if fd == 1:
            self.stdout_closed()

    def pause_writing(self) -> None:
        self._has_room = anyio.Event()

    def resume_writing(self) -> None:
        self._has_room.set()

    def process_exited(self) -> None:
        self._exited.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._closed.set()

    def _wake_receiver(self) -> None:
        if self._readable is not None and not self._readable.done():
            self._readable.set_result(None)


class _Stdout(asyncio.Protocol):
    """Replaces the protocol that asyncio gives to a child's stdout, which takes another turn of the loop."""

    def __init__(self, child: ChildProcess, replaced: asyncio.BaseProtocol) -> None:
        self._child, self._replaced = child, replaced

    def data_received(self, data: bytes) -> None:
        self._child.stdout_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._child.stdout_closed()
        self._replaced.connection_lost(exc)  # without it the child's own `connection_lost` is not called


async def spawn(
    command: Sequence[str],
    *,
    stderr: IO[bytes] | Callable[[bytes], None],
    env: Mapping[str, str],
    cwd: Path | None = None,
) -> ChildProcess:
    """Start `command` in a session of its own, so that a Ctrl-C in the terminal reaches the server only.

    Args:
        stderr: a file, or a function that is called with each piece.

    Raises:
        OSError: the command cannot be started.
    """
    loop = asyncio.get_running_loop()
    make, pipe = (partial(ChildProcess, stderr), PIPE) if callable(stderr) else (ChildProcess, stderr)
    _, child = await loop.subprocess_exec(make, *command, stderr=pipe, env=env, cwd=cwd, start_new_session=True)
    return child
