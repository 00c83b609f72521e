"""The composition root: every part, made once, in the order in which they need each other."""

from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import platformdirs
from opentelemetry import trace

from codeact_bridges.approval.gate import ApprovalGate
from codeact_bridges.approval.policy import Grants
from codeact_bridges.errors import SandboxError
from codeact_bridges.files.bridge import FilesBridge
from codeact_bridges.guest.images import STANDARD_LIBRARY
from codeact_bridges.modules.bridge import ModulesBridge
from codeact_bridges.modules.packages import find_packages
from codeact_bridges.modules.standard_library import StandardLibrary
from codeact_bridges.network.bridge import NetworkBridge
from codeact_bridges.runs.execute import Workers, run_program
from codeact_bridges.runs.guest_host import Bridges
from codeact_bridges.runs.handle import RunHandle
from codeact_bridges.runs.observer import RunObserver
from codeact_bridges.runs.registry import RunRegistry, RunRetention, open_run_registry
from codeact_bridges.runs.result_store import ResultStore
from codeact_bridges.runs.sessions import Sessions, open_sessions
from codeact_bridges.sandbox.engine_selection import EngineSettings, open_engine
from codeact_bridges.sandbox.pool import Pool, open_pool
from codeact_bridges.tools.bridge import ToolsBridge
from codeact_bridges.tools.credentials.secret_store import SecretStore, open_secret_store
from codeact_bridges.tools.port import ClientRequestKind
from codeact_bridges.tools.spec import HttpServer
from codeact_bridges.values import Failure, RunResult
from codeact_server.config.model import Config
from codeact_server.observability.audit_log import AuditLog

MAX_CLIENTS_REMEMBERED = 1_000
"""Clients whose users' permissions are remembered; the one that has been away longest is forgotten."""

tracer = trace.get_tracer("codeact-mcp")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOrder:
    """One program that a client wants run."""

    owner: str
    """Which client, in a form that no other client can take on."""
    code: str
    timeout_s: float | None = None
    session: str | None = None
    reset: bool = False
    serves: frozenset[ClientRequestKind] = frozenset()
    """What the client can answer."""
    remember_grants: bool = True
    """Whether what its user allows for as long as the client stays holds for its later programs."""


class App:
    """What every client of this process shares. Made by `open_app`."""

    def __init__(
        self, config: Config, tools: ToolsBridge, pool: Pool, bridges: Bridges, runs: RunRegistry, sessions: Sessions
    ) -> None:
        self.config = config
        self.limits, self.policy = config.limits, config.policy
        self.tools, self.pool, self.bridges = tools, pool, bridges
        self.runs, self.sessions = runs, sessions
        self.kept = ResultStore(config.limits.kept_bytes, message_bytes=config.limits.message_bytes)
        self._audit = AuditLog(config.audit) if config.audit is not None else None
        self._grants: OrderedDict[str, Grants] = OrderedDict()

    def begin(self, order: RunOrder) -> RunHandle:
        """Begin a run; it goes on whatever becomes of the caller. Raises `TooBusy`."""
        live = self._live(order)
        self.runs.begin(live, lambda: self._carry_out(order, live))
        return live

    async def run(self, code: str, timeout_s: float | None = None, observer: RunObserver | None = None) -> RunResult:
        """Run a program of the operator's own, on a terminal where nobody is asked."""
        order = RunOrder(owner="operator", code=code, timeout_s=timeout_s)
        gate = ApprovalGate(self.policy, Grants(), None)
        live = self._live(order)
        return await self._accounted(order, live, self._run(order, live, gate, self.pool, self.bridges, observer))

    def _live(self, order: RunOrder) -> RunHandle:
        return RunHandle(
            order.owner,
            serves=order.serves,
            ask_timeout_s=self.policy.ask_timeout_s,
            output_bytes=self.limits.output_bytes,
        )

    async def _carry_out(self, order: RunOrder, live: RunHandle) -> RunResult:
        return await self._accounted(order, live, self._stoppable(order, live))

    async def _accounted(self, order: RunOrder, live: RunHandle, running: Awaitable[RunResult]) -> RunResult:
        """Leave the run's account, whatever becomes of it."""
        with tracer.start_as_current_span(
            "codeact run", attributes={"codeact.run": live.public_id}, record_exception=False
        ) as span:
            try:
                result = await running
            except SandboxError as exc:
                result = _not_run("refused", str(exc))
            span.set_attribute("codeact.engine", result.engine)
            span.set_attribute("codeact.tool_calls", len(result.calls))
            span.set_attribute("codeact.outcome", result.failure.kind if result.failure is not None else "ended")
            if result.failure is not None:
                span.set_status(trace.StatusCode.ERROR)
        if self._audit is not None:
            await self._audit.write(live.public_id, order.owner, order.code, result)
        return result

    async def _stoppable(self, order: RunOrder, live: RunHandle) -> RunResult:
        """Run a program as its order says; a stop that comes while it still waits for its turn ends the wait."""
        with live.deadline.before():
            gate = ApprovalGate(self.policy, self._grants_of(order) if order.remember_grants else Grants(), live)
            kept = self.kept.bridge(order.owner)
            if order.session is None:
                bridges = replace(self.bridges, configured=(*self.bridges.configured, kept))
                return await self._run(order, live, gate, self.pool, bridges)
            owner = _session_owner(order.owner, order.session, shared=not order.remember_grants)
            async with self.sessions.use(owner, order.session, reset=order.reset) as session:
                bridges = replace(self.bridges, configured=(*session.bridges(), kept))
                result = await self._run(order, live, gate, session, bridges)
                return replace(result, session=order.session, session_state=session.state)
        return _not_run("cancelled", "stopped on request before it began")

    def knows_session(self, owner: str, name: str, *, shared: bool) -> bool:
        """Whether there is such a session, or was one that got lost."""
        return self.sessions.knows(_session_owner(owner, name, shared=shared), name)

    async def _run(
        self,
        order: RunOrder,
        live: RunHandle,
        gate: ApprovalGate,
        workers: Workers,
        bridges: Bridges,
        observer: RunObserver | None = None,
    ) -> RunResult:
        """Run a program. A `timeout_s` over `limits.max_deadline_s` is that limit."""
        return await run_program(
            order.code,
            deadline_s=min(order.timeout_s or self.limits.deadline_s, self.limits.max_deadline_s),
            pool=workers,
            bridges=bridges,
            limits=self.limits,
            gate=gate,
            observer=observer or live,
            deadline=live.deadline,
            client_requests=live,
            keep=lambda what, mime_type, text: self.kept.keep(order.owner, what, mime_type, text),
        )

    def _grants_of(self, order: RunOrder) -> Grants:
        grants = self._grants.setdefault(order.owner, Grants())
        self._grants.move_to_end(order.owner)
        while len(self._grants) > MAX_CLIENTS_REMEMBERED:
            self._grants.popitem(last=False)
        return grants


