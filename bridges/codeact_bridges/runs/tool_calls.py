"""The tool calls of one run: each is counted, resolved, approved, sent and recorded.

The result goes to the guest in the form that `guest.replies` makes and the guest's `values` module reads.
"""

import hashlib
from collections.abc import Generator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Literal

import anyio
from opentelemetry import trace
from pydantic_core import to_json

from codeact_bridges.approval.request import approval_request
from codeact_bridges.bridge import Handler
from codeact_bridges.errors import BridgeError, ToolDenied, ToolError
from codeact_bridges.guest import requests
from codeact_bridges.guest.replies import reply_text
from codeact_bridges.limits import Limits
from codeact_bridges.runs.budget import Budget
from codeact_bridges.runs.handle import RunHandle
from codeact_bridges.tools.catalog.catalog import CatalogTool
from codeact_bridges.tools.port import ToolsPort
from codeact_bridges.values import CallProgress, CallRecord, JsonValue, Link, ToolParts, ToolValue

MAX_RECORDED_NAME = 200
MAX_RECORDED_ARGUMENTS = 2_000
MAX_RECORDED_ERROR = 1_000
MAX_PROGRESS_MESSAGE = 1_000
MAX_LINKS = 10_000
"""Links of one run that it may read. A tool that returns more does not mean all of them to be read."""

tracer = trace.get_tracer("codeact-mcp")


class ToolCalls:
    """Answers the `tools.…` operations of one guest."""

    def __init__(self, tools: ToolsPort, handle: RunHandle, limits: Limits) -> None:
        self._tools, self._handle, self._limits = tools, handle, limits
        self._calls_left = Budget("tool calls", limits.tool_calls, "codeact.limits.tool_calls")
        self._bytes_left = Budget("bytes from tools", limits.tool_bytes, "codeact.limits.tool_bytes")
        self._started_at = anyio.current_time()
        self._calls: list[_Call] = []
        self._links: set[tuple[str, str]] = set()
        """Server and address of every link that tools have returned to this run."""

    @property
    def records(self) -> tuple[CallRecord, ...]:
        """Every call so far, in the order in which they started."""
        return tuple(call.record() for call in self._calls)

    def handlers(self) -> dict[str, Handler]:
        return {
            "tools.call": self._call,
            "tools.read_resource": self._read_resource,
            "tools.search": self._search,
            "tools.describe": self._describe,
            "tools.list": self._list,
        }

    async def _call(self, text: str) -> str:
        self._calls_left.take()  # first: a request that cannot be read costs time, too
        request = requests.parse_tool_call(text)

        async def report(progress: float, total: float | None, message: str | None) -> None:
            short = (message or "")[:MAX_PROGRESS_MESSAGE]
            self._handle.notify(CallProgress(call.tool, progress, total, short))

        with self._recorded(request.tool, text) as call:
            tool = await self._tools.resolve(request.tool, request.arguments)
            call.tool = tool.full_name[:MAX_RECORDED_NAME]
            call.read_only = tool.read_only and not tool.destructive
            await self._approve(call, tool, request.arguments, request.line)
            call.sent = True
            value = await self._tools.call(tool, request.arguments, on_progress=report, client_requests=self._handle)
            return self._reply(call, value)

    async def _read_resource(self, text: str) -> str:
        """Read what a link leads to, if a tool returned the link to this run. Other resources are not readable."""
        self._calls_left.take()
        request = requests.parse(requests.ReadResource, "Link.read", text)
        if (request.server, request.uri) not in self._links:
            reason = "no tool has given this link to this program; call the tool that gives it, and read its result"
            raise ToolDenied(request.server, request.uri[:MAX_RECORDED_NAME], reason)
        with self._recorded(f"{request.server}: read {request.uri}", text) as call:
            call.read_only = call.sent = True
            return self._reply(call, await self._tools.read_resource(request.server, request.uri))

    @contextmanager
    def _recorded(self, name: str, text: str) -> "Generator[_Call]":
        """Record the call that the block makes, however it ends."""
        call = _Call(
            name[:MAX_RECORDED_NAME],
            text[:MAX_RECORDED_ARGUMENTS],
            hashlib.sha256(text.encode()).hexdigest(),
            self._now(),
        )
        self._calls.append(call)
        pause = nullcontext() if self._limits.deadline_counts_tools else self._handle.deadline.paused()
        try:
            with _span(call), pause:
                yield call
                call.outcome = "ok"
        except BridgeError as exc:
            call.outcome, call.error = "error", str(exc)[:MAX_RECORDED_ERROR]
            raise
        finally:
            call.duration_s = self._now() - call.started_s
            self._handle.notify(call.record())

    async def _approve(
        self, call: "_Call", tool: CatalogTool, arguments: Mapping[str, JsonValue], line: int | None
    ) -> None:
        """Return when the call may be made: the policy decides, and then perhaps a person.

        Raises:
            ToolDenied: the call may not be made.
        """
        gate = self._handle.gate
        try:
            if (reason := gate.must_ask(tool)) is not None:
                call.decision = "ask"
                code = self._handle.order.code
                asked = approval_request(tool.server, tool.name, arguments, code=code, line=line, reason=reason)
                call.decision = f"ask: {await gate.ask(asked)}"
        except ToolDenied as exc:
            call.decision, call.asked_again = f"deny: {exc.why}"[:MAX_RECORDED_ERROR], exc.asked_again
            raise

    def _reply(self, call: "_Call", value: ToolValue) -> str:
        """Return `value` as the guest reads it, and charge the run for it."""
        try:
            reply = reply_text(value)
        except ValueError as exc:
            raise ToolError("", call.tool, f"its result is not JSON-serializable: {exc}") from exc
        if len(reply) > self._limits.message_bytes:
            allowed = f"{self._limits.message_bytes:,} are allowed (setting codeact.limits.message_bytes)"
            raise ToolError("", call.tool, f"its result is {len(reply):,} bytes; {allowed}")
        self._bytes_left.take(len(reply))
        for part in value.parts if isinstance(value, ToolParts) else (value,):
            if isinstance(part, Link) and len(self._links) < MAX_LINKS:
                self._links.add((part.server, part.uri))
        call.bytes = len(reply)
        return reply

    async def _search(self, text: str) -> str:
        request = requests.parse(requests.SearchTools, "search_tools", text)
        return to_json(await self._tools.search(request.query, request.server, request.limit)).decode()

    async def _describe(self, text: str) -> str:
        request = requests.parse(requests.DescribeTool, "describe_tool", text)
        return to_json(await self._tools.describe(request.name)).decode()

    async def _list(self, text: str) -> str:
        request = requests.parse(requests.ListTools, "list_tools", text)
        return to_json(await self._tools.list(request.server)).decode()

    def _now(self) -> float:
        return anyio.current_time() - self._started_at


