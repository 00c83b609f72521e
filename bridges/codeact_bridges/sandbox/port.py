"""The ports between a run and its sandbox. `codeact_bridges.testing` has in-memory doubles of both."""

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What a worker reports about itself when it is ready."""

    engine: str
    isolation: str
    """The barrier between the guest and this machine, for people: for example a micro-VM and its hypervisor."""
    versions: dict[str, str] = field(default_factory=dict[str, str])
    hardened: tuple[str, ...] = ()
    """The hardening measures in force."""
    not_hardened: tuple[str, ...] = ()
    """The measures that are not available on this machine, each with the reason."""


class GuestHost(Protocol):
    """Answers the calls of one guest."""

    async def call(self, operation: str, text: str) -> str:
        """Carry out an operation: arguments and result are JSON text. Raises `BridgeError` for the guest to catch."""
        ...

    def printed(self, channel: int, text: str) -> None:
        """Take printed text. `channel` 1 is stdout, 2 is stderr."""
        ...


class Worker(Protocol):
    """One sandbox with a fresh guest in it."""

    @property
    def info(self) -> EngineInfo: ...

    async def run(self, begin: str, host: GuestHost) -> str:
        """Run the guest once and return the outcome that it passed to `run.end`, as JSON text.

        `begin` is the JSON text that answers `run.begin`. Without `renew`, the next run uses the same guest.

        Raises:
            GuestDied: the guest ended before `run.end`. The worker cannot be used any more.
        """
        ...

    async def renew(self) -> None:
        """Replace the guest with a fresh one, after a run that returned. Raises `GuestDied`."""
        ...

    async def aclose(self) -> None:
        """End the worker at once, whatever its guest is doing. Can be called again."""
        ...