def _session_owner(owner: str, name: str, *, shared: bool) -> str:
    """Whose a session is. Where several clients share an owner, the name that none can guess tells them apart."""
    return f"{owner} {name}" if shared else owner


def _not_run(kind: Literal["refused", "cancelled"], why: str) -> RunResult:
    return RunResult("none", "nothing was run", 0.0, failure=Failure(kind, why))


@asynccontextmanager
async def open_app(config: Config, say: Callable[[str], None]) -> AsyncGenerator[App]:
    """Everything started, nothing waited for: servers connect and sandboxes warm up behind the caller.

    `say` gets lines for the operator.

    Raises:
        EngineUnavailable: the engine that was asked for cannot be had.
        PackageRefused: one of the configured packages cannot be served.
    """
    limits = config.limits
    wanted = EngineSettings(
        engine=config.engine,
        memory_mib=limits.memory_mib,
        message_bytes=limits.message_bytes,
        cache=Path(platformdirs.user_cache_path("codeact-mcp", appauthor=False)),
    )
    logs = Path(platformdirs.user_log_path("codeact-mcp", appauthor=False))
    async with (
        ToolsBridge(
            config.servers,
            log_dir=logs,
            state_dir=Path(platformdirs.user_state_path("codeact-mcp", appauthor=False)),
            secret_store=configured_secret_store(config),
            result_limit_bytes=limits.message_bytes,
        ) as tools,
        open_engine(wanted, say) as launch,
        open_pool(launch, config.pool) as pool,
    ):
        files = (FilesBridge(config.files, limits.message_bytes),) if config.files else ()
        configured = (*files, *((NetworkBridge(config.network, limits),) if config.network.rules else ()))
        bridges = Bridges(
            tools, ModulesBridge(StandardLibrary(STANDARD_LIBRARY), find_packages(config.packages)), configured
        )
        async with (
            open_sessions(config.sessions, launch, bridges.configured) as sessions,
            open_run_registry(RunRetention()) as runs,
        ):
            yield App(config, tools, pool, bridges, runs, sessions)


def configured_secret_store(config: Config) -> SecretStore | None:
    """Where the access to remote servers is kept; None where no server needs a login."""
    if not any(isinstance(server, HttpServer) and server.oauth for server in config.servers):
        return None
    return open_secret_store(Path(platformdirs.user_data_path("codeact-mcp", appauthor=False)) / "access")
