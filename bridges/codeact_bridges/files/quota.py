"""How much there is under a mount that may be written to, and how much there may be.

Counted as it changes, and against what is really there: when a run first writes, every `RECOUNT_AFTER` changes, and
before anything is refused. Shared by all runs of this process; one change at a time holds the lock.
"""

import errno
import os
import stat
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from codeact_bridges.files.paths import MAX_DEPTH

RECOUNT_AFTER = 10_000
"""Changes. Others write into the folder too; counting it again costs about 2 µs for each file."""


@dataclass(frozen=True, slots=True)
class Count:
    """What is there."""

    bytes: int = 0
    entries: int = 0
    """Files, folders and whatever else has a name."""
    depth: int = 0
    """Levels of folders."""


class Held(Protocol):
    """An open file of ours: it takes room as long as it is open, even without a name."""

    def key(self) -> tuple[int, int]:
        """Which file it is, under whatever name."""
        ...

    def nameless_bytes(self) -> int:
        """Its size if it has lost its last name, else 0."""
        ...


class Quota:
    """What may still be added under one mount."""

    def __init__(self, guest: str, max_bytes: int, max_files: int) -> None:
        self._guest, self._max_bytes, self._max_files = guest, max_bytes, max_files
        self._lock = threading.RLock()
        self._bytes = self._entries = 0
        self._changes = RECOUNT_AFTER
        self._held: list[Held] = []

    @contextmanager
    def change(self, count: Callable[[], Count]) -> Generator["Change"]:
        """One change of what is there. What it took is given back when it fails.

        Args:
            count: looks at what is really there.
        """
        with self._lock:
            self._changes += 1
            if self._changes > RECOUNT_AFTER:
                self._recount(count)
            change = Change(self, count)
            try:
                yield change
            except BaseException:
                self._bytes -= change.bytes
                self._entries -= change.entries
                if change.bytes or change.entries:  # it may have happened in part
                    self._changes = RECOUNT_AFTER
                raise

    def forget(self) -> None:
        """Count again at the next change: a run begins, and people may have been at the folder."""
        with self._lock:
            self._changes = RECOUNT_AFTER

    def opened(self, file: Held) -> None:
        with self._lock:
            self._held.append(file)

    def closing(self, file: Held) -> None:
        """To be called while it is still open."""
        with self._lock:
            self._held.remove(file)
            if not any(other.key() == file.key() for other in self._held):
                self._bytes -= file.nameless_bytes()

    def is_open(self, key: tuple[int, int]) -> bool:
        return any(file.key() == key for file in self._held)

    def take(self, count: Callable[[], Count], bytes_: int, entries: int) -> None:
        """Count it in, or raise `OSError` (`EDQUOT`)."""
        if not self._has_room(bytes_, entries):
            self._recount(count)
        if entries > 0 and self._entries + entries > self._max_files:
            limit = f"max_files = {self._max_files:,}, and there are {self._entries:,} files and folders"
            raise OSError(errno.EDQUOT, f"no room for another file under {self._guest}: {limit}")
        if bytes_ > 0 and self._bytes + bytes_ > self._max_bytes:
            limit = f"max_bytes = {self._max_bytes:,}, and {self._bytes:,} are taken"
            raise OSError(errno.EDQUOT, f"no room for {bytes_:,} more bytes under {self._guest}: {limit}")
        self._bytes += bytes_
        self._entries += entries

    def _has_room(self, bytes_: int, entries: int) -> bool:
        return (entries <= 0 or self._entries + entries <= self._max_files) and (
            bytes_ <= 0 or self._bytes + bytes_ <= self._max_bytes
        )

    def _recount(self, count: Callable[[], Count]) -> None:
        there = count()
        nameless = {file.key(): file.nameless_bytes() for file in self._held}
        self._bytes, self._entries = there.bytes + sum(nameless.values()), there.entries
        self._changes = 0


@dataclass(slots=True)
class Change:
    """What one change has taken so far."""

    _quota: Quota
    _count: Callable[[], Count]
    bytes: int = 0
    entries: int = 0

    def take(self, bytes_: int = 0, entries: int = 0) -> None:
        """Take so much, or give it back where it is negative. Raises `OSError` (`EDQUOT`) where that is not left."""
        # A recount in here sees nothing of what this change took before: it is not there yet.
        self._quota.take(self._count, bytes_, entries)
        self.bytes += bytes_
        self.entries += entries


def count(folder: int) -> Count:
    """What there is below an open folder, down to twice the levels that a guest may make. Follows nothing.

    A file with several names counts for each.
    """
    total = entries = deepest = 0
    levels = [(os.dup(folder), os.scandir(folder))]
    try:
        while levels:
            above, there = levels[-1]
            entry = next(there, None)
            if entry is None:
                there.close()
                os.close(above)
                levels.pop()
                continue
            entries += 1
            try:
                seen = entry.stat(follow_symlinks=False)
                if not stat.S_ISDIR(seen.st_mode):
                    total += seen.st_size if stat.S_ISREG(seen.st_mode) else 0
                    continue
                deepest = max(deepest, len(levels))
                if len(levels) > 2 * MAX_DEPTH:
                    continue
                flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
                below = os.open(entry.name, flags, dir_fd=above)
            except OSError:
                continue  # gone, or not ours to read: its name counts
            levels.append((below, os.scandir(below)))
    finally:
        for above, there in levels:
            there.close()
            os.close(above)
    return Count(total, entries, deepest)
