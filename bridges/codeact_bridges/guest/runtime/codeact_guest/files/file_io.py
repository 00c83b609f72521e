"""The built-in `open`: CPython's own buffers and text layer on a raw file that calls the host."""

import errno
import io
import os
import sys
import warnings
from collections.abc import Callable

from codeact_guest.files import open_files

Opener = Callable[[str, int], int]

_real_open = io.open
_RealFileIO = io.FileIO


class MountedFile(io.RawIOBase):
    """An unbuffered file, in place of `io.FileIO`."""

    def __init__(self, file: object, mode: str = "r", closefd: bool = True, opener: Opener | None = None) -> None:
        super().__init__()
        self._number = -1
        kinds = set(mode) - set("b+")
        if len(kinds) != 1 or not kinds <= set("rwax") or set(mode) - set("rwaxb+"):
            raise ValueError("Must have exactly one of create/read/write/append mode and at most one plus")
        kind = kinds.pop()
        self._reads, self._writes = kind == "r" or "+" in mode, kind != "r" or "+" in mode
        self._kind, self._plus = kind, "+" in mode
        self._closefd = closefd
        self.name = file
        if isinstance(file, int):
            if opener is not None:
                raise ValueError("Cannot use opener with an open file")
            self._opened = open_files.of(file)
            self._number = file
        elif not closefd:
            raise ValueError("Cannot use closefd=False with file name")
        elif opener is not None:
            self._number = opener(file, _flags(kind, "+" in mode))
            if not isinstance(self._number, int):
                raise TypeError("expected integer from opener")
            if self._number < 0:
                raise ValueError(f"opener returned {self._number}")
            self._opened = open_files.of(self._number)
        else:
            self._number = open_files.open_at_host(
                file,
                reads=self._reads,
                writes=self._writes,
                appends=kind == "a",
                creates=kind != "r",
                exclusive=kind == "x",
                truncates=kind == "w",
            )
            self._opened = open_files.of(self._number)
        if kind == "a":
            self._opened.position = self._opened.facts[4]

    @property
    def mode(self) -> str:
        if self._kind == "r":
            return "rb+" if self._plus else "rb"
        if self._kind == "w":
            return "rb+" if self._plus else "wb"
        return f"{self._kind}b+" if self._plus else f"{self._kind}b"

    @property
    def closefd(self) -> bool:
        return self._closefd

    def fileno(self) -> int:
        self._check_open()
        return self._number

    def isatty(self) -> bool:
        self._check_open()
        return False

    def readable(self) -> bool:
        self._check_open()
        return self._reads

    def writable(self) -> bool:
        self._check_open()
        return self._writes

    def seekable(self) -> bool:
        self._check_open()
        return True

    def readinto(self, buffer: object) -> int:
        self._check_reads()
        target = memoryview(buffer).cast("B")
        data = self._opened.read(len(target))
        target[: len(data)] = data
        return len(data)

    def read(self, size: int | None = -1) -> bytes:
        self._check_reads()
        if size is None or size < 0:
            return self.readall()
        return bytes(self._opened.read(size))

    def readall(self) -> bytes:
        self._check_reads()
        return self._opened.read_all()

    def write(self, data: object) -> int:
        self._check_open()
        if not self._writes:
            raise io.UnsupportedOperation("File not open for writing")
        return self._opened.write(memoryview(data).cast("B"))

    def seek(self, offset: int, whence: int = 0) -> int:
        self._check_open()
        return self._opened.seek(offset, whence)

    def tell(self) -> int:
        self._check_open()
        return self._opened.position

    def truncate(self, size: int | None = None) -> int:
        self._check_open()
        if not self._writes:
            raise io.UnsupportedOperation("File not open for writing")
        size = self._opened.position if size is None else size
        self._opened.truncate(size)
        return size

    def close(self) -> None:
        if self.closed:
            return
        try:
            super().close()
        finally:
            if self._closefd and self._number >= 0:
                open_files.close(self._number)

    def __repr__(self) -> str:
        if self.closed:
            return "<_io.FileIO [closed]>"
        return f"<_io.FileIO name={self.name!r} mode={self.mode!r} closefd={self._closefd}>"

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file")

    def _check_reads(self) -> None:
        self._check_open()
        if not self._reads:
            raise io.UnsupportedOperation("File not open for reading")


class _DevNull(io.RawIOBase):
    """`os.devnull`."""

    name = os.devnull
    mode = "rb+"

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        return 0

    def write(self, data: bytes) -> int:
        return len(data)


def open(
    file: object,
    mode: str = "r",
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    closefd: bool = True,
    opener: Opener | None = None,
) -> io.IOBase:
    """The built-in `open`, for files in the mounted folders."""
    if not isinstance(file, int):
        file = os.fspath(file)
    if not isinstance(mode, str):
        raise TypeError(f"open() argument 'mode' must be str, not {type(mode).__name__}")
    if isinstance(file, int) and 0 <= file <= 2:
        return _real_open(file, mode, buffering, encoding, errors, newline, closefd, opener)
    binary = "b" in mode
    _check(mode, binary, encoding, errors, newline)
    if file in (os.devnull, os.fsencode(os.devnull)):
        raw: io.RawIOBase = _DevNull()
    else:
        raw = MountedFile(file, mode.replace("b", "").replace("t", ""), closefd, opener)
    try:
        return _layered(raw, mode, binary, buffering, encoding, errors, newline)
    except BaseException:
        raw.close()
        raise


