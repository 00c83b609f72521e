"""A child process with pipes: its output, its end, and what happens where one side does not read."""

import os
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import anyio
import anyio.lowlevel
import pytest

from codeact_bridges.system.child_process import MAX_UNREAD_BYTES, MAX_UNSENT_BYTES, ChildProcess, ProcessEnded, spawn

ECHO = "import sys\nfor line in sys.stdin.buffer: sys.stdout.buffer.write(line); sys.stdout.buffer.flush()"
DEAF = "import time; time.sleep(1000)"
FLOOD = "import os, sys\nwhile True: os.write(1, b'x' * 65536)"


@asynccontextmanager
async def running(program: str, on_stderr: Callable[[bytes], None] = lambda _: None) -> AsyncGenerator[ChildProcess]:
    with anyio.fail_after(30):
        child = await spawn([sys.executable, "-S", "-c", program], stderr=on_stderr, env=dict(os.environ))
        try:
            yield child
        finally:
            await child.aclose()


async def received(child: ChildProcess, size: int) -> bytes:
    data = b""
    while len(data) < size:
        data += await child.receive()
    return data


async def test_what_is_sent_arrives_and_what_is_written_is_received() -> None:
    async with running(ECHO) as child:
        child.send(b"one\n")
        assert await received(child, 4) == b"one\n"


async def test_closing_stdin_lets_the_child_read_all_of_it_and_end() -> None:
    sent = b"x" * 1_000_000 + b"\n"
    async with running(ECHO) as child:
        child.send(sent)
        child.close_stdin()
        assert await received(child, len(sent)) == sent
        with pytest.raises(ProcessEnded):
            await child.receive()
        assert await child.wait() == 0


async def test_output_before_the_end_is_received_after_it() -> None:
    async with running("import os; os.write(1, b'last')") as child:
        await child.wait_closed()

        assert await child.receive() == b"last"
        with pytest.raises(ProcessEnded):
            await child.receive()


async def test_a_child_that_writes_more_than_is_received_has_to_wait() -> None:
    async with running(FLOOD) as child:
        data = await received(child, 10 * MAX_UNREAD_BYTES)

        assert set(data) == {ord("x")}
        assert child.returncode is None


async def test_sending_to_a_child_that_does_not_read_waits_until_it_ends() -> None:
    async with running(DEAF) as child:
        child.send(b"x" * (MAX_UNSENT_BYTES + 1_000_000))
        with anyio.move_on_after(0) as waiting:
            await child.drain()
        assert waiting.cancelled_caught

        child.kill()
        await child.drain()


async def test_nobody_waits_for_output_that_is_discarded() -> None:
    async with running(DEAF) as child, anyio.create_task_group() as tasks:
        ended = anyio.Event()

        async def receive() -> None:
            with pytest.raises(ProcessEnded):
                await child.receive()
            ended.set()

        tasks.start_soon(receive)
        await anyio.lowlevel.checkpoint()
        child.discard_output()
        await ended.wait()


async def test_a_child_whose_output_is_discarded_goes_on_writing_to_its_end() -> None:
    program = f"import os\nfor _ in range(100): os.write(1, b'x' * {MAX_UNREAD_BYTES})"
    async with running(program) as child:
        await child.receive()
        child.discard_output()

        assert await child.wait() == 0


async def test_stderr_comes_in_pieces_of_its_own() -> None:
    pieces: list[bytes] = []
    async with running("import sys; print('out'); print('err', file=sys.stderr)", pieces.append) as child:
        await child.wait_closed()

    assert b"".join(pieces).split() == [b"err"]


async def test_killing_twice_and_after_the_end_does_nothing_more() -> None:
    async with running(DEAF) as child:
        child.kill()
        child.kill()
        assert await child.wait() not in (None, 0)
        child.kill()
        child.send(b"into the void")


async def test_a_command_that_is_not_there_is_an_error() -> None:
    with pytest.raises(OSError, match="nowhere"):
        await spawn(["/nowhere/to/be/found"], stderr=lambda _: None, env={})
