"""The tool calls of one run: each is budgeted, passed by the policy, made, recorded, and answered in the guest's form.

What a tool gives goes to the guest as `{"data": …}`, `{"media": {…}}`, `{"link": {…}}` or `{"parts": [ … ]}`;
`guest/runtime/codeact_guest/values.py` reads it back.
"""

import hashlib
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Literal

import anyio
from opentelemetry import trace
from pydantic_core import PydanticSerializationError, to_json

from codeact_bridges.approval.gate import ApprovalGate
from codeact_bridges.approval.request import approval_request
from codeact_bridges.bridge import Handler
from codeact_bridges.errors import BridgeError, ToolDenied, ToolError
from codeact_bridges.guest import requests as calls
from codeact_bridges.guest.replies import reply_value
from codeact_bridges.limits import Limits
from codeact_bridges.runs.budget import Budget
from codeact_bridges.runs.deadline import Deadline
from codeact_bridges.runs.observer import RunObserver
from codeact_bridges.tools.catalog.catalog import CatalogTool
from codeact_bridges.tools.port import ClientRequest, ClientRequestKind, ClientRequests, ToolsPort
from codeact_bridges.values import CallProgress, CallRecord, JsonValue, Link, ToolParts, ToolValue

MAX_RECORDED_NAME = 200
MAX_RECORDED_ARGUMENTS = 2_000
MAX_RECORDED_ERROR = 1_000
MAX_PROGRESS_MESSAGE = 1_000
MAX_LINKS = 10_000
"""Links of one run that can be read. A tool that returns more than that is not meant to have them all read."""

tracer = trace.get_tracer("codeact-mcp")


