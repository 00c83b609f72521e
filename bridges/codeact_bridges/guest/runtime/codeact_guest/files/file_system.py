"""The functions of `os` that take names, and the installation of the mounted folders as the file system."""

import _io
import builtins
import errno
import io
import os
import posix
import shutil
import stat as stat_module
import sys
import tempfile
import types
from collections.abc import Iterator

from codeact_guest.errors import denied
from codeact_guest.files import file_io, mounts, open_files


def stat(path: object, *, dir_fd: int | None = None, follow_symlinks: bool = True) -> os.stat_result:
    """`os.stat`."""
    _no_dir_fd(dir_fd)
    if isinstance(path, int):
        return fstat(path)
    mounts.check_within(path)
    return _result(mounts.call("files.stat", path, follow=follow_symlinks))


def lstat(path: object, *, dir_fd: int | None = None) -> os.stat_result:
    """`os.lstat`."""
    return stat(path, dir_fd=dir_fd, follow_symlinks=False)


def fstat(fd: int) -> os.stat_result:
    """`os.fstat`."""
    if 0 <= fd <= 2:
        return _result([stat_module.S_IFCHR | 0o620, fd, 0, 1, 0, 0, 0, 0])
    return _result(open_files.of(fd).stat())


def access(
    path: object, mode: int, *, dir_fd: int | None = None, effective_ids: bool = False, follow_symlinks: bool = True
) -> bool:
    """`os.access`."""
    try:
        seen = stat(path, dir_fd=dir_fd, follow_symlinks=follow_symlinks)
        if mode & os.W_OK:
            if not seen.st_mode & 0o222:
                return False
            mounts.check_writable(path)
    except OSError:
        return False
    return not mode & os.X_OK or bool(seen.st_mode & 0o111)


def listdir(path: object = None) -> list[str] | list[bytes]:
    """`os.listdir`."""
    names = [name for name, _ in _entries(path)]
    return [os.fsencode(name) for name in names] if isinstance(path, bytes) else names


class DirEntry:
    """An entry of `os.scandir`."""

    __slots__ = ("_kind", "_stats", "name", "path")

    def __init__(self, name: object, path: object, kind: str) -> None:
        self.name, self.path, self._kind = name, path, kind
        self._stats: dict[bool, os.stat_result] = {}

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        return self._is("d", stat_module.S_ISDIR, follow_symlinks)

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        return self._is("f", stat_module.S_ISREG, follow_symlinks)

    def is_symlink(self) -> bool:
        return self._kind == "l"

    def is_junction(self) -> bool:
        return False

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        follow = follow_symlinks and self._kind == "l"
        if follow not in self._stats:
            self._stats[follow] = stat(self.path, follow_symlinks=follow)
        return self._stats[follow]

    def inode(self) -> int:
        return self.stat(follow_symlinks=False).st_ino

    def __fspath__(self) -> object:
        return self.path

    def __repr__(self) -> str:
        return f"<DirEntry {self.name!r}>"

    def _is(self, kind: str, of_mode: object, follow_symlinks: bool) -> bool:
        if self._kind != "l" or not follow_symlinks:
            return self._kind == kind
        try:
            return of_mode(self.stat().st_mode)
        except OSError:
            return False


class _Scan:
    """The iterator of `os.scandir`."""

    def __init__(self, entries: Iterator[DirEntry]) -> None:
        self._entries = entries

    def __iter__(self) -> "_Scan":
        return self

    def __next__(self) -> DirEntry:
        return next(self._entries)

    def __enter__(self) -> "_Scan":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._entries = iter(())


def scandir(path: object = None) -> _Scan:
    """`os.scandir`."""
    shown = "." if path is None else os.fspath(path)
    entries = _entries(path)
    if isinstance(shown, bytes):
        return _Scan(
            DirEntry(os.fsencode(name), os.path.join(shown, os.fsencode(name)), kind) for name, kind in entries
        )
    return _Scan(DirEntry(name, os.path.join(shown, name), kind) for name, kind in entries)


