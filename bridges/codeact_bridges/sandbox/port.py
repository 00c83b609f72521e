"""What a run needs of a sandbox, and what a sandbox needs of a run. `testing.py` has in-memory ones of both."""

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What a worker says of itself when it is ready."""

    engine: str
    isolation: str
    """What stands between the guest and this machine, in words that are true."""
    versions: dict[str, str] = field(default_factory=dict[str, str])
    hardened: tuple[str, ...] = ()
    """What the worker has given up."""
    not_hardened: tuple[str, ...] = ()
    """What it could not give up on this machine, with the reason."""


class GuestHost(Protocol):
    """Answers one guest."""

    async def call(self, operation: str, text: str) -> str:
        """JSON text for the operation's arguments as JSON text. Raises `BridgeError` for the guest to catch."""
        ...

    def printed(self, channel: int, text: str) -> None:
        """Take printed text: 1 is stdout, 2 is stderr."""
        ...


class Worker(Protocol):
    """One sandbox with a fresh guest in it."""

    @property
    def info(self) -> EngineInfo: ...

    async def run(self, begin: str, host: GuestHost) -> str:
        """Let the guest run once; returns what it gave to `run.end`, as JSON text. A second run is in the same guest.

        Raises:
            GuestDied: it did not get there. The worker is of no more use.
        """
        ...

    async def renew(self) -> None:
        """Replace the guest by a fresh one, after a run that returned. Raises `GuestDied`."""
        ...

    async def aclose(self) -> None:
        """End the worker at once, whatever its guest is doing. Any number of times."""
        ...