class ToolCalls:
    """Answers the `tools.…` operations of one guest."""

    def __init__(
        self,
        tools: ToolsPort,
        *,
        code: str,
        limits: Limits,
        gate: ApprovalGate | None,
        deadline: Deadline,
        observer: RunObserver,
        client_requests: ClientRequests | None = None,
    ) -> None:
        self._tools, self._code, self._limits = tools, code, limits
        self._gate, self._deadline, self._observer = gate, deadline, observer
        self._client_requests = (
            _PausingClientRequests(client_requests, deadline) if client_requests is not None else None
        )
        self._calls_left = Budget("tool calls", limits.tool_calls, "codeact.limits.tool_calls")
        self._bytes_left = Budget("bytes from tools", limits.tool_bytes, "codeact.limits.tool_bytes")
        self._began = anyio.current_time()
        self._paused = not limits.deadline_counts_tools
        self._made: list[_Made] = []
        self._links: set[tuple[str, str]] = set()
        """By server and address, what tools have pointed this run to."""

    @property
    def records(self) -> tuple[CallRecord, ...]:
        """Every call so far, in the order in which they began."""
        return tuple(made.record() for made in self._made)

    def handlers(self) -> dict[str, Handler]:
        return {
            "tools.call": self._call,
            "tools.read_resource": self._read_resource,
            "tools.search": self._search,
            "tools.describe": self._describe,
            "tools.list": self._list,
        }

    async def _call(self, text: str) -> str:
        self._calls_left.take()  # first: what cannot be read costs time too
        call = calls.parse(calls.CallTool, "call_tool", text)

        def make(made: _Made) -> Awaitable[ToolValue]:
            return self._tools.call(
                call.tool,
                call.arguments,
                gate=made.pass_gate,
                on_progress=made.pass_progress,
                client_requests=self._client_requests,
            )

        return await self._recorded(call.tool, text, call.line, make)

    async def _read_resource(self, text: str) -> str:
        """Read what a link leads to, if a tool gave it to this run: what else a server has is nobody's business."""
        self._calls_left.take()
        call = calls.parse(calls.ReadResource, "Link.read", text)
        if (call.server, call.uri) not in self._links:
            reason = "no tool has given this link to this program; call the tool that gives it, and read its result"
            raise ToolDenied(call.server, call.uri[:MAX_RECORDED_NAME], reason)
        name = f"{call.server}: read {call.uri}"

        async def read(made: _Made) -> ToolValue:
            made.read_only = made.sent = True
            return await self._tools.read_resource(call.server, call.uri)

        return await self._recorded(name, text, None, read)

    async def _recorded(
        self, name: str, text: str, line: int | None, make: Callable[["_Made"], Awaitable[ToolValue]]
    ) -> str:
        """Make a call, and leave a record of it whatever becomes of it."""
        made = _Made(
            self,
            line,
            name[:MAX_RECORDED_NAME],
            text[:MAX_RECORDED_ARGUMENTS],
            hashlib.sha256(text.encode()).hexdigest(),
            self._now(),
        )
        self._made.append(made)
        try:
            with self._span(made), self._deadline.paused() if self._paused else nullcontext():
                value = await make(made)
                answer = self._answer(name, value)
                self._remember_links(value)
                made.outcome, made.bytes = "ok", len(answer)
        except BridgeError as exc:
            made.outcome, made.error = "error", str(exc)[:MAX_RECORDED_ERROR]
            raise
        finally:
            made.duration_s = self._now() - made.started_s
            self._observer.called(made.record())
        return answer

    @contextmanager
    def _span(self, made: "_Made") -> Generator[None]:
        span = tracer.start_span("codeact tool call")
        if not span.is_recording():  # nobody exports it, and it would cost a tenth of the call
            yield
            return
        # An exception's text may hold what a tool said, so a span gets its name only.
        with trace.use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
            try:
                yield
            except BaseException as exc:
                span.set_attribute("error.type", type(exc).__name__)
                span.set_status(trace.StatusCode.ERROR)
                raise
            finally:
                span.set_attribute("codeact.tool", made.tool)
                span.set_attribute("codeact.decision", made.decision.partition(":")[0])
                span.set_attribute("codeact.result_bytes", made.bytes)

    def _remember_links(self, value: ToolValue) -> None:
        for part in value.parts if isinstance(value, ToolParts) else (value,):
            if isinstance(part, Link) and len(self._links) < MAX_LINKS:
                self._links.add((part.server, part.uri))

    def _answer(self, tool: str, value: ToolValue) -> str:
        try:
            answer = to_json(reply_value(value), inf_nan_mode="constants").decode()
        except (PydanticSerializationError, ValueError, RecursionError) as exc:
            raise ToolError("", tool, f"its result cannot be said in JSON: {exc}") from exc
        if len(answer) > self._limits.message_bytes:
            allowed = f"{self._limits.message_bytes:,} are allowed (setting codeact.limits.message_bytes)"
            raise ToolError("", tool, f"its result is {len(answer):,} bytes; {allowed}")
        self._bytes_left.take(len(answer))
        return answer

    async def allow(self, made: "_Made", tool: CatalogTool, arguments: Mapping[str, JsonValue]) -> None:
        """Return when the call may be made; the policy decides, and then perhaps a person.

        Raises:
            ToolDenied: it may not.
        """
        made.tool = tool.full_name[:MAX_RECORDED_NAME]
        made.read_only = tool.read_only and not tool.destructive
        if self._gate is not None:
            try:
                if (reason := self._gate.must_ask(tool)) is not None:
                    made.decision = "ask"
                    asked = approval_request(
                        tool.server, tool.name, arguments, code=self._code, line=made.line, reason=reason
                    )
                    with self._deadline.paused():
                        made.decision = f"ask: {await self._gate.ask(asked)}"
            except ToolDenied as exc:
                made.decision = f"deny: {exc.reason}"[:MAX_RECORDED_ERROR]
                raise
        made.sent = True

    async def tell(self, made: "_Made", progress: float, total: float | None, message: str | None) -> None:
        """Pass on how far a call has come."""
        said = (message or "")[:MAX_PROGRESS_MESSAGE]
        self._observer.progressed(CallProgress(made.tool, progress, total, said))

    async def _search(self, text: str) -> str:
        call = calls.parse(calls.SearchTools, "search_tools", text)
        return to_json(await self._tools.search(call.query, call.server, call.limit)).decode()

    async def _describe(self, text: str) -> str:
        return to_json(await self._tools.describe(calls.parse(calls.DescribeTool, "describe_tool", text).name)).decode()

    async def _list(self, text: str) -> str:
        return to_json(await self._tools.list(calls.parse(calls.ListTools, "list_tools", text).server)).decode()

    def _now(self) -> float:
        return anyio.current_time() - self._began


@dataclass(slots=True)
class _Made:
    """One call while it is made."""

    calls: ToolCalls
    line: int | None
    tool: str
    arguments: str
    sha256: str
    started_s: float
    duration_s: float = 0.0
    outcome: Literal["ok", "error", "unfinished"] = "unfinished"
    error: str | None = None
    decision: str = "allow"
    bytes: int = 0
    read_only: bool = False
    sent: bool = False

    def record(self) -> CallRecord:
        """What is known of it by now."""
        return CallRecord(
            self.tool,
            self.outcome,
            self.started_s,
            self.duration_s,
            error=self.error,
            decision=self.decision,
            arguments=self.arguments,
            sha256=self.sha256,
            bytes=self.bytes,
            read_only=self.read_only,
            sent=self.sent,
        )

    async def pass_gate(self, tool: CatalogTool, arguments: Mapping[str, JsonValue]) -> None:
        await self.calls.allow(self, tool, arguments)

    async def pass_progress(self, progress: float, total: float | None, message: str | None) -> None:
        await self.calls.tell(self, progress, total, message)


@dataclass(frozen=True, slots=True)
class _PausingClientRequests:
    """Waiting for the client's answer to a server's question is not the program's time."""

    client_requests: ClientRequests
    deadline: Deadline

    @property
    def serves(self) -> frozenset[ClientRequestKind]:
        return self.client_requests.serves

    async def forward(self, question: ClientRequest) -> Mapping[str, JsonValue]:
        with self.deadline.paused():
            return await self.client_requests.forward(question)
