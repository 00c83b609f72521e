"""The audit log: one JSON line per run, appended to the file that the operator configured.

Programs, arguments and values are written as SHA-256 digests, unless the setting `values` is on.
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
from codeact_server.observability.audit_record import audit_record


class AuditSettings(BaseModel, extra="forbid", frozen=True):
    """The key `codeact.audit`."""

    path: Annotated[str, Field(min_length=1, max_length=4_000)]
    """The file that gets one JSON line for each run. Created with mode 0600; lines are appended."""

    values: bool = False
    """Write programs, arguments and results in plain text. Otherwise only their SHA-256 digests."""


log = logging.getLogger(__name__)


class AuditUnavailable(Exception):
    """The configured audit log cannot be written."""


class AuditLog:
    """Appends records to one file. A failed write is logged as an error and does not affect the run."""

    def __init__(self, settings: AuditSettings) -> None:
        self._path, self._values = Path(settings.path), settings.values
        self._lock = anyio.Lock()

    def check(self) -> None:
        """Check before the first run that the file can be written.

        Raises:
            AuditUnavailable: the file cannot be opened for appending.
        """
        try:
            self._append(b"")
        except OSError as exc:
            raise AuditUnavailable(f"codeact.audit.path: {self._path} cannot be written: {exc.strerror}") from exc

    async def record(self, run_id: str, owner: str, code: str, result: RunResult) -> None:
        """Append the record of a finished run."""
        line = json.dumps(audit_record(run_id, owner, code, result, values=self._values), ensure_ascii=False)
        async with self._lock:
            try:
                await anyio.to_thread.run_sync(self._append, line.encode("utf-8", "backslashreplace") + b"\n")
            except OSError as exc:
                log.error("the audit log %s cannot be written: %s", self._path, exc)  # noqa: TRY400

    def _append(self, line: bytes) -> None:
        # Unbuffered: each line is one write, so that lines of several processes do not mix.
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "ab", buffering=0) as file:
            file.write(line)
