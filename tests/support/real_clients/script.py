"""What the scripted model lets a client do, and where a conversation stands in it. Pure.

The model has no state of its own: every request of a client brings the whole conversation, and the results in it say
which step comes next. A result that names the handle of a run belongs to the same step as the one after it.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

TOOL = "execute_code"
MAX_TURNS = 30
"""For one step. A run that has not ended by then never does."""

_HANDLE = re.compile(r'\brun="([^"]+)"')
"""As the answer of a run that goes on says how to wait for it."""


@dataclass(frozen=True, slots=True)
class Step:
    """One program."""

    name: str
    code: str
    shows: tuple[str, ...] = ()
    """Patterns that its results must match. They hold what the program computes, never what stands in its code: some
    clients repeat the arguments of a call that failed."""

    fails: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """Where a conversation stands: the step, and the handle of the run that it waits for."""

    step: int
    handle: str | None = None
    turns: int = 0
    """Results that the step has had already."""


def turns(results: Iterable[str], steps: int) -> list[Turn]:
    """The turn that each result came from and, as the last one, the one to come: `step == steps` when all is done."""
    found = [Turn(0)]
    for text in results:
        now = found[-1]
        handles = _HANDLE.findall(text)
        if now.step >= steps:
            found.append(now)
        elif handles and now.turns < MAX_TURNS:
            found.append(Turn(now.step, handles[-1], now.turns + 1))
        else:
            found.append(Turn(now.step + 1))
    return found


def arguments(steps: Sequence[Step], turn: Turn) -> dict[str, str]:
    """The arguments of `execute_code` for a turn."""
    return {"run": turn.handle} if turn.handle is not None else {"code": steps[turn.step].code}
