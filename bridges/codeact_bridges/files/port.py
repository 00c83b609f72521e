"""What a mount can do. Everything blocks; everything that cannot be done is an `OSError`.

A path is the names below the mount, none of them empty, `.` or `..`, without `/` and NUL: `paths.py` sees to it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

PathParts: TypeAlias = tuple[str, ...]

EntryKind: TypeAlias = Literal["f", "d", "l", "o"]
"""A file, a folder, a link, something else."""


@dataclass(frozen=True, slots=True)
class OpenMode:
    """In which way a file is opened."""

    reads: bool = True
    writes: bool = False
    appends: bool = False
    creates: bool = False
    exclusively: bool = False
    truncates: bool = False


@dataclass(frozen=True, slots=True)
class FileStat:
    """What `stat` tells, without whose the file is."""

    mode: int
    device: int
    inode: int
    links: int
    size: int
    accessed_ns: int
    modified_ns: int
    changed_ns: int


class OpenFile(Protocol):
    """An open file. It knows no position: every access names one."""

    def read(self, at: int, length: int) -> bytes:
        """The bytes from `at`: fewer than `length` only where the file ends."""
        ...

    def write(self, at: int | None, data: bytes) -> int:
        """Write all of `data` at `at`, or at the end; returns where that ends."""
        ...

    def truncate(self, size: int) -> None: ...

    def facts(self) -> FileStat: ...

    def close(self) -> None:
        """Any number of times."""
        ...


class Folder(Protocol):
    """A mount's content."""

    def open(self, parts: PathParts, how: OpenMode) -> tuple[OpenFile, bool]:
        """The file, and whether it was made by this."""
        ...

    def facts(self, parts: PathParts, *, follow: bool) -> FileStat:
        """Of what is there, or of the link itself."""
        ...

    def list(self, parts: PathParts) -> Iterator[tuple[str, EntryKind]]: ...

    def make_folder(self, parts: PathParts) -> None: ...

    def remove_folder(self, parts: PathParts) -> None: ...

    def remove(self, parts: PathParts) -> None: ...

    def rename(self, source: PathParts, target: PathParts) -> None:
        """As POSIX has it: an existing target of the same kind is replaced."""
        ...

    def set_times(self, parts: PathParts, accessed_ns: int, modified_ns: int) -> None: ...

    def read_link(self, parts: PathParts) -> str: ...

    def close(self) -> None:
        """Any number of times. Files that are open stay so."""
        ...
