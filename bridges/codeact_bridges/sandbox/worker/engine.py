"""The port of an engine inside a worker. Imports nothing of ours."""

import json
from collections.abc import Callable
from typing import Protocol

Call = Callable[[str, str], str]
"""A call to the host: `(operation, arguments as JSON text) -> result as JSON text`. Raises `Refusal`."""
Print = Callable[[int, str], None]
"""`(channel, text)`. Channel 1 is stdout, 2 is stderr."""


class Refusal(Exception):
    """The host refused a call. Carries the error object as JSON text."""


class GuestTrap(Exception):
    """The guest ended without an outcome. Carries the reason."""


def too_long(operation: str, size_bytes: int, limit_bytes: int) -> Refusal:
    """The refusal of a message that is longer than allowed."""
    reason = f"{operation}: {size_bytes:,} bytes in one message, over the limit of {limit_bytes:,}"
    return Refusal(json.dumps({"type": "ValueError", "message": f"{reason} (setting codeact.limits.message_bytes)"}))


class Engine(Protocol):
    """A sandbox that gets a fresh guest for every run."""

    name: str
    isolation: str
    versions: dict[str, str]
    stack_bytes: int | None
    """The stack of the thread it must run on, or None for the process's main thread."""

    def load(self) -> None:
        """Do everything that is needed only once. Raises `GuestTrap` if the engine cannot work here."""
        ...

    def fresh(self) -> None:
        """Create a guest in which nothing has run."""
        ...

    def warm_up(self) -> None:
        """Do work that makes the next run faster, but takes too long for a run that waits. The guest stays fresh."""
        ...

    def run(self, call: Call, print_: Print) -> None:
        """Run the guest once. Raises `GuestTrap` if the guest did not return."""
        ...
