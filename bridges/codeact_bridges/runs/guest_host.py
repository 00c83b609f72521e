"""Answers every call of one guest: by the bridges, by the run's tool calls, or here. See `sandbox.port.GuestHost`."""

import secrets
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import anyio
from pydantic import ValidationError
from pydantic_core import to_json

from codeact_bridges.bridge import Bridge, Handler, Usage
from codeact_bridges.errors import BadGuestCall, GuestDied
from codeact_bridges.guest import requests
from codeact_bridges.limits import Limits
from codeact_bridges.modules.port import ModulesPort
from codeact_bridges.runs.async_operations import AsyncOperations
from codeact_bridges.runs.handle import RunHandle
from codeact_bridges.runs.shortening import fold_repeated_lines
from codeact_bridges.runs.tool_calls import ToolCalls
from codeact_bridges.sandbox.port import EngineInfo
from codeact_bridges.system.task_groups import plain_task_group
from codeact_bridges.tools.port import ToolsPort
from codeact_bridges.values import Failure, JsonValue, Media, RunResult, Value

MAX_DISPLAYED = 50
"""Values and images that `display()` may show in one run. The client shows each of them to a person."""


@dataclass(frozen=True, slots=True)
class Bridges:
    """The capabilities of every guest."""

    tools: ToolsPort
    modules: ModulesPort
    configured: tuple[Bridge, ...] = ()
    """Files, hosts and stored results."""


class RunGuestHost:
    """The host of one guest."""

    def __init__(self, handle: RunHandle, bridges: Bridges, limits: Limits) -> None:
        self._handle, self._bridges, self._limits = handle, bridges, limits
        self._tool_calls = ToolCalls(bridges.tools, handle, limits)
        self._displayed: list[Value | Media] = []
        self._displayed_bytes = 0
        self._started_at = anyio.current_time()
        self._usage = Usage()
        self.init: dict[str, JsonValue] = {"output_bytes": handle.stored_bytes, "seed": secrets.randbits(128)}
        """Sent to the guest with its program."""
        self._handlers: dict[str, Handler] = {
            **self._tool_calls.handlers(),
            "clock.sleep": self._sleep,
            "modules.get": self._get_module,
            "modules.data": self._read_module_data,
            "modules.list": self._list_module_data,
            "display.value": self._display_value,
            "display.media": self._display_media,
        }

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[None]:
        """Open the bridges for the guest. When the block ends, operations in flight are cancelled."""
        self._started_at = anyio.current_time()
        concurrent = {"tools.call", "tools.read_resource"}
        async with AsyncExitStack() as stack:
            for bridge in self._bridges.configured:
                opened = await stack.enter_async_context(bridge.open(self._usage))
                self._handlers |= opened.handlers
                self.init |= opened.init
                concurrent |= opened.concurrent
            # After the bridges, because operations use their tasks and files, and so must end before them.
            tasks = await stack.enter_async_context(plain_task_group())
            operations = AsyncOperations(
                tasks,
                {operation: self._handlers[operation] for operation in concurrent},
                at_once=self._limits.concurrent_calls,
                message_bytes=self._limits.message_bytes,
            )
            self._handlers |= operations.handlers()
            try:
                yield
            finally:
                tasks.cancel_scope.cancel()

    async def call(self, operation: str, text: str) -> str:
        """See `GuestHost.call`."""
        handler = self._handlers.get(operation)
        if handler is None:
            raise BadGuestCall(f"there is no operation {operation[:100]!r}")
        if operation == "clock.sleep":  # a sleeping guest is not blocked: its time counts
            return await handler(text)
        with self._handle.deadline.blocked_on_host():
            return await handler(text)

    def printed(self, channel: int, text: str) -> None:
        """See `GuestHost.printed`."""
        self._handle.printed("stdout" if channel == 1 else "stderr", text)

    def outcome(self, text: str) -> tuple[Value | None, Failure | None]:
        """Return the value or the failure in what the guest passed to `run.end`.

        Raises:
            GuestDied: the text is not an outcome.
        """
        try:
            end = requests.Outcome.model_validate_json(text)
        except ValidationError as exc:
            raise GuestDied("the guest ended with something that is not an outcome") from exc
        if end.kind == "raised":
            return None, Failure("raised", fold_repeated_lines(end.traceback))
        if end.kind == "exited" and end.code != 0:
            return None, Failure("exited", f"the program ended with sys.exit({end.code})")
        if end.text is None:
            return None, None
        return Value(end.form, end.text), None

    def result(self, info: EngineInfo, *, value: Value | None = None, failure: Failure | None = None) -> RunResult:
        """Return the run's result as of now."""
        return RunResult(
            engine=info.engine,
            isolation=info.isolation,
            duration_s=anyio.current_time() - self._started_at,
            output=self._handle.output(),
            value=value,
            displayed=tuple(self._displayed),
            calls=self._tool_calls.records,
            accesses=tuple(self._usage.accesses),
            produced=tuple(self._usage.produced),
            failure=failure,
        )

    async def _sleep(self, text: str) -> str:
        await anyio.sleep(requests.parse(requests.Sleep, "time.sleep", text).seconds)
        return "null"

    async def _get_module(self, text: str) -> str:
        call = requests.parse(requests.GetModule, "import", text)
        return _json(await self._bridges.modules.get(call.name, call.magic))

    async def _read_module_data(self, text: str) -> str:
        call = requests.parse(requests.ReadModuleData, "modules.data", text)
        return _json(await self._bridges.modules.data(call.path))

    async def _list_module_data(self, text: str) -> str:
        call = requests.parse(requests.ReadModuleData, "modules.list", text)
        return _json(await self._bridges.modules.list(call.path))

    async def _display_value(self, text: str) -> str:
        call = requests.parse(requests.DisplayValue, "display", text)
        self._display(Value(call.form, call.text), len(call.text))
        return "null"

    async def _display_media(self, text: str) -> str:
        call = requests.parse(requests.DisplayMedia, "display", text)
        self._display(Media(call.kind, call.mime_type, call.base64), len(call.base64))
        return "null"

    def _display(self, shown: Value | Media, size: int) -> None:
        if len(self._displayed) >= MAX_DISPLAYED or self._displayed_bytes + size > self._limits.message_bytes:
            raise BadGuestCall(
                f"display: at most {MAX_DISPLAYED} values and {self._limits.message_bytes:,} bytes in one run"
            )
        self._displayed_bytes += size
        self._displayed.append(shown)


def _json(value: JsonValue) -> str:
    return to_json(value).decode()
