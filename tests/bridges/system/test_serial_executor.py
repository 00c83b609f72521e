"""The thread that does the file work: off the event loop, in order, and left behind when it hangs."""

import threading

import anyio
import anyio.to_thread
import pytest

from codeact_bridges.system.serial_executor import SerialExecutor


async def test_work_is_done_in_another_thread_one_after_the_other() -> None:
    threads: list[int] = []
    clerk = SerialExecutor(at_end=lambda: None)

    with anyio.fail_after(5):
        for _ in range(3):
            await clerk.do(lambda: threads.append(threading.get_ident()))
    clerk.dismiss()

    assert len(set(threads)) == 1
    assert threading.get_ident() not in threads


async def test_what_work_raises_is_raised_where_it_was_asked_for() -> None:
    clerk = SerialExecutor(at_end=lambda: None)

    with anyio.fail_after(5), pytest.raises(ZeroDivisionError):
        await clerk.do(lambda: 1 / 0)
    clerk.dismiss()


async def test_the_event_loop_goes_on_while_a_file_system_hangs_and_cancelling_does_not_wait_for_it() -> None:
    answers, closed = threading.Event(), threading.Event()
    clerk = SerialExecutor(at_end=closed.set)

    with anyio.fail_after(5):
        with anyio.move_on_after(0.05) as scope:
            await clerk.do(answers.wait)
        assert scope.cancelled_caught
        clerk.dismiss()
        assert not closed.is_set(), "what hangs still has its files"

        answers.set()
        assert await anyio.to_thread.run_sync(closed.wait, 4)


async def test_a_clerk_that_was_never_asked_cleans_up_at_once() -> None:
    closed = threading.Event()

    SerialExecutor(at_end=closed.set).dismiss()

    assert closed.is_set()


async def test_a_thread_that_hangs_does_not_keep_the_process() -> None:
    started = threading.Event()
    found: list[threading.Thread] = []
    clerk = SerialExecutor(at_end=lambda: None)

    def work() -> None:
        found.append(threading.current_thread())
        started.set()

    with anyio.fail_after(5):
        await clerk.do(work)
    clerk.dismiss()

    assert found[0].daemon
