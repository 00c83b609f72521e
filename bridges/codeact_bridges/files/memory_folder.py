"""A folder in memory, private to one run. Behaves as `disk_folder.py`, without links and special files."""

import errno
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import TypeAlias

from codeact_bridges.files.paths import PathParts, check_new
from codeact_bridges.files.port import EntryKind, FileStat, OpenFile, OpenMode, WouldBlock, os_error
from codeact_bridges.files.quota import no_room_for_bytes, no_room_for_file

_numbers = count(1)


@dataclass(slots=True)
class _Content:
    """A file's content, which exists as long as it has a name or is open."""

    data: bytearray = field(default_factory=bytearray)
    names: int = 1
    opened: int = 0
    number: int = field(default_factory=lambda: next(_numbers))
    accessed_ns: int = field(default_factory=time.time_ns)
    modified_ns: int = field(default_factory=time.time_ns)


@dataclass(slots=True)
class _Names:
    """A folder."""

    entries: "dict[str, _Node]" = field(default_factory=dict[str, "_Node"])
    number: int = field(default_factory=lambda: next(_numbers))
    accessed_ns: int = field(default_factory=time.time_ns)
    modified_ns: int = field(default_factory=time.time_ns)

    def depth(self) -> int:
        """Levels of folders below this one."""
        below = [entry.depth() + 1 for entry in self.entries.values() if isinstance(entry, _Names)]
        return max(below, default=0)


_Node: TypeAlias = _Content | _Names


class MemoryFolder:
    """See `port.Folder`."""

    def __init__(self, guest: str, max_bytes: int, max_files: int) -> None:
        self._guest, self._max_bytes, self._max_files = guest, max_bytes, max_files
        self._root = _Names()
        self._bytes = self._entries = 0

    def open(self, parts: PathParts, mode: OpenMode) -> tuple[OpenFile, bool]:
        above = self._above(parts)
        node = above.entries.get(parts[-1])
        created = node is None
        if node is None:
            if not mode.creates:
                raise os_error(errno.ENOENT)
            check_new(parts)
            self.take(entries=1)
            node = above.entries[parts[-1]] = _Content()
            above.modified_ns = time.time_ns()
        elif isinstance(node, _Names):
            raise os_error(errno.EEXIST if mode.exclusively else errno.EISDIR)
        elif mode.creates and mode.exclusively:
            raise os_error(errno.EEXIST)
        file = _File(self, node, appends=mode.appends)
        if mode.truncates:
            file.truncate(0)
        return file, created

    def stat(self, parts: PathParts, *, follow: bool) -> FileStat:
        return file_stat(self._node(parts))

    def read_without_blocking(self, parts: PathParts, length: int | None = None) -> tuple[FileStat, bytes]:
        raise WouldBlock  # the run's thread may be changing it

    def list(self, parts: PathParts) -> Iterator[tuple[str, EntryKind]]:
        for name, node in list(self._folder(parts).entries.items()):
            yield name, "d" if isinstance(node, _Names) else "f"

    def make_folder(self, parts: PathParts) -> None:
        above = self._above(parts)
        check_new(parts)
        if parts[-1] in above.entries:
            raise os_error(errno.EEXIST)
        self.take(entries=1)
        above.entries[parts[-1]] = _Names()
        above.modified_ns = time.time_ns()

    def remove_folder(self, parts: PathParts) -> None:
        above = self._above(parts)
        if self._folder(parts).entries:
            raise os_error(errno.ENOTEMPTY)
        self._forget(above, parts[-1])

    def remove(self, parts: PathParts) -> None:
        above = self._above(parts)
        if isinstance(self._node(parts), _Names):
            raise os_error(errno.EISDIR)
        self._forget(above, parts[-1])

    def rename(self, source: PathParts, target: PathParts) -> None:
        below, above = self._above(source), self._above(target)
        node = self._node(source)
        check_new(target)
        if isinstance(node, _Names):
            if target[: len(source)] == source and target != source:
                raise OSError(errno.EINVAL, "a folder cannot be moved into itself")
            check_new((*target, *["x"] * node.depth()))
        victim = above.entries.get(target[-1])
        if victim is node:
            return
        if isinstance(victim, _Names):
            if not isinstance(node, _Names):
                raise os_error(errno.EISDIR)
            if victim.entries:
                raise os_error(errno.ENOTEMPTY)
        elif victim is not None and isinstance(node, _Names):
            raise os_error(errno.ENOTDIR)
        if victim is not None:
            self._forget(above, target[-1])
        del below.entries[source[-1]]
        above.entries[target[-1]] = node
        below.modified_ns = above.modified_ns = time.time_ns()

    def set_times(self, parts: PathParts, accessed_ns: int, modified_ns: int) -> None:
        node = self._node(parts)
        node.accessed_ns, node.modified_ns = accessed_ns, modified_ns

    def read_link(self, parts: PathParts) -> str:
        self._node(parts)
        raise os_error(errno.EINVAL)

    def close(self) -> None:
        self._root = _Names()

    def take(self, bytes_: int = 0, entries: int = 0) -> None:
        """Count new bytes and entries, or raise `OSError` (`EDQUOT`) above a limit."""
        if entries > 0 and self._entries + entries > self._max_files:
            raise no_room_for_file(self._guest, self._max_files, self._entries)
        if bytes_ > 0 and self._bytes + bytes_ > self._max_bytes:
            raise no_room_for_bytes(self._guest, bytes_, self._max_bytes, self._bytes)
        self._bytes += bytes_
        self._entries += entries

    def release(self, content: _Content) -> None:
        """Free the bytes once the content has no name and is not open."""
        if content.names == content.opened == 0:
            self._bytes -= len(content.data)
            content.data = bytearray()

    def _forget(self, above: _Names, name: str) -> None:
        node = above.entries.pop(name)
        above.modified_ns = time.time_ns()
        self._entries -= 1
        if isinstance(node, _Content):
            node.names = 0
            self.release(node)

    def _node(self, parts: PathParts) -> _Node:
        return self._folder(parts[:-1]).entries.get(parts[-1]) or _missing() if parts else self._root

    def _folder(self, parts: PathParts) -> _Names:
        node: _Node = self._root
        for name in parts:
            if not isinstance(node, _Names):
                raise os_error(errno.ENOTDIR)
            node = node.entries.get(name) or _missing()
        if not isinstance(node, _Names):
            raise os_error(errno.ENOTDIR)
        return node

    def _above(self, parts: PathParts) -> _Names:
        if not parts:
            raise OSError(errno.EBUSY, "the mounted folder itself cannot be changed")
        return self._folder(parts[:-1])


