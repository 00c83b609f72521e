"""Being told what a run does while it does it."""

from typing import Protocol, TypeAlias

from codeact_bridges.values import CallProgress, CallRecord, Printed

RunEvent: TypeAlias = Printed | CallRecord | CallProgress


class RunObserver(Protocol):
    """Must not block, and must not raise."""

    def printed(self, piece: Printed) -> None: ...

    def called(self, call: CallRecord) -> None:
        """A call is over."""
        ...

    def progressed(self, progress: CallProgress) -> None:
        """A call says how far it has come, as often as its server likes."""
        ...


class NullObserver:
    """Watches nothing; what does, overrides what it wants to hear."""

    def printed(self, piece: Printed) -> None:
        """Let it pass."""

    def called(self, call: CallRecord) -> None:
        """Let it pass."""

    def progressed(self, progress: CallProgress) -> None:
        """Let it pass."""
