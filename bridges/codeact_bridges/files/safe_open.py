"""Opens something below a folder's descriptor, and never outside it. POSIX only.

Linux 5.6 has a system call that guarantees it: `openat2` with `RESOLVE_BENEATH`. Elsewhere, and where a container's
seccomp filter refuses that call, `walk` opens name by name with `O_NOFOLLOW` and resolves links itself. Paths are never
compared as text.
"""

import ctypes
import errno
import os
import stat
import sys
from collections.abc import Callable
from functools import cache
from typing import TypeAlias

from codeact_bridges.files.paths import PathParts
from codeact_bridges.files.port import WouldBlock

O_PATH = getattr(os, "O_PATH", os.O_RDONLY)
"""A descriptor that refers to a file without opening it. Where it is missing (macOS) the file is opened for reading."""

MAX_LINKS = 40
"""As on Linux."""

MAX_RETRIES = 32
"""How often a lookup is retried because a part of the path was renamed meanwhile."""

ALWAYS = os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK if sys.platform != "win32" else 0
"""`O_NONBLOCK`, because opening a FIFO waits for its other end."""

_OPENAT2 = 437
_RESOLVE_NO_XDEV = 0x01
_RESOLVE_NO_MAGICLINKS = 0x02
_RESOLVE_NO_SYMLINKS = 0x04
_RESOLVE_BENEATH = 0x08
_RESOLVE_CACHED = 0x20

_LOCAL = (0xEF53, 0x58465342, 0x9123683E, 0x01021994, 0xF2F52010)
"""ext2 to ext4, XFS, Btrfs, tmpfs, F2FS: file systems that serve cached data without asking anything else."""

Opener: TypeAlias = Callable[[int, PathParts, int, bool, int], int]


def open_beneath(root: int, parts: PathParts, flags: int, *, follow: bool, mode: int = 0o666) -> int:
    """A descriptor for the entry at `parts` below the folder `root`.

    Args:
        root: the descriptor of a folder.
        parts: names, none of them empty, `.` or `..`, none with `/` or NUL.
        flags: for `os.open`. `ALWAYS` and `O_NOFOLLOW` (where not `follow`) are added.
        follow: whether symbolic links are followed, wherever in the path; they must stay below `root`.
        mode: for a file that this creates.

    Raises:
        OSError: `EACCES` if a link leads out or must not be followed.
    """
    opener = _openat2 if has_openat2() else walk
    return opener(root, parts, flags, follow, mode)


def place_without_blocking(root: int, parts: PathParts) -> int:
    """As `open_beneath` with `O_PATH` and links followed, from the kernel's caches only. Raises `WouldBlock`."""
    if not has_openat2():
        raise WouldBlock
    return _openat2(root, parts, O_PATH, True, 0, _RESOLVE_CACHED | _RESOLVE_NO_XDEV)


def is_local(folder: int) -> bool:
    """Whether the folder is on a local file system, as far as `place_without_blocking` goes below it."""
    if sys.platform != "linux":
        return False
    about = (ctypes.c_long * 32)()  # more than any `struct statfs`, which begins with the type
    return _fstatfs()(ctypes.c_int(folder), about) == 0 and about[0] in _LOCAL


