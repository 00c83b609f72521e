"""A folder of this machine, as a mount. POSIX only.

Whatever is opened is looked at first through a descriptor that opens nothing, so that no device, FIFO or socket is ever
touched. Reading follows links that stay below the mount; what changes something follows none, and leaves files alone
that have a second name somewhere (a hard link), which may be outside.
"""

import errno
import os
import stat
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from codeact_bridges.files.paths import MAX_DEPTH, check_new
from codeact_bridges.files.port import EntryKind, FileStat, OpenFile, OpenMode, PathParts
from codeact_bridges.files.quota import Change, Count, Quota, count
from codeact_bridges.files.safe_open import (
    ALWAYS,
    O_PATH,
    WouldWait,
    is_local,
    not_followed,
    open_beneath,
    place_at_once,
)

_MAX_TRIES = 8
"""How often opening is tried anew because the file came or went meanwhile."""


class DiskFolder:
    """See `port.Folder`."""

    def __init__(self, path: Path, quota: Quota | None) -> None:
        """`path` is absolute and without links; `quota` is for a folder that may be written to.

        Raises:
            OSError: there is no such folder (any more).
        """
        self._quota = quota
        top = os.open(path.anchor, O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            # The path has been resolved, so a link in it has come since, and not by the operator's configuration.
            self._root: int | None = open_beneath(top, path.parts[1:], O_PATH | os.O_DIRECTORY, follow=False)
        finally:
            os.close(top)
        self._is_local = is_local(self._root)

    def open(self, parts: PathParts, how: OpenMode) -> tuple[OpenFile, bool]:
        if not (how.writes or how.creates or how.truncates):
            # With its quota in any case: as long as it is open it takes room, even when its name is gone.
            return _File(self._descriptor(parts, os.O_RDONLY, follow=True), self._quota, self._change), False
        if not parts:
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
        for _ in range(_MAX_TRIES):
            try:
                opened = self._existing(parts, how)
            except FileNotFoundError:
                if not how.creates:
                    raise
            else:
                return opened, False
            with suppress(FileExistsError):  # it has come since we looked
                return self._new(parts, how), True
        raise OSError(errno.EAGAIN, "the file comes and goes")

    def facts(self, parts: PathParts, *, follow: bool) -> FileStat:
        if follow or not parts:
            with self._place(parts, follow=True) as place:
                return facts_of(os.fstat(place))
        with self._place(parts[:-1], follow=True, folder=True) as above:
            return facts_of(os.stat(parts[-1], dir_fd=above, follow_symlinks=False))

    def at_once(self, parts: PathParts, length: int | None = None) -> tuple[FileStat, bytes]:
        """What is known of a file, and all of it if it is shorter than `length`, where nothing has to be waited for.

        Raises:
            WouldWait: it may have to, or there is more of the file.
            OSError: as `facts` and `open` say.
        """
        if self._root is None or not self._is_local:
            raise WouldWait
        place = place_at_once(self._root, parts)
        try:
            seen = os.fstat(place)
            if length is None:
                return facts_of(seen), b""
            _check_regular(seen)
            if seen.st_size >= length:
                raise WouldWait
            return facts_of(seen), _in_memory(place, seen.st_size)
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
            _raise_if_there(parts[-1], above)
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
                raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
            os.unlink(parts[-1], dir_fd=above)
            self._gone(change, victim)

    def rename(self, source: PathParts, target: PathParts) -> None:
        check_new(_named(target))
        with self._change() as change, self._above(_named(source)) as below, self._above(target) as above:
            moved = os.stat(source[-1], dir_fd=below, follow_symlinks=False)
            if stat.S_ISDIR(moved.st_mode) and len(target) > len(source):
                deepest = len(target) + self._count(source).depth
                if deepest > MAX_DEPTH:
                    raise OSError(errno.ENAMETOOLONG, f"{deepest} levels of folders, where {MAX_DEPTH} are allowed")
            victim: os.stat_result | None = None
            with suppress(FileNotFoundError):
                victim = os.stat(target[-1], dir_fd=above, follow_symlinks=False)
            os.rename(source[-1], target[-1], src_dir_fd=below, dst_dir_fd=above)
            if victim is not None and (victim.st_dev, victim.st_ino) != (moved.st_dev, moved.st_ino):
                self._gone(change, victim)

    def set_times(self, parts: PathParts, accessed_ns: int, modified_ns: int) -> None:
        with self._above(_named(parts)) as above:
            if stat.S_ISLNK(os.stat(parts[-1], dir_fd=above, follow_symlinks=False).st_mode):
                raise not_followed()
            os.utime(parts[-1], ns=(accessed_ns, modified_ns), dir_fd=above, follow_symlinks=False)

    def read_link(self, parts: PathParts) -> str:
        with self._place(_named(parts)[:-1], follow=True, folder=True) as above:
            target = os.readlink(parts[-1], dir_fd=above)
        if not _is_utf8(target) or _climbs_out(parts[:-1], target):
            raise OSError(errno.EACCES, "where this link leads is not for the program to know")
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
        """The folder in which the last name of `parts` is to be changed."""
        with self._place(parts[:-1], follow=False, folder=True) as above:
            yield above

    def _descriptor(self, parts: PathParts, flags: int, *, follow: bool) -> int:
        """An open regular file that exists. Nothing else is ever opened."""
        with self._place(parts, follow=follow) as place:
            seen = os.fstat(place)
            _check_regular(seen)
            if flags != os.O_RDONLY and seen.st_nlink > 1:
                raise OSError(errno.EACCES, "the file has a second name (a hard link), so it is not changed")
            opened = _reopen(place, flags | ALWAYS)
            if opened is None:
                opened = open_beneath(self._opened_root(), parts, flags, follow=follow)
        now = os.fstat(opened)
        if (now.st_dev, now.st_ino) != (seen.st_dev, seen.st_ino):
            os.close(opened)
            raise OSError(errno.EAGAIN, "the file was replaced meanwhile")
        return opened

    def _existing(self, parts: PathParts, how: OpenMode) -> "_File":
        if how.creates and how.exclusively:
            with self._place(parts[:-1], follow=False, folder=True) as above:
                _raise_if_there(parts[-1], above)
            raise FileNotFoundError
        flags = (os.O_RDWR if how.reads else os.O_WRONLY) if how.writes else os.O_RDONLY
        if how.truncates and not how.writes:
            raise OSError(errno.EINVAL, "a file that is only read is not truncated")
        descriptor = self._descriptor(parts, flags | (os.O_APPEND if how.appends else 0), follow=False)
        file = _File(descriptor, self._quota, self._change, appends=how.appends)
        if how.truncates:
            try:
                file.truncate(0)
            except BaseException:
                file.close()
                raise
        return file

    def _new(self, parts: PathParts, how: OpenMode) -> "_File":
        check_new(parts)
        flags = (os.O_RDWR if how.reads else os.O_WRONLY) if how.writes else os.O_RDONLY
        flags |= os.O_CREAT | os.O_EXCL | (os.O_APPEND if how.appends else 0)
        with self._change() as change:
            change.take(entries=1)
            made = open_beneath(self._opened_root(), parts, flags, follow=False)
            return _File(made, self._quota, self._change, appends=how.appends)

    @contextmanager
    def _change(self) -> Generator[Change]:
        if self._quota is None:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        with self._quota.change(self._count) as change:
            yield change

    def _gone(self, change: Change, victim: os.stat_result) -> None:
        """A name is gone; its bytes too, unless somebody of ours has the file open."""
        assert self._quota is not None
        is_file = stat.S_ISREG(victim.st_mode)
        kept = victim.st_nlink == 1 and self._quota.is_open((victim.st_dev, victim.st_ino))
        change.take(-victim.st_size if is_file and not kept else 0, -1)

    def _count(self, parts: PathParts = ()) -> Count:
        folder = open_beneath(self._opened_root(), parts, os.O_RDONLY | os.O_DIRECTORY, follow=False)
        try:
            return count(folder)
        finally:
            os.close(folder)


class _File:
    """See `port.OpenFile`, and `quota.Held`."""

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
        pieces = [data]  # a file system over a network may give less than there is
        missing = length - len(data)
        while missing and (data := os.pread(self._descriptor(), missing, at + length - missing)):
            pieces.append(data)
            missing -= len(data)
        return b"".join(pieces)

    def write(self, at: int | None, data: bytes) -> int:
        with self._change() as change:
            size = os.fstat(self._descriptor()).st_size
            # With O_APPEND Linux writes at the end wherever it is told to.
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

    def facts(self) -> FileStat:
        return facts_of(os.fstat(self._descriptor()))

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
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return self._open


def facts_of(seen: os.stat_result) -> FileStat:
    """What of a `stat` concerns a guest."""
    mode = stat.S_IFMT(seen.st_mode) | stat.S_IMODE(seen.st_mode) & 0o777
    times = seen.st_atime_ns, seen.st_mtime_ns, seen.st_ctime_ns
    return FileStat(mode, seen.st_dev, seen.st_ino, seen.st_nlink, seen.st_size, *times)


def _check_regular(seen: os.stat_result) -> None:
    if stat.S_ISDIR(seen.st_mode):
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not stat.S_ISREG(seen.st_mode):
        raise OSError(errno.EACCES, "this is a device, a pipe or a socket: only files are opened")


def _reopen(place: int, flags: int) -> int | None:
    """Open what the descriptor `place` names, the very same; None where this system cannot."""
    if sys.platform != "linux":
        return None
    try:
        return os.open(f"/proc/self/fd/{place}", flags)
    except FileNotFoundError:  # no /proc
        return None


def _in_memory(place: int, size: int) -> bytes:
    """The whole content of a file, from the system's memory."""
    opened = _reopen(place, os.O_RDONLY | ALWAYS)
    if opened is None:
        raise WouldWait
    try:
        # One byte more, so that a file that has grown is seen.
        content = bytearray(size + 1)
        if os.preadv(opened, [content], 0, os.RWF_NOWAIT) != size:
            raise WouldWait
        return bytes(content[:size])
    except OSError as exc:  # it would block, or the file system does not know the flag
        raise WouldWait from exc
    finally:
        os.close(opened)


def _named(parts: PathParts) -> PathParts:
    """`parts`, unless it is the mount itself, which is neither made nor removed nor renamed."""
    if not parts:
        raise OSError(errno.EBUSY, "this is the mounted folder itself")
    return parts


def _raise_if_there(name: str, above: int) -> None:
    with suppress(FileNotFoundError):
        os.stat(name, dir_fd=above, follow_symlinks=False)
        raise OSError(errno.EEXIST, os.strerror(errno.EEXIST))


def _kind_of(entry: "os.DirEntry[str]") -> EntryKind:
    if entry.is_symlink():
        return "l"
    if entry.is_dir(follow_symlinks=False):
        return "d"
    return "f" if entry.is_file(follow_symlinks=False) else "o"


def _climbs_out(above: PathParts, target: str) -> bool:
    """Whether a link in the folder `above` names something that is not below the mount."""
    level = len(above)
    for step in target.split("/"):
        level += -1 if step == ".." else 1 if step not in ("", ".") else 0
        if level < 0:
            return True
    return target.startswith("/")


def _is_utf8(name: str) -> bool:
    """A name that is not cannot be said to the guest: it does not see the file."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
