"""How a bridge opens a capability for one run. `runs/guest_host.py` combines the open bridges; the guest calls their
operations by name.

A run's own state (open files, HTTP requests in flight) lives in the block of `open`, which ends with the run.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from codeact_bridges.values import AccessRecord, JsonValue, ProducedFile

Handler: TypeAlias = Callable[[str], Awaitable[str]]
"""Takes an operation's arguments and returns its result, both as JSON text. Raises `BridgeError` for the guest."""


@dataclass(slots=True)
class Usage:
    """What a run used of its bridges. Bridges append to it; `runs/` reads it when the run is over."""

    accesses: list[AccessRecord] = field(default_factory=list[AccessRecord])
    produced: list[ProducedFile] = field(default_factory=list[ProducedFile])


@dataclass(frozen=True, slots=True)
class OpenBridge:
    """A bridge, opened for one run."""

    handlers: Mapping[str, Handler]
    """By operation, such as `files.open`. No two bridges have an operation of the same name."""
    concurrent: frozenset[str] = frozenset()
    """The operations that a guest may have several of in flight (`async.submit`)."""
    init: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    """Sent to the guest at its start."""
    flush: Callable[[], Awaitable[None]] | None = None
    """Brings `Usage` up to date at the end of a program whose guest serves the session's next one (`runs/sessions.py`).
    The end of the block does it too."""


class Bridge(Protocol):
    """A capability that the operator has configured."""

    def open(self, usage: Usage) -> AbstractAsyncContextManager[OpenBridge]:
        """Open the capability for the length of one run."""
        ...
