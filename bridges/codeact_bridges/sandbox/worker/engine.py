"""What an engine is, inside a worker. Imports nothing of ours."""

import json
from collections.abc import Callable
from typing import Protocol

Ask = Callable[[str, str], str]
"""`(operation, arguments as JSON text) -> answer as JSON text`; raises `Refusal`."""
Print = Callable[[int, str], None]
"""`(channel, text)`: 1 is stdout, 2 is stderr."""


class Refusal(Exception):
    """The host said no; carries the error object as JSON text."""


class GuestTrap(Exception):
    """The guest ended without an outcome; says why."""


def too_long(operation: str, size_bytes: int, limit_bytes: int) -> Refusal:
    """What a guest is told that sends a longer message than is allowed."""
    said = f"{operation}: {size_bytes:,} bytes in one message, over the limit of {limit_bytes:,}"
    return Refusal(json.dumps({"type": "ValueError", "message": f"{said} (setting codeact.limits.message_bytes)"}))


class Engine(Protocol):
    """A sandbox that is made fresh for every run."""

    name: str
    isolation: str
    versions: dict[str, str]
    stack_bytes: int | None
    """The stack of the thread it must run on, or None for the process's main thread."""

    def load(self) -> None:
        """Everything that can be done once. Raises `GuestTrap` where the engine cannot work here."""
        ...

    def fresh(self) -> None:
        """Make a guest that nothing has run in."""
        ...

    def warm_up(self) -> None:
        """What makes the next run quicker and takes too long for one that waits. The guest stays fresh."""
        ...

    def run(self, call: Ask, print_: Print) -> None:
        """One run in the fresh guest. Raises `GuestTrap` when the guest did not return."""
        ...
