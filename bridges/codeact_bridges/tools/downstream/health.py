"""The state of a downstream server, and the backoff between attempts. Pure: no clock, no event loop."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

EAGER_ATTEMPTS = 4
"""Consecutive failures after which we stop reconnecting by ourselves. Then only a call starts an attempt."""

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 60.0
"""The pause doubles from the first to the longest: 0.5, 1, 2, 4 s between our own attempts, then up to a minute between
attempts by calls."""


State: TypeAlias = Literal["idle", "connecting", "ready", "failed", "stopped"]
"""`idle`: not started yet, because no request has needed it (`start = "lazy"`)."""

Circuit: TypeAlias = Literal["closed", "open", "half-open"]
"""Circuit breaker. `closed`: calls pass; `open`: they fail at once; `half-open`: the next call starts an attempt."""


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """A snapshot of a server's state."""

    name: str
    state: State
    reason: str | None = None
    """Why it failed, for a person."""
    retry_in_s: float | None = None
    """If it failed: the time until the next possible attempt."""
    failures: int = 0
    """Consecutive failures."""
    tools: int = 0
    protocol: str | None = None
    """The negotiated version, once known."""
    calls: int = 0
    """Calls in flight."""
    unmatched: tuple[str, ...] = ()
    """Settings of the operator that match none of its tools (`tool_filter`)."""

    @property
    def circuit(self) -> Circuit:
        """What the next call will meet."""
        if self.state != "failed":
            return "closed"
        return "open" if self.retry_in_s else "half-open"


@dataclass(frozen=True, slots=True)
class Backoff:
    """The number of consecutive failures, and the pause that follows from it."""

    failures: int = 0

    def failed(self) -> "Backoff":
        return Backoff(self.failures + 1)

    @property
    def pause_s(self) -> float:
        """The pause before the next attempt. None after a connection that had worked: most such ends are restarts."""
        if self.failures == 0:
            return 0.0
        return min(FIRST_PAUSE_S * 2.0 ** min(self.failures - 1, 16), LONGEST_PAUSE_S)

    @property
    def waits_for_a_call(self) -> bool:
        """Whether only a call starts the next attempt."""
        return self.failures > EAGER_ATTEMPTS
