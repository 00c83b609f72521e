"""The audit record of one run as JSON values. Pure."""

import hashlib
from datetime import UTC, datetime
from typing import Any

from codeact_bridges.text import cut_text
from codeact_bridges.values import RunResult

MAX_VALUE_BYTES = 64_000
"""Bytes of a value in plain text that are recorded."""

MAX_LISTED = 1_000
"""Longest list of calls, and of accesses, in one record. `calls_made` and `accesses_made` count all of them."""


def audit_record(run_id: str, owner: str, code: str, result: RunResult, *, values: bool) -> dict[str, Any]:
    """The record as JSON values. `values`: programs, arguments and values in plain text instead of digests.

    `owner` is always hashed: over HTTP it contains a session identifier, which is enough to act as that client.
    """

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
        "value": cut_text(shown(result.value.text), MAX_VALUE_BYTES)[0] if result.value is not None else None,
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
