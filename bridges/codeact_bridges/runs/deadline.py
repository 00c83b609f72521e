"""A run's deadline: it pauses while the run waits for a person, has a bound that never pauses, and can be stopped."""

import math
from collections.abc import Generator
from contextlib import contextmanager
from typing import Literal, TypeAlias

import anyio

EndedBy: TypeAlias = Literal["guest time", "wall time", "stop"]


class Deadline:
    """Ends one block: after the guest's own time, after a time in all, or when `stop` is called."""

    def __init__(self) -> None:
        self.ended_by: EndedBy | None = None
        """What ended the block before its own end."""
        self._before = anyio.CancelScope()
        self._guest_time = anyio.CancelScope()
        self._started = False
        self._stopped = False
        self._pauses = 0
        self._blocking_requests = 0
        self._left_s: float | None = None
        """The guest's time that is left, while the deadline is paused."""

    @property
    def is_stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stopped

    def stop(self) -> None:
        """End the block, or prevent it from starting."""
        self._stopped = True
        self._guest_time.cancel()
        if not self._started:
            self._before.cancel()

    @contextmanager
    def before(self) -> Generator[anyio.CancelScope]:
        """Surround everything that comes before the block. A `stop` that is too early for the block ends this one."""
        with self._before:
            yield self._before

    @contextmanager
    def running(self, guest_s: float, wall_s: float) -> Generator[None]:
        """Run the block for at most `guest_s` seconds without pauses, and `wall_s` seconds with them."""
        self._started = True
        now = anyio.current_time()
        with anyio.CancelScope(deadline=now + wall_s) as wall_time, self._guest_time:
            self._guest_time.deadline = now + guest_s
            yield
        if self._guest_time.cancelled_caught:
            self.ended_by = "stop" if self._stopped else "guest time"
        elif wall_time.cancelled_caught:
            self.ended_by = "wall time"

    @contextmanager
    def paused(self) -> Generator[None]:
        """Do not count this time, as far as the guest is blocked meanwhile. Blocks may overlap."""
        self._pauses += 1
        self._pause_or_resume()
        try:
            yield
        finally:
            self._pauses -= 1
            self._pause_or_resume()

    @contextmanager
    def blocked_on_host(self) -> Generator[None]:
        """Mark a blocking request of the guest. The deadline pauses only while the guest is blocked *and* `paused`."""
        self._blocking_requests += 1
        self._pause_or_resume()
        try:
            yield
        finally:
            self._blocking_requests -= 1
            self._pause_or_resume()

    def _pause_or_resume(self) -> None:
        if self._pauses and self._blocking_requests:
            if self._left_s is None:
                self._left_s = self._guest_time.deadline - anyio.current_time()
                self._guest_time.deadline = math.inf
        elif self._left_s is not None:
            self._guest_time.deadline = anyio.current_time() + self._left_s
            self._left_s = None
