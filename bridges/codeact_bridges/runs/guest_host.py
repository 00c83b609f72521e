"""Answers everything that one guest asks. See `sandbox.port.GuestHost`."""

import secrets
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Literal

import anyio
from pydantic import ValidationError
from pydantic_core import to_json

from codeact_bridges.approval.gate import ApprovalGate
from codeact_bridges.bridge import Bridge, Handler, Usage
from codeact_bridges.errors import BadGuestCall, GuestDied
from codeact_bridges.guest import requests as calls
from codeact_bridges.limits import Limits
from codeact_bridges.modules.port import ModulesPort
from codeact_bridges.network.request import refusal as network_refusal
from codeact_bridges.network.rules import HostRules
from codeact_bridges.runs.async_operations import AsyncOperations
from codeact_bridges.runs.budget import OutputBuffer, cut_value
from codeact_bridges.runs.deadline import Deadline
from codeact_bridges.runs.observer import RunObserver
from codeact_bridges.runs.tool_calls import ToolCalls
from codeact_bridges.sandbox.port import EngineInfo
from codeact_bridges.system.task_groups import plain_task_group
from codeact_bridges.tools.port import ClientRequests, ToolsPort
from codeact_bridges.values import Failure, JsonValue, Media, Printed, RunResult, Value

MAX_DISPLAYED = 50
"""Values and images `display()` may show in one run; the client shows each to somebody."""


@dataclass(frozen=True, slots=True)
class Bridges:
    """The powers lent to every guest."""

    tools: ToolsPort
    modules: ModulesPort
    configured: tuple[Bridge, ...] = ()
    """Files and hosts, where the operator allows some."""


class RunGuestHost:
    """Answers one guest. See `sandbox.port.GuestHost`."""

    def __init__(
        self,
        code: str,
        bridges: Bridges,
        limits: Limits,
        gate: ApprovalGate | None,
        observer: RunObserver,
        deadline: Deadline,
        client_requests: ClientRequests | None,
    ) -> None:
        self._bridges, self._limits, self._observer, self._deadline = bridges, limits, observer, deadline
        self._tool_calls = ToolCalls(
            bridges.tools,
            code=code,
            limits=limits,
            gate=gate,
            deadline=deadline,
            observer=observer,
            client_requests=client_requests,
        )
        self._output = OutputBuffer(max(limits.output_bytes, limits.kept_output_bytes))
        self._displayed: list[Value | Media] = []
        self._displayed_bytes = 0
        self._began = anyio.current_time()
        self._usage = Usage()
        self.init: dict[str, JsonValue] = {
            "output_bytes": self._output.limit_bytes,
            "seed": secrets.randbits(128),
        }
        """What the guest is told when it begins, besides its program."""
        self._handlers: dict[str, Handler] = {
            **self._tool_calls.handlers(),
            "clock.sleep": self._sleep,
            "modules.get": self._get_module,
            "modules.data": self._read_module_data,
            "modules.list": self._list_module_data,
            "display.value": self._display_value,
            "display.media": self._display_media,
            "network.request": self._request,
        }

    @asynccontextmanager
    async def begun(self) -> AsyncGenerator[None]:
        """The time in which the guest may use what it is lent; what is under way is cancelled when it ends."""
        self._began = anyio.current_time()
        concurrent = {"tools.call", "tools.read_resource"}
        async with AsyncExitStack() as powers:
            for bridge in self._bridges.configured:
                power = await powers.enter_async_context(bridge.open(self._usage))
                self._handlers |= power.handlers
                self.init |= power.init
                concurrent |= power.concurrent
            # Begun after the bridges, because it must end before them: what is under way uses their tasks and files.
            tasks = await powers.enter_async_context(plain_task_group())
            under_way = AsyncOperations(
                tasks,
                {operation: self._handlers[operation] for operation in concurrent},
                at_once=self._limits.concurrent_calls,
                message_bytes=self._limits.message_bytes,
            )
            self._handlers |= under_way.handlers()
            try:
                yield
            finally:
                tasks.cancel_scope.cancel()

    async def call(self, operation: str, text: str) -> str:
        answer = self._handlers.get(operation)
        if answer is None:
            raise BadGuestCall(f"there is no operation {operation[:100]!r}")
        if operation == "clock.sleep":
            return await answer(text)
        with self._deadline.blocked_on_host():
            return await answer(text)

    def printed(self, channel: int, text: str) -> None:
        stream: Literal["stdout", "stderr"] = "stdout" if channel == 1 else "stderr"
        kept = self._output.add(stream, text)
        if kept:
            self._observer.printed(Printed(stream, kept))

    def end(self, outcome: str) -> tuple[Value | None, Failure | None]:
        """The value or the failure in what the guest gave to `run.end`.

        Raises:
            GuestDied: it is not of the form that the guest runtime gives.
        """
        try:
            end = calls.Outcome.model_validate_json(outcome)
        except ValidationError as exc:
            raise GuestDied("the guest ended with something that is not an outcome") from exc
        if end.kind == "raised":
            traceback = cut_value("repr", end.traceback, self._limits.output_bytes)
            cut = f"\n… {traceback.cut_bytes:,} bytes cut" if traceback.cut_bytes else ""
            return None, Failure("raised", traceback.text + cut)
        if end.kind == "exited" and end.code != 0:
            return None, Failure("exited", f"the program ended with sys.exit({end.code})")
        if end.text is None:
            return None, None
        return Value(end.form, end.text), None

    def result(self, info: EngineInfo, *, value: Value | None = None, failure: Failure | None = None) -> RunResult:
        return RunResult(
            engine=info.engine,
            isolation=info.isolation,
            duration_s=anyio.current_time() - self._began,
            output=self._output.output(),
            value=value,
            displayed=tuple(self._displayed),
            calls=self._tool_calls.records,
            accesses=tuple(self._usage.accesses),
            produced=tuple(self._usage.produced),
            failure=failure,
        )

    async def _sleep(self, text: str) -> str:
        await anyio.sleep(calls.parse(calls.Sleep, "time.sleep", text).seconds)
        return "null"

    async def _get_module(self, text: str) -> str:
        call = calls.parse(calls.GetModule, "import", text)
        return _text(await self._bridges.modules.get(call.name, call.magic))

    async def _read_module_data(self, text: str) -> str:
        return _text(await self._bridges.modules.data(calls.parse(calls.ReadModuleData, "modules.data", text).path))

    async def _list_module_data(self, text: str) -> str:
        return _text(await self._bridges.modules.list(calls.parse(calls.ReadModuleData, "modules.list", text).path))

    async def _display_value(self, text: str) -> str:
        call = calls.parse(calls.DisplayValue, "display", text)
        self._display(cut_value(call.form, call.text, self._limits.output_bytes), 0)
        return "null"

    async def _display_media(self, text: str) -> str:
        call = calls.parse(calls.DisplayMedia, "display", text)
        self._display(Media(call.kind, call.mime_type, call.base64), len(call.base64))
        return "null"

    def _display(self, shown: Value | Media, size: int) -> None:
        if len(self._displayed) >= MAX_DISPLAYED or self._displayed_bytes + size > self._limits.message_bytes:
            raise BadGuestCall(
                f"display: at most {MAX_DISPLAYED} values and {self._limits.message_bytes:,} bytes of media in one run"
            )
        self._displayed_bytes += size
        self._displayed.append(shown)

    async def _request(self, text: str) -> str:
        raise network_refusal(HostRules(), text)


def _text(value: JsonValue) -> str:
    return to_json(value).decode()