def _layered(
    raw: io.RawIOBase,
    mode: str,
    binary: bool,
    buffering: int,
    encoding: str | None,
    errors: str | None,
    newline: str | None,
) -> io.IOBase:
    if buffering == 0:
        if not binary:
            raise ValueError("can't have unbuffered text I/O")
        return raw
    if buffering == 1 and binary:
        warnings.warn(
            "line buffering (buffering=1) isn't supported in binary mode, the default buffer size will be used",
            RuntimeWarning,
            3,
        )
    size = io.DEFAULT_BUFFER_SIZE if buffering in (-1, 1) else buffering
    if size < 0:
        raise ValueError("invalid buffering size")
    if "+" in mode and isinstance(raw, MountedFile):
        buffered: io.BufferedIOBase = io.BufferedRandom(raw, size)
    elif "r" in mode:
        buffered = io.BufferedReader(raw, size)
    else:
        buffered = io.BufferedWriter(raw, size)
    if binary:
        return buffered
    text = io.TextIOWrapper(buffered, encoding or "utf-8", errors, newline, line_buffering=buffering == 1)
    text.mode = mode
    return text


def _check(mode: str, binary: bool, encoding: str | None, errors: str | None, newline: str | None) -> None:
    kinds = [char for char in mode if char in "rwax"]
    if set(mode) - set("rwaxbt+") or len(mode) > len(set(mode)):
        raise ValueError(f"invalid mode: {mode!r}")
    if binary and "t" in mode:
        raise ValueError("can't have text and binary mode at once")
    if len(kinds) > 1:  # the raw file raises if there is none
        raise ValueError("must have exactly one of create/read/write/append mode")
    for name, value in (("encoding", encoding), ("errors", errors), ("newline", newline)):
        if value is not None and not isinstance(value, str):
            raise TypeError(f"open() argument '{name}' must be str or None, not {type(value).__name__}")
        if binary and value is not None:
            article = "an" if name in ("encoding", "errors") else "a"
            raise ValueError(f"binary mode doesn't take {article} {name} argument")


def _flags(kind: str, plus: bool) -> int:
    flags = os.O_RDWR if plus else os.O_RDONLY if kind == "r" else os.O_WRONLY
    more = {"r": 0, "w": os.O_CREAT | os.O_TRUNC, "x": os.O_CREAT | os.O_EXCL, "a": os.O_CREAT | os.O_APPEND}
    return flags | more[kind]


def os_open(path: object, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
    """`os.open`."""
    if dir_fd is not None:
        raise NotImplementedError("dir_fd unavailable on this platform")
    access = flags & (os.O_RDONLY | os.O_WRONLY | os.O_RDWR)
    writes = bool(access & os.O_WRONLY)
    return open_files.open_at_host(
        path,
        reads=bool(access & os.O_RDONLY) or not writes,
        writes=writes,
        appends=bool(flags & os.O_APPEND) and writes,
        creates=bool(flags & os.O_CREAT),
        exclusive=bool(flags & os.O_EXCL),
        truncates=bool(flags & os.O_TRUNC) and writes,
    )


def os_close(fd: int) -> None:
    """`os.close`."""
    open_files.close(fd)


def closerange(fd_low: int, fd_high: int, /) -> None:
    """`os.closerange`."""
    for number in range(max(3, fd_low), min(fd_high, 10_000)):
        try:
            open_files.close(number)
        except OSError:
            continue


def os_read(fd: int, length: int, /) -> bytes:
    """`os.read`."""
    if length < 0:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    return b"" if fd == 0 else bytes(open_files.of(fd).read(length))


def os_write(fd: int, data: object, /) -> int:
    """`os.write`; descriptors 1 and 2 are the streams of `print`."""
    if fd in (1, 2):
        stream = sys.__stdout__ if fd == 1 else sys.__stderr__
        return stream.buffer.write(bytes(data))
    return open_files.of(fd).write(memoryview(data).cast("B"))


def pread(fd: int, length: int, offset: int, /) -> bytes:
    """`os.pread`."""
    return bytes(open_files.of(fd).read(length, offset))


def pwrite(fd: int, data: object, offset: int, /) -> int:
    """`os.pwrite`."""
    return open_files.of(fd).write(memoryview(data).cast("B"), offset)


def os_readinto(fd: int, buffer: object, /) -> int:
    """`os.readinto`."""
    target = memoryview(buffer).cast("B")
    data = open_files.of(fd).read(len(target))
    target[: len(data)] = data
    return len(data)


def lseek(fd: int, position: int, whence: int, /) -> int:
    """`os.lseek`."""
    return open_files.of(fd).seek(position, whence)


def ftruncate(fd: int, length: int, /) -> None:
    """`os.ftruncate`."""
    open_files.of(fd).truncate(length)


def fsync(fd: int) -> None:
    """`os.fsync`, `os.fdatasync`: only checks the descriptor, because the host already has all written data."""
    open_files.of(fd if isinstance(fd, int) else fd.fileno())


def dup(fd: int, /) -> int:
    """`os.dup`."""
    return open_files.number_for(open_files.of(fd))


def isatty(fd: int, /) -> bool:
    """`os.isatty`: False, because the guest has no terminal."""
    return False


REPLACED = {
    "open": os_open,
    "close": os_close,
    "closerange": closerange,
    "read": os_read,
    "readinto": os_readinto,
    "write": os_write,
    "pread": pread,
    "pwrite": pwrite,
    "lseek": lseek,
    "ftruncate": ftruncate,
    "fsync": fsync,
    "fdatasync": fsync,
    "dup": dup,
    "isatty": isatty,
}
"""The replacements for the functions of `os` that take open files."""
