"""How a downstream server is doing, and when to try it again. Pure: no clock, no event loop; `downstream` acts on
it."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

EAGER_ATTEMPTS = 4
"""Failures in a row after which we stop knocking. From then on a server is tried when somebody calls it."""

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 60.0
"""The pause doubles from the first to the longest: 0.5, 1, 2, 4 s on our own account, then up to a minute between
calls that try."""


State: TypeAlias = Literal["idle", "connecting", "ready", "failed", "stopped"]
"""`idle`: not started yet, because nobody has asked for it (`start = "lazy"`)."""

Circuit: TypeAlias = Literal["closed", "open", "half-open"]
"""The circuit breaker: calls pass; they are refused at once; the next call is let through as a trial."""


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """What can be said of a server at one moment."""

    name: str
    state: State
    reason: str | None = None
    """Why it failed, for a reader."""
    retry_in_s: float | None = None
    """When it failed: no attempt is made for this long."""
    failures: int = 0
    """How often it failed in a row."""
    tools: int = 0
    protocol: str | None = None
    """The version it speaks, once known."""
    calls: int = 0
    """Calls under way."""
    unmatched: tuple[str, ...] = ()
    """What the operator says of tools that it does not have (`offer.py`)."""

    @property
    def circuit(self) -> Circuit:
        """What becomes of the next call."""
        if self.state != "failed":
            return "closed"
        return "open" if self.retry_in_s else "half-open"


@dataclass(frozen=True, slots=True)
class Backoff:
    """How often a server failed in a row, and what follows from it."""

    failures: int = 0

    def failed(self) -> "Backoff":
        return Backoff(self.failures + 1)

    @property
    def pause_s(self) -> float:
        """How long to leave it alone. Nothing after a connection that had worked: most deaths are restarts."""
        if self.failures == 0:
            return 0.0
        return min(FIRST_PAUSE_S * 2.0 ** min(self.failures - 1, 16), LONGEST_PAUSE_S)

    @property
    def waits_for_a_call(self) -> bool:
        """Whether the next attempt is somebody's call, not ours."""
        return self.failures > EAGER_ATTEMPTS
