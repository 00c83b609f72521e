"""The account of each run: one JSON line in a file, where the operator wants one.

Programs, arguments and values stand there as their SHA-256, unless the operator asked for them as they are.
"""

import json
import logging
import os
from pathlib import Path
from typing import Annotated

import anyio
import anyio.to_thread
from pydantic import BaseModel, Field

from codeact_bridges.values import RunResult
from codeact_server.observability.audit_record import entry


class AuditSettings(BaseModel, extra="forbid", frozen=True):
    """The key `codeact.audit`."""

    path: Annotated[str, Field(min_length=1, max_length=4_000)]
    """The file that gets one JSON line for each run; made with mode 0600, appended to."""

    values: bool = False
    """Write programs, arguments and results as they are. Otherwise only their SHA-256."""


log = logging.getLogger(__name__)


class AuditUnavailable(Exception):
    """The account of runs that the operator wants could not be kept."""


class AuditLog:
    """Appends to one file. A line that cannot be written is an error in the log, never one of the run."""

    def __init__(self, settings: AuditSettings) -> None:
        self._path, self._values = Path(settings.path), settings.values
        self._one_at_a_time = anyio.Lock()

    def check(self) -> None:
        """Find out before the first run whether the file can be written to.

        Raises:
            AuditUnavailable: it cannot.
        """
        try:
            self._append(b"")
        except OSError as exc:
            raise AuditUnavailable(f"codeact.audit.path: {self._path} cannot be written: {exc.strerror}") from exc

    async def write(self, run_id: str, owner: str, code: str, result: RunResult) -> None:
        """Write the account of a run that is over."""
        line = json.dumps(entry(run_id, owner, code, result, values=self._values), ensure_ascii=False)
        async with self._one_at_a_time:
            try:
                await anyio.to_thread.run_sync(self._append, line.encode("utf-8", "backslashreplace") + b"\n")
            except OSError as exc:
                log.error("the audit log %s cannot be written: %s", self._path, exc)  # noqa: TRY400

    def _append(self, line: bytes) -> None:
        # Unbuffered: one line is one write, which other processes' lines do not come between.
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "ab", buffering=0) as file:
            file.write(line)
