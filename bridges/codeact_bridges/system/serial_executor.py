"""A thread that runs functions in order: one run's file work, off the event loop.

A thread that hangs in a dead network file system cannot be stopped, so it is abandoned. It is a daemon, so the process
can exit, and only this thread closes its files, so no descriptor is closed while in use.
"""

import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import anyio
import anyio.lowlevel

T = TypeVar("T")


class SerialExecutor:
    """Runs one function at a time, in the order of submission. The thread starts with the first."""

    def __init__(self, at_end: Callable[[], None]) -> None:
        """`at_end` runs last, after `shutdown`."""
        self._at_end = at_end
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._to_loop = _to_loop()

    async def run(self, work: Callable[[], T]) -> T:
        """Run `work` and return its result or raise its exception. Cancelling does not stop `work`."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="codeact-files", daemon=True)
            self._thread.start()
        done = anyio.Event()
        results: list[T] = []
        errors: list[BaseException] = []

        def run_and_report() -> None:
            try:
                results.append(work())
            except BaseException as exc:  # noqa: BLE001  # raised again in the caller
                errors.append(exc)
            with suppress(RuntimeError):  # the event loop is closed, so the caller is gone
                self._to_loop(done.set)

        self._work.put(run_and_report)
        await done.wait()
        if errors:
            raise errors[0]
        return results[0]

    def shutdown(self) -> None:
        """Accept no more work. Work in flight is finished, then `at_end` runs."""
        if self._thread is None:
            self._at_end()
        else:
            self._work.put(None)

    def _serve(self) -> None:
        while (work := self._work.get()) is not None:
            work()
        self._at_end()


def _to_loop() -> Callable[[Callable[[], None]], object]:
    """A function that schedules a callback on this event loop from another thread, for asyncio and Trio."""
    native: Any = anyio.lowlevel.current_token().native_token
    to_loop: Callable[[Callable[[], None]], object]
    to_loop = native.call_soon_threadsafe if hasattr(native, "call_soon_threadsafe") else native.run_sync_soon
    return to_loop
