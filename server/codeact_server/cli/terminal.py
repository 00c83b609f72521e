"""Output of the commands on a terminal."""

import os
import sys

from codeact_bridges.runs.observer import RunEvent
from codeact_bridges.values import Printed


def stderr_line(line: str) -> None:
    """Write one line for the operator. Clients store our stderr in their log of this server."""
    print(f"codeact-mcp: {line}", file=sys.stderr, flush=True)  # noqa: T201


class TerminalObserver:
    """Writes a program's output while it is printed."""

    def __init__(self) -> None:
        self._in_line = False
        """Whether stdout ends in the middle of a line."""

    def __call__(self, event: RunEvent) -> None:
        if isinstance(event, Printed):
            self._in_line = self._in_line if event.stream == "stderr" else not event.text.endswith("\n")
            write(event.text, to_stderr=event.stream == "stderr")

    def line(self, text: str) -> None:
        """Write `text` to stdout as a line of its own."""
        write("\n" * self._in_line + text + "\n")
        self._in_line = False


def write(text: str, *, to_stderr: bool = False) -> None:
    """Write and flush. If the reader has exited, as `head` does, discard the output: that is not an error."""
    stream = sys.stderr if to_stderr else sys.stdout
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
