"""A thread that does one run's file work, so that no disk, however slow, holds up the event loop.

A thread that hangs in a dead network file system cannot be ended. It is then left behind: it is a daemon, so the
process can end; what it has open stays its own, so no descriptor is closed under its hands.
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
    """Does one thing at a time, in the order of asking. Its thread starts with the first."""

    def __init__(self, at_end: Callable[[], None]) -> None:
        """`at_end` is done last of all, after `dismiss`."""
        self._at_end = at_end
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._to_loop = _to_loop()

    async def do(self, work: Callable[[], T]) -> T:
        """The result of `work`, or what it raised. Cancelling this leaves the work to itself."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name="codeact-files", daemon=True)
            self._thread.start()
        done = anyio.Event()
        results: list[T] = []
        errors: list[BaseException] = []

        def carry_out() -> None:
            try:
                results.append(work())
            except BaseException as exc:  # noqa: BLE001  # raised again where it was asked for
                errors.append(exc)
            with suppress(RuntimeError):  # the event loop is gone, and nobody waits
                self._to_loop(done.set)

        self._work.put(carry_out)
        await done.wait()
        if errors:
            raise errors[0]
        return results[0]

    def dismiss(self) -> None:
        """No more work: what is under way is finished, then `at_end` is done."""
        if self._thread is None:
            self._at_end()
        else:
            self._work.put(None)

    def _serve(self) -> None:
        while (work := self._work.get()) is not None:
            work()
        self._at_end()


def _to_loop() -> Callable[[Callable[[], None]], object]:
    """How another thread reaches the event loop that runs here. Trio calls it differently."""
    native: Any = anyio.lowlevel.current_token().native_token
    to_loop: Callable[[Callable[[], None]], object]
    to_loop = native.call_soon_threadsafe if hasattr(native, "call_soon_threadsafe") else native.run_sync_soon
    return to_loop
