"""The thread for file work: off the event loop, in order, abandoned when it hangs."""

import threading

import anyio
import anyio.to_thread
import pytest

from codeact_bridges.system.serial_executor import SerialExecutor


async def test_work_runs_in_one_other_thread() -> None:
    threads: list[int] = []
    executor = SerialExecutor(at_end=lambda: None)

    with anyio.fail_after(5):
        for _ in range(3):
            await executor.run(lambda: threads.append(threading.get_ident()))
    executor.shutdown()

    assert len(set(threads)) == 1
    assert threading.get_ident() not in threads


async def test_an_exception_of_the_work_is_raised_in_the_caller() -> None:
    executor = SerialExecutor(at_end=lambda: None)

    with anyio.fail_after(5), pytest.raises(ZeroDivisionError):
        await executor.run(lambda: 1 / 0)
    executor.shutdown()


async def test_a_hanging_file_system_blocks_neither_the_event_loop_nor_cancellation() -> None:
    answers, closed = threading.Event(), threading.Event()
    executor = SerialExecutor(at_end=closed.set)

    with anyio.fail_after(5):
        with anyio.move_on_after(0.05) as scope:
            await executor.run(answers.wait)
        assert scope.cancelled_caught
        executor.shutdown()
        assert not closed.is_set(), "the hanging thread still uses its files"

        answers.set()
        assert await anyio.to_thread.run_sync(closed.wait, 4)


async def test_an_unused_executor_cleans_up_at_once() -> None:
    closed = threading.Event()

    SerialExecutor(at_end=closed.set).shutdown()

    assert closed.is_set()


async def test_a_hanging_thread_does_not_keep_the_process_alive() -> None:
    started = threading.Event()
    found: list[threading.Thread] = []
    executor = SerialExecutor(at_end=lambda: None)

    def work() -> None:
        found.append(threading.current_thread())
        started.set()

    with anyio.fail_after(5):
        await executor.run(work)
    executor.shutdown()

    assert found[0].daemon
