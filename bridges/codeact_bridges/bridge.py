"""How a bridge lends its power to one run. `run.py` puts what is lent together; the guest asks by operation.

State of a run's own (open files, a request under way) lives in the block of `lend`, which ends with the run.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from codeact_bridges.values import AccessRecord, JsonValue, ProducedFile

Handler: TypeAlias = Callable[[str], Awaitable[str]]
"""JSON text of an operation's arguments in, of its result out; raises `BridgeError` for the guest to catch."""


@dataclass(slots=True)
class Usage:
    """What a run used of what it was lent. Bridges write into it; `run.py` reads it when the run is over."""

    accesses: list[AccessRecord] = field(default_factory=list[AccessRecord])
    produced: list[ProducedFile] = field(default_factory=list[ProducedFile])


@dataclass(frozen=True, slots=True)
class OpenBridge:
    """A bridge's power, for one run."""

    handlers: Mapping[str, Handler]
    """By operation, as `files.open`. No other bridge has an operation of the same name."""
    concurrent: frozenset[str] = frozenset()
    """The operations that a guest may have several of under way (`async.submit`)."""
    init: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    """What the guest is told about it when it begins."""
    flush: Callable[[], Awaitable[None]] | None = None
    """Brings the account up to date when a program is over and its guest is kept for the next (`sessions.py`). The end
    of the block does it too."""


class Bridge(Protocol):
    """A capability that the operator has configured."""

    def open(self, usage: Usage) -> AbstractAsyncContextManager[OpenBridge]:
        """The power for the length of one run."""
        ...
