"""One run: its tasks, its deadline, its budget, and an answer to everything its guest asks.

guest asks                            answered by
tools.…                               `tool_calls.py`
async.submit|wait|cancel              `under_way.py`
clock.sleep                           here
modules.get|data|list                 the modules port
display.value|media                   here
network.request                       here, with a refusal, unless a bridge does it
whatever else                         the bridges that the operator configured (`lending.py`)
"""

import json
import logging
from contextlib import AbstractAsyncContextManager
from typing import Literal, Protocol

from codeact_bridges.approval.gate import ApprovalGate
from codeact_bridges.errors import EngineUnavailable, GuestDied, SessionLost, TooBusy
from codeact_bridges.limits import Limits
from codeact_bridges.runs.deadline import Deadline
from codeact_bridges.runs.guest_host import Bridges, RunGuestHost
from codeact_bridges.runs.observer import NullObserver, RunObserver
from codeact_bridges.runs.result_store import StoreResult, shortened
from codeact_bridges.sandbox.port import EngineInfo, Worker
from codeact_bridges.tools.port import ClientRequests
from codeact_bridges.values import Failure, RunResult, Value

log = logging.getLogger(__name__)


class Workers(Protocol):
    """Where a run gets its sandbox: the pool, or a session that keeps one."""

    def worker(self) -> AbstractAsyncContextManager[Worker]:
        """A worker for the length of the block; one that raises ends the worker."""
        ...


async def run_program(
    code: str,
    *,
    deadline_s: float,
    pool: Workers,
    bridges: Bridges,
    limits: Limits,
    gate: ApprovalGate | None = None,
    observer: RunObserver | None = None,
    deadline: Deadline | None = None,
    keep: StoreResult | None = None,
    client_requests: ClientRequests | None = None,
) -> RunResult:
    """Run `code` in a fresh guest and say how it went; a program that fails is a result too.

    Cancelling this kills the guest and cancels the calls it has under way.

    Args:
        code: Python source, at most `limits.code_bytes` long in UTF-8.
        deadline_s: seconds of the guest's own time. Waiting for a free worker or for a person does not count.
        consent: who decides about single calls; without it every call is allowed.
        deadline: made by the caller where it wants to stop the run and still have its result.
        answerer: who answers what servers ask in the middle of calls; without it nobody does.
        keep: where output and values go that are over `limits.output_bytes`; without it they are cut and gone.
    """
    result = await _run_program(
        code, deadline_s, pool, bridges, limits, gate, observer, deadline or Deadline(), client_requests
    )
    return shortened(result, limits.output_bytes, keep)


async def _run_program(
    code: str,
    deadline_s: float,
    pool: Workers,
    bridges: Bridges,
    limits: Limits,
    gate: ApprovalGate | None,
    observer: RunObserver | None,
    deadline: Deadline,
    client_requests: ClientRequests | None,
) -> RunResult:
    """As `run_program`, with all of the output and of the value."""
    run = RunGuestHost(code, bridges, limits, gate, observer or NullObserver(), deadline, client_requests)
    refusal = _not_runnable(code, limits)
    if refusal is not None:
        return run.result(EngineInfo("none", "nothing was run"), failure=refusal)
    info = EngineInfo("none", "nothing was run")
    failure: Failure | None = None
    value: Value | None = None
    try:
        async with pool.worker() as worker, run.begun():
            info = worker.info
            with deadline.running(deadline_s, max(deadline_s, limits.total_s)):
                outcome = await worker.run(json.dumps({"code": code, **run.init}, ensure_ascii=False), run)
                value, failure = run.end(outcome)
            if deadline.ended_by is not None:
                # Out of the pool's block with an exception, so that the worker is killed.
                raise _Ended(deadline.ended_by)  # noqa: TRY301
    except _Ended as exc:
        failure = _ended(exc.by, deadline_s, limits)
    except GuestDied as exc:
        log.warning("a guest died: %s", exc.reason)
        failure = Failure("died", exc.reason)
    except (EngineUnavailable, SessionLost, TooBusy) as exc:
        failure = Failure("refused", str(exc))
    return run.result(info, value=value, failure=failure)


class _Ended(Exception):
    def __init__(self, by: Literal["own", "total", "stop"]) -> None:
        self.by: Literal["own", "total", "stop"] = by


def _ended(by: Literal["own", "total", "stop"], deadline_s: float, limits: Limits) -> Failure:
    match by:
        case "own":
            more = f"pass timeout_s (up to {limits.max_deadline_s:g}), or do less in one program"
            return Failure("deadline", f"stopped after {deadline_s:g} s, the program's deadline: {more}")
        case "total":
            bound = f"{limits.total_s:g} s in all, waiting included (setting codeact.limits.total_s)"
            return Failure("deadline", f"stopped after {bound}")
        case "stop":
            return Failure("cancelled", "stopped on request")


def _not_runnable(code: str, limits: Limits) -> Failure | None:
    try:
        size = len(code.encode())
    except UnicodeEncodeError as exc:
        return Failure("refused", f"the program holds half a character at position {exc.start}, which UTF-8 cannot say")
    if size > limits.code_bytes:
        allowed = f"{limits.code_bytes:,} are allowed (setting codeact.limits.code_bytes)"
        return Failure("refused", f"code: the program is {size:,} bytes long; {allowed}")
    return None
