"""The port of a mount's content.

Every method blocks, except `read_without_blocking`, and raises `OSError` when it fails. A path is the tuple of names
below the mount. No name is empty, `.` or `..`, or contains `/` or NUL: `paths.py` ensures it.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from codeact_bridges.files.paths import PathParts

EntryKind: TypeAlias = Literal["f", "d", "l", "o"]
"""A file, a folder, a symbolic link, anything else."""


class WouldBlock(Exception):
    """The answer may need a disk or a network. Repeat the call on a thread that may wait."""


@dataclass(frozen=True, slots=True)
class OpenMode:
    """How a file is opened."""

    reads: bool = True
    writes: bool = False
    appends: bool = False
    creates: bool = False
    exclusively: bool = False
    truncates: bool = False

    @property
    def changes(self) -> bool:
        """Whether opening or using the file can change the folder."""
        return self.writes or self.creates or self.truncates


@dataclass(frozen=True, slots=True)
class FileStat:
    """`stat` fields shown to the guest. uid and gid are withheld."""

    mode: int
    device: int
    inode: int
    links: int
    size: int
    accessed_ns: int
    modified_ns: int
    changed_ns: int


class OpenFile(Protocol):
    """An open file. It has no position: every access names an offset."""

    def read(self, at: int, length: int) -> bytes:
        """The bytes from `at`. Fewer than `length` only at the end of the file."""
        ...

    def write(self, at: int | None, data: bytes) -> int:
        """Write all of `data` at `at`, or at the end for None. Returns the offset behind it."""
        ...

    def truncate(self, size: int) -> None: ...

    def stat(self) -> FileStat: ...

    def close(self) -> None:
        """Idempotent."""
        ...


class Folder(Protocol):
    """A mount's content."""

    def open(self, parts: PathParts, mode: OpenMode) -> tuple[OpenFile, bool]:
        """The file, and whether this call created it."""
        ...

    def stat(self, parts: PathParts, *, follow: bool) -> FileStat:
        """The entry at `parts`. Without `follow`, a symbolic link itself."""
        ...

    def read_without_blocking(self, parts: PathParts, length: int | None = None) -> tuple[FileStat, bytes]:
        """The entry at `parts` and, with `length`, all bytes of a regular file shorter than that.

        May be called on the event loop, while another thread uses the folder.

        Raises:
            WouldBlock: this may have to wait, or the file has `length` bytes or more.
            OSError: as `stat` and `open`.
        """
        ...

    def list(self, parts: PathParts) -> Iterator[tuple[str, EntryKind]]: ...

    def make_folder(self, parts: PathParts) -> None: ...

    def remove_folder(self, parts: PathParts) -> None: ...

    def remove(self, parts: PathParts) -> None: ...

    def rename(self, source: PathParts, target: PathParts) -> None:
        """As in POSIX: an existing target of the same kind is replaced."""
        ...

    def set_times(self, parts: PathParts, accessed_ns: int, modified_ns: int) -> None: ...

    def read_link(self, parts: PathParts) -> str: ...

    def close(self) -> None:
        """Idempotent. Open files stay open."""
        ...


def os_error(number: int) -> OSError:
    """The system's own error for this number."""
    return OSError(number, os.strerror(number))
