"""What a program has open: positions, reading ahead, and the numbers by which `os` knows a file.

A question costs 0.2 ms, so the beginning of a file comes with the answer to opening it, reading takes more than is
asked for, and closing is told along with the next question.
"""

import errno
import io
import os
from binascii import a2b_base64, b2a_base64

from codeact_guest import host as door
from codeact_guest.files import mounts as files

FIRST_AHEAD = 64 << 10
"""How much comes with a file that is opened for reading."""

MAX_CLOSED = 32
"""Closed files that the host is not told of yet: there is a bound on open ones."""

_table: dict[int, "Opened"] = {}

_written: dict[tuple[int, int], int] = {}
"""How often each file was written to, by device and inode: what was read ahead before is no longer true."""


def packed(data: memoryview) -> str:
    """Bytes as text, the other way round `unpacked`: base64, unless they are ASCII, as most of what is long is."""
    content = bytes(data)
    if content.isascii() and b"\0" not in content:
        return "a" + content.decode()
    return "b" + b2a_base64(content, newline=False).decode()


def unpacked(text: str) -> bytes:
    """What the host packed (`codeact_bridges/files/session.py`)."""
    return text.encode()[1:] if text.startswith("a") else a2b_base64(memoryview(text.encode())[1:])


class Opened:
    """An open file with a position; several numbers may stand for it."""

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
        self._ahead_when = _written.get(self.key, 0)
        self._step = FIRST_AHEAD

    @property
    def is_whole(self) -> bool:
        """All of it came with the opening, and nothing can change it."""
        return self.handle is None

    def read(self, length: int, at: int | None = None) -> bytes | memoryview:
        """Up to `length` bytes; fewer only at the end."""
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
        """From here to the end."""
        self._need(self.reads)
        if self.is_whole or self._covers_all():
            data = bytes(memoryview(self._ahead)[self.position :])
            self.position += len(data)
            return data
        expected = self.stat()[4] - self.position
        # BytesIO gives its buffer away as the result, so a large file is in memory once.
        whole = io.BytesIO()
        if expected > 0:
            whole.seek(expected)
            whole.write(b"\0")
            whole.seek(0)
        data = self._from_ahead(self.position, len(self._ahead)) or b""
        start = self.position + whole.write(data)
        self._ahead = b""
        while data := self._ask(start, files.state.chunk_bytes):
            start += whole.write(data)
        whole.truncate()
        self.position = start
        return whole.getvalue()

    def write(self, data: memoryview, at: int | None = None) -> int:
        """All of `data`, or as much as there was room for; nothing at all is an `OSError`."""
        self._need(self.writes)
        start = self.position if at is None else at
        done = 0
        while done < len(data):
            piece = data[done : done + files.state.chunk_bytes]
            place = "null" if self.appends else start + done
            head = f'{{"handle":{self.handle},"at":{place},"closed":{files.told_closed()}}}'
            _written[self.key] = _written.get(self.key, 0) + 1
            try:
                end = door.ask_text("files.write", f"{head}\n{packed(piece)}")
            except OSError as exc:
                if done:
                    break
                raise files.renamed(exc, self.path) from None
            done += len(piece)
            if at is None:
                self.position = end
        return done

    def truncate(self, size: int) -> None:
        self._need(self.writes)
        if size < 0:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        _written[self.key] = _written.get(self.key, 0) + 1
        door.ask("files.truncate", handle=self.handle, size=size, closed=files.told_closed())

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
        """As the host gives it: mode, inode, device, links, size, three times in ns."""
        if self.handle is None:
            return self.facts
        return door.ask("files.fstat", handle=self.handle, closed=files.told_closed())

    def release(self) -> None:
        """One number less; with the last it is closed."""
        self.numbers -= 1
        if self.numbers <= 0 and self.handle is not None:
            files.state.closed.append(self.handle)
            self.handle = None
            self._ahead = b""
            if len(files.state.closed) >= MAX_CLOSED:
                door.ask("files.close", closed=files.told_closed())

    def _need(self, allowed: bool) -> None:
        if not allowed:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))

    def _covers_all(self) -> bool:
        """What came along is less than was asked for, so it is all there is, and it is still true."""
        current = self._ahead_when == _written.get(self.key, 0)
        return current and self._ahead_at == 0 and len(self._ahead) == self.facts[4] < FIRST_AHEAD and not self.writes

    def _from_ahead(self, start: int, length: int) -> bytes | memoryview | None:
        self._need(self.reads)
        if self.is_whole:
            return memoryview(self._ahead)[start : start + length]
        offset = start - self._ahead_at
        if not 0 <= offset < len(self._ahead) or self._ahead_when != _written.get(self.key, 0):
            return None
        return memoryview(self._ahead)[offset : offset + length]

    def _fetch(self, start: int, length: int) -> bytes | memoryview:
        """The bytes from there, in as many questions as it takes; what was not asked for stays as read ahead."""
        if length <= 0:
            return b""
        if start == self._ahead_at + len(self._ahead):
            self._step = min(self._step * 4, files.state.chunk_bytes)
        else:
            self._step = FIRST_AHEAD
        pieces: list[bytes | memoryview] = []
        missing = length
        while missing > 0:
            wanted = min(max(missing, self._step), files.state.chunk_bytes)
            when = _written.get(self.key, 0)
            data = self._ask(start, wanted)
            self._ahead, self._ahead_at, self._ahead_when = data, start, when
            pieces.append(memoryview(data)[:missing] if len(data) > missing else data)
            start += len(data)
            missing -= len(data)
            if len(data) < wanted:
                break
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _ask(self, start: int, length: int) -> bytes:
        request = f'{{"handle":{self.handle},"at":{start},"length":{length},"closed":{files.told_closed()}}}'
        try:
            return unpacked(door.ask_raw("files.read", request))
        except OSError as exc:
            raise files.renamed(exc, self.path) from None


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
    """Open a file; returns its number."""
    head, _, ahead = files.ask_raw(
        "files.open",
        path,
        access=("r" if reads else "") + ("w" if writes else ""),
        append=appends,
        create=creates,
        exclusive=exclusive,
        truncate=truncates,
        ahead=FIRST_AHEAD if reads and not writes else 0,
    ).partition("\n")
    opened = Opened(path, door.from_text(head), unpacked(ahead), reads=reads, writes=writes, appends=appends)
    if truncates:
        _written[opened.key] = _written.get(opened.key, 0) + 1
    return number_for(opened)


def number_for(opened: Opened) -> int:
    """A number for an open file: the lowest that is free, as everywhere."""
    number = 3
    while number in _table:
        number += 1
    _table[number] = opened
    opened.numbers += 1
    return number


def of(number: int) -> Opened:
    """The open file with this number."""
    opened = _table.get(number)
    if opened is None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    return opened


def close(number: int) -> None:
    of(number)
    _table.pop(number).release()