@cache
def has_openat2() -> bool:
    """Whether this kernel has the system call and permits it."""
    if sys.platform != "linux":
        return False
    try:
        root = os.open("/", O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        os.close(_openat2(root, (), O_PATH, False, 0))
    except OSError:
        return False
    finally:
        os.close(root)
    return True


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


@cache
def _syscall() -> Callable[..., int]:
    function = ctypes.CDLL(None, use_errno=True).syscall
    function.restype = ctypes.c_long
    return function


@cache
def _fstatfs() -> Callable[..., int]:
    return ctypes.CDLL(None, use_errno=True).fstatfs


def _openat2(root: int, parts: PathParts, flags: int, follow: bool, mode: int, more: int = 0) -> int:
    resolve = _RESOLVE_BENEATH | _RESOLVE_NO_MAGICLINKS | more
    if not follow:
        resolve |= _RESOLVE_NO_SYMLINKS
        flags |= os.O_NOFOLLOW
    # With O_PATH the call fails with EINVAL for most other flags.
    flags |= os.O_CLOEXEC if flags & O_PATH else ALWAYS
    how = _OpenHow(flags, mode if flags & os.O_CREAT else 0, resolve)
    path = "/".join(parts).encode() or b"."
    call = _syscall()
    for _ in range(MAX_RETRIES):
        size = ctypes.c_size_t(ctypes.sizeof(how))
        opened = call(ctypes.c_long(_OPENAT2), ctypes.c_int(root), ctypes.c_char_p(path), ctypes.byref(how), size)
        if opened >= 0:
            if not follow and flags & O_PATH and stat.S_ISLNK(os.fstat(opened).st_mode):
                os.close(opened)  # O_PATH and O_NOFOLLOW open a link at the end of the path itself
                raise not_followed()
            return opened
        code = ctypes.get_errno()
        if more and code not in (errno.ENOENT, errno.ENOTDIR):
            raise WouldBlock
        if code == errno.EXDEV:
            raise leads_out()
        if code == errno.ELOOP and not follow:
            raise not_followed()
        if code not in (errno.EAGAIN, errno.EINTR):
            raise OSError(code, os.strerror(code))
    raise OSError(errno.EAGAIN, "the folder changes too fast; try again later")


def walk(root: int, parts: PathParts, flags: int, follow: bool, mode: int) -> int:
    """`open_beneath`, name by name. Each folder on the way stays open, so `..` in a link returns to its parent."""
    held = [os.dup(root)]
    try:
        return _walk(held, list(reversed(parts)), flags, follow, mode)
    finally:
        for descriptor in held:
            os.close(descriptor)


def _walk(held: list[int], ahead: list[str], flags: int, follow: bool, mode: int) -> int:
    links = retries = 0
    while True:
        name = ahead.pop() if ahead else "."
        if name in ("", ".") and ahead:
            continue
        if name == "..":
            if len(held) == 1:
                raise leads_out()
            os.close(held.pop())
            continue
        if name in ("", "."):
            return os.open(".", flags | os.O_NOFOLLOW | _extra(flags), mode, dir_fd=held[-1])
        seen = _kind(name, held[-1])
        if seen is not None and stat.S_ISLNK(seen):
            if not follow:
                raise not_followed()
            links += 1
            if links > MAX_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            try:
                target = os.readlink(name, dir_fd=held[-1])
            except OSError as exc:
                if exc.errno != errno.EINVAL:
                    raise
                target = name  # not a link any more: look it up again
            if target.startswith("/"):
                raise leads_out()
            ahead.extend(reversed(target.split("/")))
            continue
        step = os.O_DIRECTORY | O_PATH | os.O_CLOEXEC if ahead else flags | _extra(flags)
        try:
            opened = os.open(name, step | os.O_NOFOLLOW, mode, dir_fd=held[-1])
        except OSError as exc:
            # It may have become a link meanwhile; with O_DIRECTORY the error for that is ENOTDIR.
            if exc.errno not in (errno.ELOOP, errno.ENOTDIR) or not _is_link(name, held[-1]):
                raise
        else:
            if not stat.S_ISLNK(os.fstat(opened).st_mode):  # O_PATH opens the link itself
                if not ahead:
                    return opened
                held.append(opened)
                continue
            os.close(opened)
        retries += 1
        if retries > MAX_RETRIES:
            raise OSError(errno.EAGAIN, "the folder changes too fast; try again later")
        ahead.append(name)


def _extra(flags: int) -> int:
    return os.O_CLOEXEC if sys.platform == "linux" and flags & O_PATH else ALWAYS


def _kind(name: str, folder: int) -> int | None:
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return None


def _is_link(name: str, folder: int) -> bool:
    seen = _kind(name, folder)
    return seen is not None and stat.S_ISLNK(seen)


def leads_out() -> OSError:
    """The error for a link to something outside the mount."""
    return OSError(errno.EACCES, "a symbolic link that leads out of the mounted folder is not followed")


def not_followed() -> OSError:
    """The error for a link in the path of a change."""
    return OSError(errno.EACCES, "the path contains a symbolic link, which operations that change files do not follow")