def _entries(path: object) -> list[tuple[str, str]]:
    path = "." if path is None else path
    if isinstance(path, int):
        raise TypeError("listdir: path should be string, bytes, os.PathLike or None, not int")
    entries: list[str] = []
    after: str | None = None
    while True:
        page = mounts.call("files.list", path, after=after)
        entries += page["entries"]
        if not page["more"]:
            return list(zip(entries[::2], entries[1::2], strict=True))
        after = entries[-2]


def mkdir(path: object, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
    """`os.mkdir`."""
    _no_dir_fd(dir_fd)
    mounts.call("files.mkdir", path)


def rmdir(path: object, *, dir_fd: int | None = None) -> None:
    """`os.rmdir`."""
    _no_dir_fd(dir_fd)
    mounts.call("files.rmdir", path)


def remove(path: object, *, dir_fd: int | None = None) -> None:
    """`os.remove`, `os.unlink`."""
    _no_dir_fd(dir_fd)
    mounts.call("files.remove", path)


def rename(src: object, dst: object, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None) -> None:
    """`os.rename`, `os.replace`."""
    _no_dir_fd(src_dir_fd)
    _no_dir_fd(dst_dir_fd)
    mounts.call("files.rename", src, target=mounts.absolute(dst))


def truncate(path: object, length: int) -> None:
    """`os.truncate`."""
    if isinstance(path, int):
        file_io.ftruncate(path, length)
        return
    number = open_files.open_at_host(path, reads=False, writes=True)
    try:
        file_io.ftruncate(number, length)
    finally:
        file_io.os_close(number)


def utime(
    path: object,
    times: tuple[float, float] | None = None,
    *,
    ns: tuple[int, int] | None = None,
    dir_fd: int | None = None,
    follow_symlinks: bool = True,
) -> None:
    """`os.utime`."""
    _no_dir_fd(dir_fd)
    if times is not None and ns is not None:
        raise ValueError("utime: you may specify either 'times' or 'ns' but not both")
    if times is not None:
        ns = tuple(time * 10**9 if isinstance(time, int) else round(time * 1e9) for time in times)
    accessed, modified = ns or (None, None)
    path = open_files.of(path).path if isinstance(path, int) else path
    mounts.call("files.utime", path, accessed_ns=accessed, modified_ns=modified)


def chmod(path: object, mode: int, *, dir_fd: int | None = None, follow_symlinks: bool = True) -> None:
    """`os.chmod`: checks that the path exists and is writable, and leaves the mode unchanged."""
    if not isinstance(path, int):
        stat(path, dir_fd=dir_fd, follow_symlinks=follow_symlinks)
        mounts.check_writable(path)


def readlink(path: object, *, dir_fd: int | None = None) -> object:
    """`os.readlink`."""
    _no_dir_fd(dir_fd)
    mounts.check_within(path)
    target = mounts.call("files.readlink", path)
    return os.fsencode(target) if isinstance(os.fspath(path), bytes) else target


def symlink(src: object, dst: object, target_is_directory: bool = False, *, dir_fd: int | None = None) -> None:
    """`os.symlink`."""
    raise denied("a program cannot create links: copy the file", dst)


def link(src: object, dst: object, **_: object) -> None:
    """`os.link`."""
    raise denied("a program cannot create links: copy the file", dst)


def getcwd() -> str:
    """`os.getcwd`."""
    return mounts.state.folder


def getcwdb() -> bytes:
    """`os.getcwdb`."""
    return os.fsencode(mounts.state.folder)


def chdir(path: object) -> None:
    """`os.chdir`."""
    if not stat_module.S_ISDIR(stat(path).st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
    mounts.state.folder = os.path.normpath(mounts.absolute(path))


def _no_dir_fd(dir_fd: int | None) -> None:
    if dir_fd is not None:
        raise NotImplementedError("dir_fd unavailable on this platform")


def _result(facts: list[int]) -> os.stat_result:
    mode, inode, device, links, size, accessed, modified, changed = facts
    times = {
        "st_atime": _seconds(accessed),
        "st_mtime": _seconds(modified),
        "st_ctime": _seconds(changed),
        "st_atime_ns": accessed,
        "st_mtime_ns": modified,
        "st_ctime_ns": changed,
        "st_blksize": 4096,
        "st_blocks": -(-size // 512),
    }
    seconds = (accessed // 10**9, modified // 10**9, changed // 10**9)
    return os.stat_result((mode, inode, device, links, 0, 0, size, *seconds), times)


def _seconds(ns: int) -> float:
    return ns // 10**9 + 1e-9 * (ns % 10**9)  # the same rounding as CPython's


REPLACED = {
    "stat": stat,
    "lstat": lstat,
    "fstat": fstat,
    "access": access,
    "listdir": listdir,
    "scandir": scandir,
    "mkdir": mkdir,
    "rmdir": rmdir,
    "remove": remove,
    "unlink": remove,
    "rename": rename,
    "replace": rename,
    "truncate": truncate,
    "utime": utime,
    "chmod": chmod,
    "readlink": readlink,
    "symlink": symlink,
    "link": link,
    "getcwd": getcwd,
    "getcwdb": getcwdb,
    "chdir": chdir,
}
"""The replacements for the functions of `os` that take names."""


def _default_tempdir() -> str:
    """The folder for `tempfile`: a temp mount, otherwise the first writable mount."""
    modes = mounts.state.modes
    for mode in ("temp", "rw"):
        for mount, its_mode in modes.items():
            if its_mode == mode:
                return mount
    raise mounts.refused(None) if not modes else denied("tempfile: no mounted folder is writable", None)


def install() -> None:
    """Replace `open` and the functions of `os`, also where another module has already imported one of them."""
    new = {**file_io.REPLACED, **REPLACED}
    by_id: dict[int, object] = {}
    replaced: list[object] = [builtins.open, io.open, _io.open, file_io._real_open, os.DirEntry]  # so that ids stay
    for old in replaced[:4]:
        by_id[id(old)] = file_io.open
    by_id[id(os.DirEntry)] = DirEntry
    for name, function in new.items():
        function.__name__ = function.__qualname__ = name
        for module in (posix, os):
            old = getattr(module, name, None)
            if old is not None:
                replaced.append(old)
                by_id[id(old)] = function
    for name, module in list(sys.modules.items()):
        if isinstance(module, types.ModuleType) and name.partition(".")[0] not in (
            "posix",
            "codeact_guest",
            "importlib",
        ):
            _replace_in(module, by_id)
    for name, function in new.items():
        setattr(os, name, function)
    builtins.open = io.open = _io.open = file_io.open
    io.FileIO = _io.FileIO = file_io.MountedFile
    os.DirEntry = DirEntry
    os.supports_dir_fd.clear()
    os.supports_fd.clear()
    os.supports_follow_symlinks.clear()
    os.supports_follow_symlinks.update((stat, access))
    shutil._use_fd_functions = False
    tempfile._get_default_tempdir = _default_tempdir


def _replace_in(module: types.ModuleType, by_id: dict[int, object]) -> None:
    for name, value in list(vars(module).items()):
        if id(value) in by_id:
            setattr(module, name, by_id[id(value)])
        elif isinstance(value, types.FunctionType):
            _replace_defaults(value, by_id)
        elif isinstance(value, type) and value.__module__ == module.__name__:
            for attribute, held in list(vars(value).items()):
                inner = held.__func__ if isinstance(held, staticmethod) else held
                if id(inner) in by_id:
                    setattr(value, attribute, staticmethod(by_id[id(inner)]))
                elif isinstance(inner, types.FunctionType):
                    _replace_defaults(inner, by_id)


def _replace_defaults(function: types.FunctionType, by_id: dict[int, object]) -> None:
    if function.__defaults__ and any(id(default) in by_id for default in function.__defaults__):
        function.__defaults__ = tuple(by_id.get(id(default), default) for default in function.__defaults__)
    for name, default in (function.__kwdefaults__ or {}).items():
        if id(default) in by_id:
            function.__kwdefaults__[name] = by_id[id(default)]
