"""stdout, stderr, `print`, `input`. Output is sent at once, so that none is lost when the guest is killed."""

import builtins
import codecs
import getpass
import io
import re
import sys
import warnings

from codeact_guest import errors, host

PIECE_CHARS = 60_000
"""Longest text sent in one piece."""


_left_bytes: float = float("inf")
_limit_bytes = 0


def allow(limit_bytes: int | None) -> None:
    """Set how much the next program may print. The host enforces the same limit, whatever the guest does."""
    global _left_bytes, _limit_bytes
    _limit_bytes = limit_bytes or 0
    _left_bytes = float("inf") if limit_bytes is None else limit_bytes


class _ToHost(io.RawIOBase):
    """The byte layer below a text stream, for programs that write to `sys.stdout.buffer`."""

    def __init__(self, stream: int) -> None:
        super().__init__()
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        raise io.UnsupportedOperation("fileno")

    def write(self, data: bytes) -> int:
        if text := self._decoder.decode(bytes(data)):  # empty for an incomplete character, whose rest comes later
            _send(self._stream, text)
        return len(data)


class Console(io.TextIOWrapper):
    """`sys.stdout` and `sys.stderr`: unbuffered, in order."""

    def __init__(self, stream: int) -> None:
        super().__init__(_ToHost(stream), encoding="utf-8", errors="backslashreplace", write_through=True)
        self._stream = stream

    def write(self, text: str, /) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if self.closed:
            raise ValueError("I/O operation on closed file.")
        if text:
            _send(self._stream, text)
        return len(text)


def _send(stream: int, text: str) -> None:
    global _left_bytes
    size = len(text)
    if text.isascii() and size <= PIECE_CHARS and size <= _left_bytes:  # the usual case
        host.print_text(stream, text)
        _left_bytes -= size
        return
    data = text.encode("utf-8", "backslashreplace")
    if len(data) > _left_bytes:
        text = data[: int(_left_bytes)].decode(errors="ignore")
    elif len(data) != len(text):
        text = data.decode()
    for start in range(0, len(text), PIECE_CHARS):
        host.print_text(stream, text[start : start + PIECE_CHARS])
    over = len(data) > _left_bytes
    _left_bytes = max(0, _left_bytes - len(data))
    if over:
        raise errors.BudgetSpent(
            f"this run has printed {_limit_bytes:,} bytes, its limit (setting codeact.limits.kept_output_bytes)"
        )


_print = builtins.print


def print_in_one_piece(
    *values: object, sep: str | None = " ", end: str | None = "\n", file: object = None, flush: bool = False
) -> None:
    """The built-in `print`, with one write for text and line end: each write costs 13 µs, whatever its length."""
    target = sys.stdout if file is None else file
    if (
        not isinstance(target, Console)
        or not (sep is None or isinstance(sep, str))
        or not (end is None or isinstance(end, str))
    ):
        _print(*values, sep=sep, end=end, file=file, flush=flush)
        return
    target.write((" " if sep is None else sep).join([str(value) for value in values]) + ("\n" if end is None else end))


def no_input(prompt: object = "", /) -> str:
    """`input`: raises, because no person can answer."""
    raise RuntimeError(
        "input() is not available: the program runs unattended. Put the value into the program, "
        "or end the program with the question as its result"
    )


_OUR_FRAME = re.compile(rf'\n  File "{re.escape(__file__.rpartition("/")[0])}/.*')
_python_format_warning = warnings.formatwarning


def _format_warning(
    message: object, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    """Format a warning, with the source line if it is the program's; the library's source is not available."""
    text = _OUR_FRAME.sub("", str(message))
    if filename.startswith("/"):
        return f"{category.__name__}: {text}\n"
    return _python_format_warning(text, category, filename, lineno, line)


def install() -> None:
    """Install these streams and functions for the program."""
    sys.stdout, sys.stderr = Console(1), Console(2)
    sys.__stdout__, sys.__stderr__ = sys.stdout, sys.stderr
    sys.stdin = sys.__stdin__ = io.StringIO()
    print_in_one_piece.__name__ = print_in_one_piece.__qualname__ = "print"
    builtins.print = print_in_one_piece
    builtins.input = getpass.getpass = no_input
    warnings.formatwarning = _format_warning
