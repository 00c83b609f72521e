"""What a run tells while it runs, and who records it when it is over."""

from collections.abc import Callable
from typing import Protocol, TypeAlias

from codeact_bridges.values import CallProgress, CallRecord, Preparing, Printed, RunResult

RunEvent: TypeAlias = Preparing | Printed | CallRecord | CallProgress
"""A long wait for the sandbox, a piece of output, a tool call that has ended, or the progress of one that has not."""

RunObserver: TypeAlias = Callable[[RunEvent], None]
"""Gets each event as it happens. Must not block, and must not raise."""


class RunRecorder(Protocol):
    """Records every run that is over, for the operator."""

    async def record(self, run_id: str, owner: str, code: str, result: RunResult) -> None:
        """Write the record of one run. `run_id` is its public id. A failure to write must not raise."""
        ...
