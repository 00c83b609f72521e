"""The access log of one run: a record for each file that it opened and each other use of a path, up to a limit."""

import time
from dataclasses import dataclass
from typing import Literal, TypeAlias

from codeact_bridges.text import cut, escaped
from codeact_bridges.values import AccessRecord

MAX_ALLOWED = 1_000
MAX_DENIED = 200
"""Records of each decision. One more record sums up the rest. Counted separately, so that a flood of one decision
cannot hide the other."""

MAX_PATH_CHARS = 300

Decision: TypeAlias = Literal["allow", "deny"]


@dataclass(slots=True)
class AccessEntry:
    """One access, which may still be in progress."""

    what: str
    decision: Decision
    rule: str
    at_s: float
    bytes: int = 0
    duration_s: float = 0.0
    accesses: int = 1
    drained: bool = False
    """Whether it was given out by `drain`, so that later bytes need a new record."""


class AccessLog:
    """The records of one program. A session's next program starts with an empty log."""

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self._entries: dict[Decision, list[AccessEntry]] = {"allow": [], "deny": []}
        self._overflow: dict[Decision, AccessEntry] = {}

    def add(self, what: str, decision: Decision, rule: str, started: float, bytes_: int = 0) -> AccessEntry:
        """Add a record and return it; above the limit, the record that sums up the rest."""
        entries = self._entries[decision]
        if len(entries) < (MAX_ALLOWED if decision == "allow" else MAX_DENIED):
            entry = AccessEntry(what, decision, rule, started, bytes_, time.monotonic() - started)
            entries.append(entry)
            return entry
        rest = self._overflow.setdefault(decision, AccessEntry("", decision, "", started, accesses=0))
        rest.accesses += 1
        rest.bytes += bytes_
        rest.what = f"{rest.accesses:,} more accesses"
        return rest

    def add_bytes(self, entry: AccessEntry, bytes_: int, started: float) -> AccessEntry:
        """Count more bytes of an open file. Returns the record that counts them."""
        if entry.drained:  # an earlier program of the session opened the file
            return self.add(entry.what, entry.decision, entry.rule, started, bytes_)
        entry.bytes += bytes_
        entry.duration_s += time.monotonic() - started
        return entry

    def drain(self) -> list[AccessRecord]:
        """All records so far, by the time at which the access started. Empties the log."""
        entries = [*self._entries["allow"], *self._entries["deny"], *self._overflow.values()]
        self._clear()
        for entry in entries:
            entry.drained = True
        entries.sort(key=lambda entry: entry.at_s)
        return [
            AccessRecord(each.what, each.decision, each.rule, each.bytes, each.at_s, each.duration_s)
            for each in entries
        ]


def shown(path: str) -> str:
    """A guest's path as one bounded line."""
    return escaped(cut(path, MAX_PATH_CHARS + 1))
