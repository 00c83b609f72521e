"""A run's budgets, and its output up to a limit.

Decides only: no clock, no I/O, no event loop.
"""

from dataclasses import dataclass, field
from io import StringIO
from typing import Literal

from codeact_bridges.errors import BudgetSpent
from codeact_bridges.text import cut_text
from codeact_bridges.values import Output, Printed

MAX_PIECES = 10_000


@dataclass(slots=True)
class Budget:
    """Counts one thing of which a run may use `limit`."""

    what: str
    limit: int
    setting: str
    used: int = 0

    def take(self, amount: int = 1) -> None:
        """Use `amount`. Raises `BudgetSpent`, and uses nothing, if less than that is left."""
        if self.used + amount > self.limit:
            raise BudgetSpent(self.what, self.limit, self.setting)
        self.used += amount


@dataclass(slots=True)
class OutputBuffer:
    """Holds the first `limit_bytes` of a run's output, and counts the rest.

    stdout and stderr are told apart in the first `MAX_PIECES` pieces only: a program that alternates between them with
    every letter would cost fifty times the memory of its output.
    """

    limit_bytes: int
    _pieces: list[Printed] = field(default_factory=list[Printed])
    _rest: StringIO = field(default_factory=StringIO)
    """The output after `MAX_PIECES`."""
    _used: int = 0
    _cut: int = 0

    def add(self, stream: Literal["stdout", "stderr"], text: str) -> str:
        """Hold the part of `text` that still fits, and return it."""
        held, cut = cut_text(text, self.limit_bytes - self._used)
        self._cut += cut
        self._used = self.limit_bytes if cut else self._used + len(held.encode())  # nothing follows a cut
        if not held:
            return ""
        if len(self._pieces) >= MAX_PIECES:
            self._rest.write(held)
        elif self._pieces and self._pieces[-1].stream == stream and len(self._pieces[-1].text) < 4_000:
            self._pieces[-1] = Printed(stream, self._pieces[-1].text + held)
        else:
            self._pieces.append(Printed(stream, held))
        return held

    def output(self) -> Output:
        rest = self._rest.getvalue()
        return Output((*self._pieces, *([Printed("stdout", rest)] if rest else [])), self._cut)