@dataclass(slots=True)
class _Call:
    """One call while it is made."""

    tool: str
    arguments: str
    sha256: str
    started_s: float
    duration_s: float = 0.0
    outcome: Literal["ok", "error", "unfinished"] = "unfinished"
    error: str | None = None
    decision: str = "allow"
    asked_again: bool = False
    bytes: int = 0
    read_only: bool = False
    sent: bool = False

    def record(self) -> CallRecord:
        """Return the call's record as of now."""
        return CallRecord(
            self.tool,
            self.outcome,
            self.started_s,
            self.duration_s,
            error=self.error,
            decision=self.decision,
            asked_again=self.asked_again,
            arguments=self.arguments,
            sha256=self.sha256,
            bytes=self.bytes,
            read_only=self.read_only,
            sent=self.sent,
        )


@contextmanager
def _span(call: _Call) -> Generator[None]:
    """An OpenTelemetry span around the call, where somebody exports spans."""
    span = tracer.start_span("codeact tool call")
    if not span.is_recording():  # using it would cost a tenth of the call
        yield
        return
    # An exception's text may quote the tool's data, so the span gets the exception's name only.
    with trace.use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
        try:
            yield
        except BaseException as exc:
            span.set_attribute("error.type", type(exc).__name__)
            span.set_status(trace.StatusCode.ERROR)
            raise
        finally:
            span.set_attribute("codeact.tool", call.tool)
            span.set_attribute("codeact.decision", call.decision.partition(":")[0])
            span.set_attribute("codeact.result_bytes", call.bytes)
