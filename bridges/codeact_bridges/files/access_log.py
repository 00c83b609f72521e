"""One record for each file that a run opened and each question it asked about one, up to a limit."""

import time
from dataclasses import dataclass
from typing import Literal, TypeAlias

from codeact_bridges.values import AccessRecord

MAX_ALLOWED = 1_000
MAX_DENIED = 200
"""Records of each kind; the rest is summed up in one. Counted apart, so that no flood of the one hides the other."""

MAX_PATH_CHARS = 300

Decision: TypeAlias = Literal["allow", "deny"]


@dataclass(slots=True)
class AccessEntry:
    """One access that may still go on."""

    what: str
    decision: Decision
    rule: str
    at_s: float
    bytes: int = 0
    duration_s: float = 0.0
    accesses: int = 1
    kept: bool = True
    """Whether it will be told."""


class AccessLog:
    """Those of one program."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._records: dict[Decision, list[AccessEntry]] = {"allow": [], "deny": []}
        self._beyond: dict[Decision, AccessEntry] = {}

    def add(self, what: str, decision: Decision, rule: str, began: float, bytes_: int = 0) -> AccessEntry:
        """A new record. Where there is no room for it, the one that sums up such."""
        records = self._records[decision]
        if len(records) < (MAX_ALLOWED if decision == "allow" else MAX_DENIED):
            record = AccessEntry(what, decision, rule, began, bytes_, time.monotonic() - began)
            records.append(record)
            return record
        beyond = self._beyond.setdefault(decision, AccessEntry("", decision, "", began, accesses=0))
        beyond.accesses += 1
        beyond.bytes += bytes_
        beyond.what = f"{beyond.accesses:,} more accesses"
        return beyond

    def more(self, record: AccessEntry, bytes_: int, began: float) -> AccessEntry:
        """So many more bytes went through its file: returns the record in which that stands."""
        if not record.kept:  # it was told when an earlier program of the session ended
            return self.add(record.what, record.decision, record.rule, began, bytes_)
        record.bytes += bytes_
        record.duration_s += time.monotonic() - began
        return record

    def told(self) -> list[AccessRecord]:
        """Everything so far, in the order in which it began; what follows is counted anew."""
        records = [*self._records["allow"], *self._records["deny"], *self._beyond.values()]
        self._begin()
        for record in records:
            record.kept = False
        records.sort(key=lambda record: record.at_s)
        return [
            AccessRecord(each.what, each.decision, each.rule, each.bytes, each.at_s, each.duration_s)
            for each in records
        ]


def shown(path: str) -> str:
    """A guest's path on one line, whatever is in it."""
    cut = path if len(path) <= MAX_PATH_CHARS else path[:MAX_PATH_CHARS] + "…"
    if cut.isprintable():
        return cut
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in cut)
