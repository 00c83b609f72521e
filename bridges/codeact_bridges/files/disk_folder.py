"""A folder of this machine, as a mount. POSIX only.

Every file is first examined through an `O_PATH` descriptor, which does not open it, so that no device, FIFO or socket
is ever opened. Reading follows symbolic links that stay below the mount. Changes follow none, and refuse files with
more than one hard link, because another link may be outside.
"""

import errno
import os
import stat
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from codeact_bridges.files.paths import MAX_DEPTH, PathParts, check_new
from codeact_bridges.files.port import EntryKind, FileStat, OpenFile, OpenMode, WouldBlock, os_error
from codeact_bridges.files.quota import Change, Count, Quota, count
from codeact_bridges.files.safe_open import (
    ALWAYS,
    O_PATH,
    is_local,
    not_followed,
    open_beneath,
    place_without_blocking,
)

_MAX_TRIES = 8
"""How often opening is retried because the file was created or removed meanwhile."""


class DiskFolder:
    """See `port.Folder`."""

    def __init__(self, path: Path, quota: Quota | None) -> None:
        """`path` is absolute and has no symbolic links; `quota` is for a writable folder.

        Raises:
            OSError: the folder does not exist.
        """
        self._quota = quota
        top = os.open(path.anchor, O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            # The configured path was resolved at start, so a link in it is newer and not the operator's.
            self._root: int | None = open_beneath(top, path.parts[1:], O_PATH | os.O_DIRECTORY, follow=False)
        finally:
            os.close(top)
        self._is_local = is_local(self._root)

    def open(self, parts: PathParts, mode: OpenMode) -> tuple[OpenFile, bool]:
        if not mode.changes:
            # With the quota too: an open file uses space, even after its name is removed.
            return _File(self._descriptor(parts, os.O_RDONLY, follow=True), self._quota, self._change), False
        if not parts:
            raise os_error(errno.EISDIR)
        for _ in range(_MAX_TRIES):
            try:
                opened = self._existing(parts, mode)
            except FileNotFoundError:
                if not mode.creates:
                    raise
            else:
                return opened, False
            with suppress(FileExistsError):  # created by another process meanwhile
                return self._new(parts, mode), True
        raise OSError(errno.EAGAIN, "the file keeps being created and removed by others")

    def stat(self, parts: PathParts, *, follow: bool) -> FileStat:
        if follow or not parts:
            with self._place(parts, follow=True) as place:
                return file_stat(os.fstat(place))
        with self._place(parts[:-1], follow=True, folder=True) as above:
            return file_stat(os.stat(parts[-1], dir_fd=above, follow_symlinks=False))

    def read_without_blocking(self, parts: PathParts, length: int | None = None) -> tuple[FileStat, bytes]:
        if self._root is None or not self._is_local:
            raise WouldBlock
        place = place_without_blocking(self._root, parts)
        try:
            seen = os.fstat(place)
            if length is None:
                return file_stat(seen), b""
            _check_regular(seen)
            if seen.st_size >= length:
                raise WouldBlock
            return file_stat(seen), _in_memory(place, seen.st_size)
        finally:
            os.close(place)

    def list(self, parts: PathParts) -> Iterator[tuple[str, EntryKind]]:
        descriptor = open_beneath(self._opened_root(), parts, os.O_RDONLY | os.O_DIRECTORY, follow=True)
        try:
            with os.scandir(descriptor) as entries:
                for entry in entries:
                    if _is_utf8(entry.name):
                        yield entry.name, _kind_of(entry)
        finally:
            os.close(descriptor)

    def make_folder(self, parts: PathParts) -> None:
        check_new(_named(parts))
        with self._change() as change, self._above(parts) as above:
            _raise_if_exists(parts[-1], above)
            change.take(entries=1)
            os.mkdir(parts[-1], dir_fd=above)

    def remove_folder(self, parts: PathParts) -> None:
        with self._change() as change, self._above(_named(parts)) as above:
            os.rmdir(parts[-1], dir_fd=above)
            change.take(entries=-1)

    def remove(self, parts: PathParts) -> None:
        with self._change() as change, self._above(_named(parts)) as above:
            victim = os.stat(parts[-1], dir_fd=above, follow_symlinks=False)
            if stat.S_ISDIR(victim.st_mode):
                raise os_error(errno.EISDIR)
            os.unlink(parts[-1], dir_fd=above)
            self._removed(change, victim)

    def rename(self, source: PathParts, target: PathParts) -> None:
        check_new(_named(target))
        with self._change() as change, self._above(_named(source)) as below, self._above(target) as above:
            moved = os.stat(source[-1], dir_fd=below, follow_symlinks=False)
            if stat.S_ISDIR(moved.st_mode) and len(target) > len(source):
                deepest = len(target) + self._count(source).depth
                if deepest > MAX_DEPTH:
                    raise OSError(errno.ENAMETOOLONG, f"{deepest} levels of folders; at most {MAX_DEPTH} are allowed")
            victim: os.stat_result | None = None
            with suppress(FileNotFoundError):
                victim = os.stat(target[-1], dir_fd=above, follow_symlinks=False)
            os.rename(source[-1], target[-1], src_dir_fd=below, dst_dir_fd=above)
            if victim is not None and (victim.st_dev, victim.st_ino) != (moved.st_dev, moved.st_ino):
                self._removed(change, victim)

    def set_times(self, parts: PathParts, accessed_ns: int, modified_ns: int) -> None:
        with self._above(_named(parts)) as above:
            if stat.S_ISLNK(os.stat(parts[-1], dir_fd=above, follow_symlinks=False).st_mode):
                raise not_followed()
            os.utime(parts[-1], ns=(accessed_ns, modified_ns), dir_fd=above, follow_symlinks=False)

    def read_link(self, parts: PathParts) -> str:
        with self._place(_named(parts)[:-1], follow=True, folder=True) as above:
            target = os.readlink(parts[-1], dir_fd=above)
        if not _is_utf8(target) or _climbs_out(parts[:-1], target):
            raise OSError(
                errno.EACCES, "the link's target is not shown: it is outside the mounted folder, or not valid UTF-8"
            )
        return target

    def close(self) -> None:
        if self._root is not None:
            os.close(self._root)
            self._root = None

    def _opened_root(self) -> int:
        if self._root is None:
            raise OSError(errno.EBADF, "the mount is closed")
        return self._root

    @contextmanager
    def _place(self, parts: PathParts, *, follow: bool, folder: bool = False) -> Generator[int]:
        flags = O_PATH | (os.O_DIRECTORY if folder else 0)
        place = open_beneath(self._opened_root(), parts, flags, follow=follow)
        try:
            yield place
        finally:
            os.close(place)

    @contextmanager
    def _above(self, parts: PathParts) -> Generator[int]:
        """The parent folder, in which the last name of `parts` is to be changed."""
        with self._place(parts[:-1], follow=False, folder=True) as above:
            yield above

    def _descriptor(self, parts: PathParts, flags: int, *, follow: bool) -> int:
        """A descriptor for an existing regular file. Nothing else is ever opened."""
        with self._place(parts, follow=follow) as place:
            seen = os.fstat(place)
            _check_regular(seen)
            if flags != os.O_RDONLY and seen.st_nlink > 1:
                raise OSError(errno.EACCES, "the file has more than one hard link, so it cannot be changed")
            opened = _reopen(place, flags | ALWAYS)
            if opened is None:
                opened = open_beneath(self._opened_root(), parts, flags, follow=follow)
        now = os.fstat(opened)
        if (now.st_dev, now.st_ino) != (seen.st_dev, seen.st_ino):
            os.close(opened)
            raise OSError(errno.EAGAIN, "the file was replaced while it was being opened")
        return opened

    def _existing(self, parts: PathParts, mode: OpenMode) -> "_File":
        if mode.creates and mode.exclusively:
            with self._place(parts[:-1], follow=False, folder=True) as above:
                _raise_if_exists(parts[-1], above)
            raise FileNotFoundError
        flags = (os.O_RDWR if mode.reads else os.O_WRONLY) if mode.writes else os.O_RDONLY
        if mode.truncates and not mode.writes:
            raise OSError(errno.EINVAL, "a file opened only for reading cannot be truncated")
        descriptor = self._descriptor(parts, flags | (os.O_APPEND if mode.appends else 0), follow=False)
        file = _File(descriptor, self._quota, self._change, appends=mode.appends)
        if mode.truncates:
            try:
                file.truncate(0)
            except BaseException:
                file.close()
                raise
        return file

    def _new(self, parts: PathParts, mode: OpenMode) -> "_File":
        check_new(parts)
        flags = (os.O_RDWR if mode.reads else os.O_WRONLY) if mode.writes else os.O_RDONLY
        flags |= os.O_CREAT | os.O_EXCL | (os.O_APPEND if mode.appends else 0)
        with self._change() as change:
            change.take(entries=1)
            made = open_beneath(self._opened_root(), parts, flags, follow=False)
            return _File(made, self._quota, self._change, appends=mode.appends)

    @contextmanager
    def _change(self) -> Generator[Change]:
        if self._quota is None:
            raise os_error(errno.EROFS)
        with self._quota.change(self._count) as change:
            yield change

    def _removed(self, change: Change, victim: os.stat_result) -> None:
        """Count a removed name; its bytes too, unless a run still has the file open."""
        assert self._quota is not None
        is_file = stat.S_ISREG(victim.st_mode)
        still_open = victim.st_nlink == 1 and self._quota.is_open((victim.st_dev, victim.st_ino))
        change.take(-victim.st_size if is_file and not still_open else 0, -1)

    def _count(self, parts: PathParts = ()) -> Count:
        folder = open_beneath(self._opened_root(), parts, os.O_RDONLY | os.O_DIRECTORY, follow=False)
        try:
            return count(folder)
        finally:
            os.close(folder)


class _File:
    """See `port.OpenFile`, and `quota.CountedFile`."""

    def __init__(
        self,
        descriptor: int,
        quota: Quota | None,
        change: Callable[[], AbstractContextManager[Change]],
        *,
        appends: bool = False,
    ) -> None:
        self._open: int | None = descriptor
        self._quota, self._change, self._appends = quota, change, appends
        seen = os.fstat(descriptor)
        self._key = (seen.st_dev, seen.st_ino)
        if quota is not None:
            quota.opened(self)

    def read(self, at: int, length: int) -> bytes:
        data = os.pread(self._descriptor(), length, at)
        if not data or len(data) == length:
            return data
        pieces = [data]  # a network file system may return less than there is
        missing = length - len(data)
        while missing and (data := os.pread(self._descriptor(), missing, at + length - missing)):
            pieces.append(data)
            missing -= len(data)
        return b"".join(pieces)

    def write(self, at: int | None, data: bytes) -> int:
        with self._change() as change:
            size = os.fstat(self._descriptor()).st_size
            # With O_APPEND Linux ignores the offset and writes at the end.
            start = size if at is None or self._appends else at
            end = start + len(data)
            change.take(max(0, end - size) if data else 0)
            left = memoryview(data)
            while left:
                left = left[os.pwrite(self._descriptor(), left, end - len(left)) :]
        return end

    def truncate(self, size: int) -> None:
        with self._change() as change:
            growth = size - os.fstat(self._descriptor()).st_size
            change.take(max(0, growth))
            os.ftruncate(self._descriptor(), size)
            change.take(min(0, growth))

    def stat(self) -> FileStat:
        return file_stat(os.fstat(self._descriptor()))

    def close(self) -> None:
        if self._open is None:
            return
        try:
            if self._quota is not None:
                self._quota.closing(self)
        finally:
            descriptor, self._open = self._open, None
            os.close(descriptor)

    def key(self) -> tuple[int, int]:
        return self._key

    def nameless_bytes(self) -> int:
        seen = os.fstat(self._descriptor())
        return seen.st_size if seen.st_nlink == 0 else 0

    def _descriptor(self) -> int:
        if self._open is None:
            raise os_error(errno.EBADF)
        return self._open


def file_stat(seen: os.stat_result) -> FileStat:
    """The fields of a `stat` result that a guest may see."""
    mode = stat.S_IFMT(seen.st_mode) | stat.S_IMODE(seen.st_mode) & 0o777
    times = seen.st_atime_ns, seen.st_mtime_ns, seen.st_ctime_ns
    return FileStat(mode, seen.st_dev, seen.st_ino, seen.st_nlink, seen.st_size, *times)


def _check_regular(seen: os.stat_result) -> None:
    if stat.S_ISDIR(seen.st_mode):
        raise os_error(errno.EISDIR)
    if not stat.S_ISREG(seen.st_mode):
        raise OSError(errno.EACCES, "this is a device, a pipe or a socket; only regular files can be opened")


def _reopen(place: int, flags: int) -> int | None:
    """Open the same file that the `O_PATH` descriptor `place` names; None if this system cannot."""
    if sys.platform != "linux":
        return None
    try:
        return os.open(f"/proc/self/fd/{place}", flags)
    except FileNotFoundError:  # no /proc
        return None


def _in_memory(place: int, size: int) -> bytes:
    """The whole content of a file, from the page cache."""
    opened = _reopen(place, os.O_RDONLY | ALWAYS)
    if opened is None:
        raise WouldBlock
    try:
        # One byte more, so that a file that has grown is noticed.
        content = bytearray(size + 1)
        if os.preadv(opened, [content], 0, os.RWF_NOWAIT) != size:
            raise WouldBlock
        return bytes(content[:size])
    except OSError as exc:  # it would block, or the file system lacks RWF_NOWAIT
        raise WouldBlock from exc
    finally:
        os.close(opened)


def _named(parts: PathParts) -> PathParts:
    """`parts`, unless it is the mount itself, which cannot be created, removed or renamed."""
    if not parts:
        raise OSError(errno.EBUSY, "the mounted folder itself cannot be changed")
    return parts


def _raise_if_exists(name: str, above: int) -> None:
    with suppress(FileNotFoundError):
        os.stat(name, dir_fd=above, follow_symlinks=False)
        raise os_error(errno.EEXIST)


def _kind_of(entry: "os.DirEntry[str]") -> EntryKind:
    if entry.is_symlink():
        return "l"
    if entry.is_dir(follow_symlinks=False):
        return "d"
    return "f" if entry.is_file(follow_symlinks=False) else "o"


def _climbs_out(above: PathParts, target: str) -> bool:
    """Whether a link in the folder `above` has a target outside the mount."""
    level = len(above)
    for step in target.split("/"):
        level += -1 if step == ".." else 1 if step not in ("", ".") else 0
        if level < 0:
            return True
    return target.startswith("/")


def _is_utf8(name: str) -> bool:
    """Whether the name can be sent to the guest. Files with other names are hidden."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
