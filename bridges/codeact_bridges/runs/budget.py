"""What a run may still use, and how much of what it prints is kept.

Decides only: no clock, no I/O, no event loop. `run.py` acts on the answers.
"""

from dataclasses import dataclass, field
from io import StringIO
from typing import Literal

from codeact_bridges.errors import BudgetSpent
from codeact_bridges.text import cut_text
from codeact_bridges.values import Output, Printed, Value, ValueForm

MAX_PIECES = 10_000


@dataclass(slots=True)
class Budget:
    """Counts something that a run may use so much of."""

    what: str
    limit: int
    setting: str
    used: int = 0

    def take(self, amount: int = 1) -> None:
        """Use `amount`, or raise `BudgetSpent` and use nothing if that is more than is left."""
        if self.used + amount > self.limit:
            raise BudgetSpent(self.what, self.limit, self.setting)
        self.used += amount


@dataclass(slots=True)
class OutputBuffer:
    """Keeps the first `limit_bytes` of what is printed, and counts the rest.

    stdout and stderr are told apart in `MAX_PIECES` pieces: a program that changes between them with every letter
    would cost fifty times what it prints.
    """

    limit_bytes: int
    _pieces: list[Printed] = field(default_factory=list[Printed])
    _rest: StringIO = field(default_factory=StringIO)
    """What is printed after `MAX_PIECES`."""
    _used: int = 0
    _cut: int = 0

    def add(self, stream: Literal["stdout", "stderr"], text: str) -> str:
        """Keep what still fits of `text`, and return that."""
        kept, cut = cut_text(text, self.limit_bytes - self._used)
        self._cut += cut
        self._used = self.limit_bytes if cut else self._used + len(kept.encode())  # nothing follows what was cut
        if not kept:
            return ""
        if len(self._pieces) >= MAX_PIECES:
            self._rest.write(kept)
        elif self._pieces and self._pieces[-1].stream == stream and len(self._pieces[-1].text) < 4_000:
            self._pieces[-1] = Printed(stream, self._pieces[-1].text + kept)
        else:
            self._pieces.append(Printed(stream, kept))
        return kept

    def output(self) -> Output:
        rest = self._rest.getvalue()
        return Output((*self._pieces, *([Printed("stdout", rest)] if rest else [])), self._cut)


def cut_value(form: ValueForm, text: str, limit_bytes: int) -> Value:
    """A value's text, within the limit."""
    kept, cut = cut_text(text, limit_bytes)
    return Value(form, kept, cut)
