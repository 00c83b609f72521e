"""What a server writes besides its answers: its stderr and its log messages, in a file of bounded size. The end of its
stderr stays in memory, for the reason of a failure.

The file is written by a thread of its own. `write` only copies into a buffer, so that a slow or dead disk holds up
neither the event loop nor the server; a full buffer drops what comes next, and the file says how much.
"""

import json
import logging
import os
import threading
from contextlib import suppress
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path

import anyio
import anyio.to_thread

from codeact_bridges.text import cut, one_line

log = logging.getLogger(__name__)

LOG_FILE_BYTES = 1_000_000
"""Largest size of a log file; one older file stays beside it."""

MAX_BUFFERED_BYTES = LOG_FILE_BYTES
"""What may wait for the disk: as much as the file holds, since more would rotate the first of it away. Twice that in
memory, with what the thread is writing."""

MAX_WRITE_BYTES = 65_536
"""Written at once. The handler rotates before a write, never within one."""

CLOSE_TIMEOUT_S = 0.5
"""How long `aclose` waits for the disk. With the 3 s that a connection may take to close, within the 4 s of all
servers."""

TAIL_CHARS = 600

MAX_MESSAGE_CHARS = 2_000
"""Of one log message; the rest is cut off."""


class ServerLog:
    """The log of one server, over all its connections. Its owner calls `aclose`."""

    def __init__(self, path: Path | None) -> None:
        """Without a `path` only the end of stderr is stored."""
        self.path = path
        self._tail = ""
        self._writer = _Writer(path) if path is not None else None

    @property
    def tail(self) -> str:
        """The end of what the current process wrote to stderr."""
        return cut(one_line(self._tail[-TAIL_CHARS:], TAIL_CHARS), TAIL_CHARS)

    def begin_process(self) -> None:
        """Forget the tail: what the last process wrote does not explain a failure of the next."""
        self._tail = ""

    def write(self, data: bytes) -> None:
        """Append a piece of stderr. Never blocks."""
        self._tail = (self._tail + data[-4 * TAIL_CHARS :].decode(errors="replace"))[-TAIL_CHARS:]
        self._append(data)

    def write_message(self, level: str, logger: str | None, data: object) -> None:
        """Append a log message that the server sent (`notifications/message`). Never blocks."""
        text = data if isinstance(data, str) else json.dumps(data, default=repr, ensure_ascii=False)
        source = f" {one_line(logger, 80)}" if logger else ""
        line = f"[{one_line(level, 20)}{source}] {one_line(text, MAX_MESSAGE_CHARS)}\n"
        self._append(line.encode(errors="replace"))

    async def aclose(self) -> None:
        """Wait until everything is written, at most `CLOSE_TIMEOUT_S`. What comes later is dropped."""
        if self._writer is not None:
            await self._writer.aclose()

    def _append(self, data: bytes) -> None:
        if self._writer is not None:
            self._writer.append(data)


class _Writer:
    """Writes what is appended, on a daemon thread that starts with the first of it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._buffer = bytearray()
        self._dropped_bytes = 0
        self._closed = False
        self._changed = threading.Condition()  # held for copies in memory, never for the disk
        self._thread: threading.Thread | None = None

    def append(self, data: bytes) -> None:
        with self._changed:
            if self._closed:
                return
            accepted = data[: MAX_BUFFERED_BYTES - len(self._buffer)]
            self._buffer += accepted
            self._dropped_bytes += len(data) - len(accepted)
            self._changed.notify()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=f"log {self._path.name}", daemon=True)
            self._thread.start()

    async def aclose(self) -> None:
        self._close()
        if self._thread is None:
            return
        with anyio.move_on_after(CLOSE_TIMEOUT_S, shield=True):
            await anyio.to_thread.run_sync(self._thread.join, CLOSE_TIMEOUT_S, abandon_on_cancel=True)
        if self._thread.is_alive():
            log.warning("still writing %s after %s s, given up", self._path, CLOSE_TIMEOUT_S)

    def _close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _run(self) -> None:
        handler = _PrivateRotatingFile(self._path)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            while batch := self._next_batch():
                for start in range(0, len(batch), MAX_WRITE_BYTES):
                    handler.write(batch[start : start + MAX_WRITE_BYTES])
                handler.close()  # so that it holds no descriptor while idle, and makes a removed file again
        except OSError as exc:  # a full disk must not stop the server
            log.warning("no longer writing %s: %s", self._path, exc)
            self._close()
            self._buffer.clear()
        finally:
            with suppress(OSError):  # what the failed write left in the stream fails again
                handler.close()

    def _next_batch(self) -> bytes:
        """Everything that waits, as soon as something does; empty at the end."""
        with self._changed:
            while not self._buffer and not self._closed:
                self._changed.wait()
            batch = bytes(self._buffer)
            self._buffer.clear()
            if self._dropped_bytes:
                batch += b"\n[codeact-mcp] %d bytes dropped: the disk was too slow\n" % self._dropped_bytes
                self._dropped_bytes = 0
            return batch


class _PrivateRotatingFile(RotatingFileHandler):
    """A file of bytes that only its owner can read: servers write tokens and queries into their logs.

    Latin-1 maps each byte to one character, so that the handler, which counts characters, counts bytes. The thread that
    makes it is the only one that uses it, without a lock: `logging.shutdown`, which locks, flushes and closes every
    handler when the process ends, would else wait for a disk that hangs.
    """

    terminator = ""

    def __init__(self, path: Path) -> None:
        super().__init__(path, maxBytes=LOG_FILE_BYTES, backupCount=1, encoding="latin-1", delay=True)
        self._path = path
        self._older = str(path.with_suffix(".old.log"))
        self._owner = threading.get_ident()

    def write(self, data: bytes) -> None:
        """Append `data`. Raises OSError."""
        self.emit(logging.makeLogRecord({"msg": data.decode("latin-1")}))

    def rotation_filename(self, default_name: str) -> str:
        return self._older

    def shouldRollover(self, record: logging.LogRecord) -> bool:  # noqa: N802  # logging's name
        # A FIFO or a device has no size: Python 3.13 asks for it and fails.
        is_regular = self._path.is_file() or not self._path.exists()
        return is_regular and bool(super().shouldRollover(record))

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # logging's name
        raise  # noqa: PLE0704  # it is called in the `except` of `emit`; by default the traceback is printed

    def acquire(self) -> None:
        pass

    def release(self) -> None:
        pass

    def flush(self) -> None:
        if threading.get_ident() == self._owner:
            super().flush()

    def close(self) -> None:
        if threading.get_ident() == self._owner:
            super().close()

    def _open(self) -> TextIOWrapper:
        return open(
            self.baseFilename,
            "a",
            encoding="latin-1",
            newline="",
            opener=lambda path, flags: os.open(path, flags, 0o600),
        )
