"""Runs programs as their orders say: in a sandbox of the pool or of a session, with what their clients may use."""

from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from functools import partial
from typing import Literal

from opentelemetry import trace

from codeact_bridges.approval.policy import Grants, Policy, RuleFormat
from codeact_bridges.errors import SandboxError
from codeact_bridges.limits import Limits
from codeact_bridges.runs.execute import Workers, run_program
from codeact_bridges.runs.guest_host import Bridges
from codeact_bridges.runs.handle import RunHandle, RunOrder
from codeact_bridges.runs.observer import RunObserver, RunRecorder
from codeact_bridges.runs.registry import RunRegistry
from codeact_bridges.runs.result_store import ResultStore
from codeact_bridges.runs.sessions import InterpreterSession, Sessions
from codeact_bridges.runs.shortening import shortened
from codeact_bridges.sandbox.pool import Pool
from codeact_bridges.sandbox.preparation import Preparation
from codeact_bridges.values import Failure, Preparing, ResultLink, RunResult

MAX_CLIENTS_REMEMBERED = 1_000
"""Clients whose users' permissions are remembered. The one that has been away longest is forgotten."""

tracer = trace.get_tracer("codeact-mcp")


class RunService:
    """Puts together what each run needs."""

    def __init__(
        self,
        bridges: Bridges,
        pool: Pool,
        sessions: Sessions,
        registry: RunRegistry,
        *,
        limits: Limits,
        policy: Policy,
        recorder: RunRecorder | None,
        preparation: Preparation,
        rules_in: RuleFormat = "toml",
    ) -> None:
        """Without a `recorder`, runs are not recorded. Runs that wait for the `preparation` of the sandbox say so.
        `rules_in` is the format of the configuration file."""
        self._bridges, self._pool, self._sessions, self._registry = bridges, pool, sessions, registry
        self._limits, self._policy, self._recorder = limits, policy, recorder
        self._rules_in: RuleFormat = rules_in
        self._preparation = preparation
        self.results = ResultStore(limits.kept_bytes, message_bytes=limits.message_bytes)
        self._grants: OrderedDict[str, Grants] = OrderedDict()

    def begin(self, order: RunOrder) -> RunHandle:
        """Begin a run. It goes on when the caller goes away.

        Raises:
            TooBusy: there are too many runs.
        """
        grants = self._grants_of(order.owner) if order.remember_grants else Grants()
        handle = RunHandle(order, self._limits, self._policy, grants, rules_in=self._rules_in)
        self._registry.begin(handle, self._execute)
        return handle

    async def run(self, code: str, timeout_s: float | None = None, observer: RunObserver | None = None) -> RunResult:
        """Run one of the operator's own programs, from a terminal. Nobody can be asked."""
        whole = self._limits.message_bytes  # a terminal shows all, and there is no later program to load the rest
        order = RunOrder(owner="operator", code=code, timeout_s=timeout_s, shown_bytes=whole)
        handle = RunHandle(order, self._limits, self._policy, rules_in=self._rules_in)
        handle.observers += [observer] if observer is not None else []
        return await self._execute(handle)

    def knows_session(self, owner: str, name: str, *, shared: bool) -> bool:
        """Whether there is such a session, or was one that was lost."""
        return self._sessions.knows(_session_owner(owner, name, shared=shared), name)

    def owner_left(self, owner: str) -> None:
        """End and forget all that belongs to a client that cannot come back: runs, sessions, stored results, the
        permissions that hold until it closes."""
        self._registry.owner_left(owner)
        self._sessions.owner_left(owner)
        self.results.remove_all(owner)
        self._grants.pop(owner, None)

    async def _execute(self, handle: RunHandle) -> RunResult:
        """Execute a run, traced and recorded however it ends. A stop while it waits for its turn ends the wait."""
        with _traced(handle) as trace_result:
            told = self._preparation.observed(lambda: handle.notify(Preparing()))
            with handle.deadline.before() as before, told:
                try:
                    async with self._sandbox_for(handle.order) as (workers, bridges):
                        result = await run_program(handle, workers, bridges, self._limits)
                    if isinstance(workers, InterpreterSession):
                        result = replace(result, session=workers.name, session_state=workers.state)
                except SandboxError as exc:
                    result = _not_run("refused", str(exc))
            if before.cancelled_caught:
                result = _not_run("cancelled", f"{handle.stopped_because}, before the program began")
            short = shortened(result, handle.shown_bytes, partial(self._store, handle), unread=handle.take_unread())
            trace_result(short)
        if self._recorder is not None:
            await self._recorder.record(handle.public_id, handle.owner, handle.order.code, result)
        if handle.owner_left:
            self.results.remove_all(handle.owner)  # what the program saved before it was stopped
        return short

    def _store(self, handle: RunHandle, what: str, mime_type: str, text: str) -> ResultLink | None:
        """Store a result of the run, if its owner can still read it."""
        return None if handle.owner_left else self.results.store(handle.owner, what, mime_type, text)

    @asynccontextmanager
    async def _sandbox_for(self, order: RunOrder) -> AsyncGenerator[tuple[Workers, Bridges]]:
        """Provide a run's workers, the pool or a session, and its bridges."""
        results = self.results.bridge(order.owner)
        if order.session is None:
            yield self._pool, replace(self._bridges, configured=(*self._bridges.configured, results))
            return
        owner = _session_owner(order.owner, order.session, shared=not order.remember_grants)
        async with self._sessions.use(owner, order.session, reset=order.reset, group=order.owner) as session:
            yield session, replace(self._bridges, configured=(*session.bridges(), results))

    def _grants_of(self, owner: str) -> Grants:
        grants = self._grants.setdefault(owner, Grants())
        self._grants.move_to_end(owner)
        while len(self._grants) > MAX_CLIENTS_REMEMBERED:
            self._grants.popitem(last=False)
        return grants


@contextmanager
def _traced(handle: RunHandle) -> Generator[Callable[[RunResult], None]]:
    """Put an OpenTelemetry span around a run. Yields the function that gets its result."""
    with tracer.start_as_current_span(
        "codeact run", attributes={"codeact.run": handle.public_id}, record_exception=False
    ) as span:

        def trace_result(result: RunResult) -> None:
            span.set_attribute("codeact.engine", result.engine)
            span.set_attribute("codeact.tool_calls", len(result.calls))
            span.set_attribute("codeact.outcome", result.failure.kind if result.failure is not None else "ended")
            if result.failure is not None:
                span.set_status(trace.StatusCode.ERROR)

        yield trace_result


def _session_owner(owner: str, name: str, *, shared: bool) -> str:
    """Return whose a session is. Where clients share an owner, the session's name, which nobody can guess, tells them
    apart."""
    return f"{owner} {name}" if shared else owner


def _not_run(kind: Literal["refused", "cancelled"], why: str) -> RunResult:
    return RunResult("none", "nothing was run", 0.0, failure=Failure(kind, why))
