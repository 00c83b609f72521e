"""The size limits of a writable mount: bytes, and files and folders.

Usage is updated with each change and recounted from the folder itself: when a run first writes, after `RECOUNT_AFTER`
changes, and before any refusal. Shared by all runs of this process; each change holds the lock.
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
"""Changes between two recounts, which catch writes by other processes. A recount takes about 2 µs per file."""


@dataclass(frozen=True, slots=True)
class Count:
    """The content of a folder."""

    bytes: int = 0
    entries: int = 0
    """Names: files, folders and everything else."""
    depth: int = 0
    """Levels of folders."""


class CountedFile(Protocol):
    """A file that a run has open. It uses space as long as it is open, even without a name."""

    def key(self) -> tuple[int, int]:
        """The file's identity: device and inode."""
        ...

    def nameless_bytes(self) -> int:
        """The file's size if it has no name left, else 0."""
        ...


class Quota:
    """The usage and limits of one mount."""

    def __init__(self, guest: str, max_bytes: int, max_files: int) -> None:
        self._guest, self._max_bytes, self._max_files = guest, max_bytes, max_files
        self._lock = threading.RLock()
        self._bytes = self._entries = 0
        self._changes = RECOUNT_AFTER
        self._open_files: list[CountedFile] = []

    @contextmanager
    def change(self, count: Callable[[], Count]) -> Generator["Change"]:
        """One change of the content. Its usage is given back when the block fails.

        Args:
            count: counts the folder's real content.
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
                if change.bytes or change.entries:  # the change may be partly done
                    self._changes = RECOUNT_AFTER
                raise

    def expire(self) -> None:
        """Recount at the next change, because people may have changed the folder between two programs."""
        with self._lock:
            self._changes = RECOUNT_AFTER

    def opened(self, file: CountedFile) -> None:
        with self._lock:
            self._open_files.append(file)

    def closing(self, file: CountedFile) -> None:
        """Call this before the file is closed."""
        with self._lock:
            self._open_files.remove(file)
            if not any(other.key() == file.key() for other in self._open_files):
                self._bytes -= file.nameless_bytes()

    def is_open(self, key: tuple[int, int]) -> bool:
        return any(file.key() == key for file in self._open_files)

    def take(self, count: Callable[[], Count], bytes_: int, entries: int) -> None:
        """Add to the usage, or raise `OSError` (`EDQUOT`) above a limit."""
        if not self._has_room(bytes_, entries):
            self._recount(count)
        if entries > 0 and self._entries + entries > self._max_files:
            raise no_room_for_file(self._guest, self._max_files, self._entries)
        if bytes_ > 0 and self._bytes + bytes_ > self._max_bytes:
            raise no_room_for_bytes(self._guest, bytes_, self._max_bytes, self._bytes)
        self._bytes += bytes_
        self._entries += entries

    def _has_room(self, bytes_: int, entries: int) -> bool:
        return (entries <= 0 or self._entries + entries <= self._max_files) and (
            bytes_ <= 0 or self._bytes + bytes_ <= self._max_bytes
        )

    def _recount(self, count: Callable[[], Count]) -> None:
        counted = count()
        nameless = {file.key(): file.nameless_bytes() for file in self._open_files}
        self._bytes, self._entries = counted.bytes + sum(nameless.values()), counted.entries
        self._changes = 0


@dataclass(slots=True)
class Change:
    """The usage that one change has added so far."""

    _quota: Quota
    _count: Callable[[], Count]
    bytes: int = 0
    entries: int = 0

    def take(self, bytes_: int = 0, entries: int = 0) -> None:
        """Add to the usage; negative amounts give back. Raises `OSError` (`EDQUOT`) above a limit."""
        # A recount here cannot double-count this change: its bytes are not on disk yet.
        self._quota.take(self._count, bytes_, entries)
        self.bytes += bytes_
        self.entries += entries


def no_room_for_file(guest: str, max_files: int, entries: int) -> OSError:
    """The error for one file or folder too many under the mount `guest`."""
    limit = f"max_files = {max_files:,}, and it holds {entries:,} files and folders"
    return OSError(errno.EDQUOT, f"no room for another file under {guest}: {limit}")


def no_room_for_bytes(guest: str, more: int, max_bytes: int, used: int) -> OSError:
    """The error for `more` bytes too many under the mount `guest`."""
    limit = f"max_bytes = {max_bytes:,}, and {used:,} are used"
    return OSError(errno.EDQUOT, f"no room for {more:,} more bytes under {guest}: {limit}")


def count(folder: int) -> Count:
    """The content of an open folder, down to twice the depth that a guest may create. Follows no links.

    A file with several names counts once for each.
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
                continue  # removed meanwhile, or not readable: only its name counts
            levels.append((below, os.scandir(below)))
    finally:
        for above, there in levels:
            there.close()
            os.close(above)
    return Count(total, entries, deepest)
