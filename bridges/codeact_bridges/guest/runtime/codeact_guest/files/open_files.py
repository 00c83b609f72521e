"""The table of open files: positions, read-ahead, and the descriptor numbers that `os` uses.

A call to the host costs 0.2 ms, so opening a file also returns its beginning, a read fetches more than was requested,
and a close is reported with the next call.
"""

import errno
import io
import os
from binascii import a2b_base64, b2a_base64

from codeact_guest import host
from codeact_guest.files import mounts

FIRST_AHEAD = 64 << 10
"""How many bytes opening a file for reading returns with it."""

MAX_CLOSED = 32
"""How many closed files may be unreported: the host limits the number of open ones."""

_table: dict[int, "OpenFile"] = {}

_written: dict[tuple[int, int], int] = {}
"""How often each file was written to, by device and inode: a write invalidates what was read ahead before."""


def packed(data: memoryview) -> str:
    """Encode bytes as text, the inverse of `unpacked`: ASCII, as most long data is, unchanged, the rest in base64."""
    content = bytes(data)
    if content.isascii() and b"\0" not in content:
        return "a" + content.decode()
    return "b" + b2a_base64(content, newline=False).decode()


def unpacked(text: str) -> bytes:
    """Decode text that the host packed (`codeact_bridges/files/operations.py`)."""
    return text.encode()[1:] if text.startswith("a") else a2b_base64(memoryview(text.encode())[1:])


