"""A deadline that stands still while a run waits for a person, a bound that does not, and a stop from outside."""

import math
from collections.abc import Generator
from contextlib import contextmanager
from typing import Literal

import anyio


class Deadline:
    """Ends one block: after the guest's own time is up, after a time in all, or when `stop` is called."""

    def __init__(self) -> None:
        self.ended_by: Literal["own", "total", "stop"] | None = None
        """What ended the block, if not its own end."""
        self._before = anyio.CancelScope()
        self._own = anyio.CancelScope()
        self._begun = False
        self._stopped = False
        self._pauses = 0
        self._waits = 0
        self._left_s: float | None = None
        """What is left of the guest's own time while the deadline stands still."""

    def stop(self) -> None:
        """End the block, or keep it from beginning."""
        self._stopped = True
        self._own.cancel()
        if not self._begun:
            self._before.cancel()

    @contextmanager
    def before(self) -> Generator[None]:
        """Around all that comes before the block: a `stop` that comes too early for the block ends this."""
        with self._before:
            yield

    @contextmanager
    def running(self, own_s: float, total_s: float) -> Generator[None]:
        """The block that ends: `own_s` without the time it stood still, `total_s` with it."""
        self._begun = True
        now = anyio.current_time()
        with anyio.CancelScope(deadline=now + total_s) as total, self._own:
            self._own.deadline = now + own_s
            yield
        if self._own.cancelled_caught:
            self.ended_by = "stop" if self._stopped else "own"
        elif total.cancelled_caught:
            self.ended_by = "total"

    @contextmanager
    def paused(self) -> Generator[None]:
        """Something is under way that is not the guest's to answer for: a person is asked. Several may overlap."""
        self._pauses += 1
        self._stand_still_or_go_on()
        try:
            yield
        finally:
            self._pauses -= 1
            self._stand_still_or_go_on()

    @contextmanager
    def blocked_on_host(self) -> Generator[None]:
        """The guest waits for an answer of ours. While it computes, its time counts whoever is asked meanwhile."""
        self._waits += 1
        self._stand_still_or_go_on()
        try:
            yield
        finally:
            self._waits -= 1
            self._stand_still_or_go_on()

    def _stand_still_or_go_on(self) -> None:
        if self._pauses and self._waits:
            if self._left_s is None:
                self._left_s = self._own.deadline - anyio.current_time()
                self._own.deadline = math.inf
        elif self._left_s is not None:
            self._own.deadline = anyio.current_time() + self._left_s
            self._left_s = None
