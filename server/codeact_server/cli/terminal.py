"""What commands write to a terminal."""

import os
import sys

from codeact_bridges.runs.observer import NullObserver
from codeact_bridges.values import Printed


def stderr_line(line: str) -> None:
    """Tell the operator; clients keep stderr in their log of this server."""
    print(f"codeact-mcp: {line}", file=sys.stderr, flush=True)  # noqa: T201


class TerminalObserver(NullObserver):
    """Shows what a program prints while it runs."""

    def __init__(self) -> None:
        self._in_line = False
        """Whether what was printed last did not end its line."""

    def printed(self, piece: Printed) -> None:
        self._in_line = self._in_line if piece.stream == "stderr" else not piece.text.endswith("\n")
        write(piece.text, to_stderr=piece.stream == "stderr")

    def line(self, text: str) -> None:
        """A line of its own on stdout."""
        write("\n" * self._in_line + text + "\n")
        self._in_line = False


def write(text: str, *, to_stderr: bool = False) -> None:
    """Write at once. Whoever read our output may have gone, like `head`, which is no error of ours."""
    stream = sys.stderr if to_stderr else sys.stdout
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
