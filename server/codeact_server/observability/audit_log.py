"""The account of each run: one JSON line in a file, where the operator wants one.

Programs, arguments and values stand there as their SHA-256, unless the operator asked for them as they are.
"""

import hashlib
import json
import logging
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from codeact_bridges.values import RunResult
from codeact_server.config.load import Audit

log = logging.getLogger(__name__)

MAX_LISTED = 1_000
"""Calls and accesses written for one run; the line says how many there were."""


class AuditUnavailable(Exception):
    """The account of runs that the operator wants could not be kept."""


class AuditLog:
    """Appends to one file. A line that cannot be written is an error in the log, never one of the run."""

    def __init__(self, settings: Audit) -> None:
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


def entry(run_id: str, owner: str, code: str, result: RunResult, *, values: bool) -> dict[str, Any]:
    """The account as plain values. `owner` is hashed always: on HTTP it holds what lets one act as that client."""

    def shown(text: str) -> str:
        return text if values else f"sha256:{digest(text)}"

    return {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "run": run_id,
        "client": digest(owner)[:16],
        "code": shown(code),
        "engine": result.engine,
        "isolation": result.isolation,
        "duration_ms": round(result.duration_s * 1000, 1),
        "outcome": result.failure.kind if result.failure is not None else "ended",
        "printed_bytes": sum(len(piece.text.encode()) for piece in result.output.pieces) + result.output.cut_bytes,
        "value": shown(result.value.text) if result.value is not None else None,
        "calls": [
            {
                "tool": call.tool,
                "arguments": call.arguments if values else f"sha256:{call.sha256}",
                "decision": call.decision,
                "outcome": call.outcome,
                "started_ms": round(call.started_s * 1000, 1),
                "duration_ms": round(call.duration_s * 1000, 1),
                "bytes": call.bytes,
            }
            for call in result.calls[:MAX_LISTED]
        ],
        "calls_made": len(result.calls),
        "accesses": [
            {
                "what": access.what if values else f"sha256:{digest(access.what)}",
                "decision": access.decision,
                "rule": access.rule,
                "bytes": access.bytes,
                "duration_ms": round(access.duration_s * 1000, 1),
            }
            for access in result.accesses[:MAX_LISTED]
        ],
        "accesses_made": len(result.accesses),
    }


def digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
