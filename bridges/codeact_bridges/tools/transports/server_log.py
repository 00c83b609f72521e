"""What one server says besides its answers: its stderr and its log messages, in a file of bounded size. The end of its
stderr stays in memory, for the reason of a failure."""

import json
import logging
import os
from pathlib import Path

from codeact_bridges.text import cut, one_line

log = logging.getLogger(__name__)

LOG_FILE_BYTES = 1_000_000
"""Size of a log file; one older file is kept beside it."""

TAIL_CHARS = 600

MAX_MESSAGE = 2_000
"""Characters kept of one log message."""


class ServerLog:
    """The log of one server, over all its connections."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._tail = ""

    @property
    def tail(self) -> str:
        """What was written to stderr last."""
        return cut(one_line(self._tail[-TAIL_CHARS:], TAIL_CHARS), TAIL_CHARS)

    def begin(self) -> None:
        """A new process: what the last one said is no reason for what becomes of this one."""
        self._tail = ""

    def write(self, data: bytes) -> None:
        """A piece of stderr."""
        self._tail = (self._tail + data[-4 * TAIL_CHARS :].decode(errors="replace"))[-TAIL_CHARS:]
        self._keep(data)

    def write_message(self, level: str, logger: str | None, data: object) -> None:
        """A log message, which the protocol carries (`notifications/message`)."""
        text = data if isinstance(data, str) else json.dumps(data, default=repr, ensure_ascii=False)
        who = f" {one_line(logger, 80)}" if logger else ""
        self._keep(f"[{one_line(level, 20)}{who}] {one_line(text, MAX_MESSAGE)}\n".encode(errors="replace"))

    def _keep(self, data: bytes) -> None:
        if self.path is None:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if self.path.exists() and self.path.stat().st_size + len(data) > LOG_FILE_BYTES:
                self.path.replace(self.path.with_suffix(".old.log"))
            # For its owner only: servers write tokens and queries into their logs.
            with open(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as file:  # noqa: PTH123
                file.write(data)
        except OSError as exc:  # a full disk must not take the server with it
            log.warning("no longer writing %s: %s", self.path, exc)
            self.path = None
