"""One run in one worker: from its order to its result, whatever its guest does.

guest calls                           answered by
tools.…                               `tool_calls.py`
async.submit|wait|cancel              `async_operations.py`
clock.sleep, modules.…, display.…     `guest_host.py`
everything else                       the bridges that the operator configured (`bridge.py`)
"""

import json
import logging
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from codeact_bridges.errors import EngineUnavailable, GuestDied, SessionLost, TooBusy
from codeact_bridges.limits import Limits
from codeact_bridges.runs.deadline import EndedBy
from codeact_bridges.runs.guest_host import Bridges, RunGuestHost
from codeact_bridges.runs.handle import RunHandle
from codeact_bridges.sandbox.port import EngineInfo, Worker
from codeact_bridges.values import Failure, RunResult, Value

log = logging.getLogger(__name__)

BYTE_ORDER_MARK = "\ufeff"
"""Editors on Windows put it before the text of a file. Python skips it in a file, but not in a string."""


class Workers(Protocol):
    """Where a run gets its sandbox: the pool, or a session that holds one."""

    def worker(self) -> AbstractAsyncContextManager[Worker]:
        """Provide a worker for the length of the block. An exception that leaves the block ends the worker."""
        ...


async def run_program(handle: RunHandle, workers: Workers, bridges: Bridges, limits: Limits) -> RunResult:
    """Run the ordered program, and return how it went. A program that fails is a result, too.

    Cancelling this kills the guest and cancels its calls in flight. The result has the whole value, and all output up
    to `limits.kept_output_bytes`.
    """
    host = RunGuestHost(handle, bridges, limits)
    info = EngineInfo("none", "nothing was run")
    value: Value | None = None
    failure = _refusal(handle.order.code, limits)
    if failure is not None:
        return host.result(info, failure=failure)
    deadline, deadline_s = handle.deadline, handle.deadline_s
    try:
        async with workers.worker() as worker, host.opened():
            handle.begin()
            info = worker.info
            with deadline.running(deadline_s, max(deadline_s, limits.total_s)):
                code = handle.order.code.removeprefix(BYTE_ORDER_MARK)
                order = json.dumps({"code": code, **host.init}, ensure_ascii=False)
                value, failure = host.outcome(await worker.run(order, host))
            if deadline.ended_by is not None:
                # An exception, so that the worker is killed on the way out.
                raise _Ended(deadline.ended_by)  # noqa: TRY301
    except _Ended as exc:
        failure = _ended(exc.by, handle, limits)
    except GuestDied as exc:
        log.warning("a guest died: %s", exc.reason)
        failure = Failure("died", exc.reason)
    except (EngineUnavailable, SessionLost, TooBusy) as exc:
        failure = Failure("refused", str(exc))
    return host.result(info, value=value, failure=failure)


class _Ended(Exception):
    def __init__(self, by: EndedBy) -> None:
        self.by: EndedBy = by


def _ended(by: EndedBy, handle: RunHandle, limits: Limits) -> Failure:
    match by:
        case "guest time":
            more = f"pass timeout_s (up to {limits.max_deadline_s:g}), or do less in one program"
            return Failure("deadline", f"stopped after {handle.deadline_s:g} s, the program's deadline: {more}")
        case "wall time":
            bound = f"{limits.total_s:g} s in all, waiting included (setting codeact.limits.total_s)"
            return Failure("deadline", f"stopped after {bound}")
        case "stop":
            return Failure("cancelled", handle.stopped_because)


def _refusal(code: str, limits: Limits) -> Failure | None:
    """Why this code cannot be run at all."""
    try:
        size = len(code.encode())
    except UnicodeEncodeError as exc:
        return Failure(
            "refused", f"the program has an unpaired surrogate at position {exc.start}, which is not valid text"
        )
    if size > limits.code_bytes:
        allowed = f"{limits.code_bytes:,} are allowed (setting codeact.limits.code_bytes)"
        return Failure("refused", f"code: the program is {size:,} bytes long; {allowed}")
    return None