class OpenFile:
    """An open file with a position; several descriptor numbers may refer to it."""

    def __init__(
        self, path: object, answer: dict[str, object], ahead: bytes, *, reads: bool, writes: bool, appends: bool
    ) -> None:
        self.path = path
        self.reads, self.writes, self.appends = reads, writes, appends
        self.handle: int | None = answer["handle"]
        facts = answer["facts"]
        self.key = (facts[2], facts[1])
        self.facts: list[int] = facts
        self.position = 0
        self.numbers = 0
        self._ahead = ahead
        self._ahead_at = 0
        self._ahead_version = _written.get(self.key, 0)
        self._step = FIRST_AHEAD

    @property
    def is_whole(self) -> bool:
        """Whether opening returned the whole file and nothing can change it."""
        return self.handle is None

    def read(self, length: int, at: int | None = None) -> bytes | memoryview:
        """Read up to `length` bytes; fewer only at the file's end."""
        start = self.position if at is None else at
        data = self._from_ahead(start, length)
        if data is None:
            data = self._fetch(start, length)
        elif len(data) < length and not self.is_whole:
            rest = self._fetch(start + len(data), length - len(data))
            data = b"".join((data, rest)) if rest else data
        if at is None:
            self.position = start + len(data)
        return data

    def read_all(self) -> bytes:
        """Read from the position to the file's end."""
        self._need(self.reads)
        if self.is_whole or self._covers_all():
            data = bytes(memoryview(self._ahead)[self.position :])
            self.position += len(data)
            return data
        expected = self.stat()[4] - self.position
        # BytesIO returns its buffer without a copy, so a large file is in memory once.
        whole = io.BytesIO()
        if expected > 0:
            whole.seek(expected)
            whole.write(b"\0")
            whole.seek(0)
        data = self._from_ahead(self.position, len(self._ahead)) or b""
        start = self.position + whole.write(data)
        self._ahead = b""
        while data := self._call_read(start, mounts.state.chunk_bytes):
            start += whole.write(data)
        whole.truncate()
        self.position = start
        return whole.getvalue()

    def write(self, data: memoryview, at: int | None = None) -> int:
        """Write `data` and return how many bytes fitted. Raises `OSError` if none did."""
        self._need(self.writes)
        start = self.position if at is None else at
        done = 0
        while done < len(data):
            piece = data[done : done + mounts.state.chunk_bytes]
            place = "null" if self.appends else start + done
            head = f'{{"handle":{self.handle},"at":{place},"closed":{mounts.take_closed()}}}'
            _written[self.key] = _written.get(self.key, 0) + 1
            try:
                end = host.call_text("files.write", f"{head}\n{packed(piece)}")
            except OSError as exc:
                if done:
                    break
                raise mounts.renamed(exc, self.path) from None
            done += len(piece)
            if at is None:
                self.position = end
        return done

    def truncate(self, size: int) -> None:
        self._need(self.writes)
        if size < 0:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        _written[self.key] = _written.get(self.key, 0) + 1
        host.call("files.truncate", handle=self.handle, size=size, closed=mounts.take_closed())

    def seek(self, offset: int, whence: int = 0) -> int:
        match whence:
            case 0:
                target = offset
            case 1:
                target = self.position + offset
            case 2:
                target = self.stat()[4] + offset
            case _:
                raise ValueError(f"invalid whence ({whence}, should be 0, 1 or 2)")
        if target < 0:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        self.position = target
        return target

    def stat(self) -> list[int]:
        """The host's `stat` fields: mode, inode, device, links, size, and three times in ns."""
        if self.handle is None:
            return self.facts
        return host.call("files.fstat", handle=self.handle, closed=mounts.take_closed())

    def release(self) -> None:
        """Drop one descriptor number; the last one closes the file."""
        self.numbers -= 1
        if self.numbers <= 0 and self.handle is not None:
            mounts.state.closed.append(self.handle)
            self.handle = None
            self._ahead = b""
            if len(mounts.state.closed) >= MAX_CLOSED:
                host.call("files.close", closed=mounts.take_closed())

    def _need(self, allowed: bool) -> None:
        if not allowed:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))

    def _covers_all(self) -> bool:
        """Whether the data read ahead is the whole file (it was shorter than the request) and is still valid."""
        current = self._ahead_version == _written.get(self.key, 0)
        return current and self._ahead_at == 0 and len(self._ahead) == self.facts[4] < FIRST_AHEAD and not self.writes

    def _from_ahead(self, start: int, length: int) -> bytes | memoryview | None:
        self._need(self.reads)
        if self.is_whole:
            return memoryview(self._ahead)[start : start + length]
        offset = start - self._ahead_at
        if not 0 <= offset < len(self._ahead) or self._ahead_version != _written.get(self.key, 0):
            return None
        return memoryview(self._ahead)[offset : offset + length]

    def _fetch(self, start: int, length: int) -> bytes | memoryview:
        """Read from `start` in as many calls as needed; bytes beyond `length` stay as read-ahead."""
        if length <= 0:
            return b""
        if start == self._ahead_at + len(self._ahead):
            self._step = min(self._step * 4, mounts.state.chunk_bytes)
        else:
            self._step = FIRST_AHEAD
        pieces: list[bytes | memoryview] = []
        missing = length
        while missing > 0:
            wanted = min(max(missing, self._step), mounts.state.chunk_bytes)
            version = _written.get(self.key, 0)
            data = self._call_read(start, wanted)
            self._ahead, self._ahead_at, self._ahead_version = data, start, version
            pieces.append(memoryview(data)[:missing] if len(data) > missing else data)
            start += len(data)
            missing -= len(data)
            if len(data) < wanted:
                break
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _call_read(self, start: int, length: int) -> bytes:
        request = f'{{"handle":{self.handle},"at":{start},"length":{length},"closed":{mounts.take_closed()}}}'
        try:
            return unpacked(host.call_raw("files.read", request))
        except OSError as exc:
            raise mounts.renamed(exc, self.path) from None


def open_at_host(
    path: object,
    *,
    reads: bool,
    writes: bool,
    appends: bool = False,
    creates: bool = False,
    exclusive: bool = False,
    truncates: bool = False,
) -> int:
    """Open a file on the host and return its descriptor number."""
    head, _, ahead = mounts.call_raw(
        "files.open",
        path,
        access=("r" if reads else "") + ("w" if writes else ""),
        append=appends,
        create=creates,
        exclusive=exclusive,
        truncate=truncates,
        ahead=FIRST_AHEAD if reads and not writes else 0,
    ).partition("\n")
    opened = OpenFile(path, host.from_text(head), unpacked(ahead), reads=reads, writes=writes, appends=appends)
    if truncates:
        _written[opened.key] = _written.get(opened.key, 0) + 1
    return number_for(opened)


def number_for(opened: OpenFile) -> int:
    """Assign a descriptor number to an open file: the lowest free one, as POSIX does."""
    number = 3
    while number in _table:
        number += 1
    _table[number] = opened
    opened.numbers += 1
    return number


def of(number: int) -> OpenFile:
    """The open file with this descriptor number."""
    opened = _table.get(number)
    if opened is None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    return opened


def close(number: int) -> None:
    of(number)
    _table.pop(number).release()