class _File:
    """See `port.OpenFile`."""

    def __init__(self, folder: MemoryFolder, content: _Content, *, appends: bool) -> None:
        self._folder, self._appends = folder, appends
        self._content: _Content | None = content
        content.opened += 1

    def read(self, at: int, length: int) -> bytes:
        return bytes(self._checked().data[at : at + length])

    def write(self, at: int | None, data: bytes) -> int:
        content = self._checked()
        size = len(content.data)
        start = size if at is None or self._appends else at
        end = start + len(data)
        if not data:
            return end
        self._folder.take(max(0, end - size))
        if start > size:
            content.data.extend(bytes(start - size))
        content.data[start:end] = data
        content.modified_ns = time.time_ns()
        return end

    def truncate(self, size: int) -> None:
        content = self._checked()
        growth = size - len(content.data)
        self._folder.take(growth)
        if growth > 0:
            content.data.extend(bytes(growth))
        else:
            del content.data[size:]
        content.modified_ns = time.time_ns()

    def stat(self) -> FileStat:
        return file_stat(self._checked())

    def close(self) -> None:
        content, self._content = self._content, None
        if content is not None:
            content.opened -= 1
            self._folder.release(content)

    def _checked(self) -> _Content:
        if self._content is None:
            raise os_error(errno.EBADF)
        return self._content


def file_stat(node: _Node) -> FileStat:
    """The `stat` fields."""
    times = node.accessed_ns, node.modified_ns, node.modified_ns
    if isinstance(node, _Names):
        return FileStat(stat.S_IFDIR | 0o755, 0, node.number, 2, 0, *times)
    return FileStat(stat.S_IFREG | 0o644, 0, node.number, node.names, len(node.data), *times)


def _missing() -> _Node:
    raise os_error(errno.ENOENT)
