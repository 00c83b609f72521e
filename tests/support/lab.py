"""Not a test: runs programs in a guest with a pool and bridges."""

import json
import textwrap
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio

from codeact_bridges.bridge import Bridge
from codeact_bridges.guest.images import STANDARD_LIBRARY
from codeact_bridges.limits import Limits
from codeact_bridges.modules.bridge import ModulesBridge
from codeact_bridges.modules.packages import Packages, find_packages
from codeact_bridges.modules.standard_library import StandardLibrary
from codeact_bridges.network.bridge import NetworkBridge
from codeact_bridges.network.rules import HostRules
from codeact_bridges.runs.execute import Workers, run_program
from codeact_bridges.runs.guest_host import Bridges
from codeact_bridges.runs.handle import RunHandle, RunOrder
from codeact_bridges.runs.observer import RunObserver
from codeact_bridges.runs.shortening import shortened
from codeact_bridges.sandbox.engine_selection import EngineName, EngineSettings, open_engine
from codeact_bridges.sandbox.pool import Pool, PoolSize, open_pool
from codeact_bridges.sandbox.port import Worker
from codeact_bridges.testing import ScriptedTools
from codeact_bridges.values import Output, ResultLink, RunResult, Value

GUARD_S = 240
"""Ends a run that hangs. In the emulated machine, beside other work, a run takes more than a minute if it has to wait
for a new worker."""


@dataclass(frozen=True, slots=True)
class Lab:
    """Runs programs on one engine."""

    engine: EngineName
    launch: Callable[[], Awaitable[Worker]]
    """Starts a worker."""
    pool: Pool
    library: StandardLibrary

    async def run(
        self,
        code: str,
        tools: ScriptedTools | None = None,
        *,
        deadline_s: float = 50,
        limits: Limits | None = None,
        observer: RunObserver | None = None,
        packages: Packages | None = None,
        configured: tuple[Bridge, ...] = (),
        workers: Workers | None = None,
    ) -> RunResult:
        """Run a program. The whole program may be indented."""
        modules = ModulesBridge(self.library, packages or find_packages([]))
        limits = limits or Limits()
        if not any(isinstance(bridge, NetworkBridge) for bridge in configured):  # as where the operator allows no hosts
            configured = (*configured, NetworkBridge(HostRules(), limits))
        bridges = Bridges(tools or ScriptedTools(), modules, configured)
        handle = RunHandle(
            RunOrder(owner="lab", code=textwrap.dedent(code), timeout_s=deadline_s, shown_bytes=64_000), limits
        )
        handle.observers += [observer] if observer is not None else []
        with anyio.fail_after(GUARD_S):
            result = await run_program(handle, workers or self.pool, bridges, limits)
        return shortened(result, handle.shown_bytes, store_nothing)

    async def value(self, code: str, tools: ScriptedTools | None = None, **options: Any) -> Any:
        """The value of a program, which must be JSON."""
        result = await self.run(code, tools, **options)
        assert result.failure is None, result.failure.message
        assert result.value is not None
        assert result.value.form == "json", result.value
        return json.loads(result.value.text)

    async def error(self, code: str, tools: ScriptedTools | None = None, **options: Any) -> str:
        """The traceback of a program that must fail."""
        result = await self.run(code, tools, **options)
        assert result.failure is not None, result
        assert result.failure.kind == "raised", result.failure
        return result.failure.message

    async def printed(self, code: str, tools: ScriptedTools | None = None, **options: Any) -> str:
        """The stdout of a program that must succeed."""
        result = await self.run(code, tools, **options)
        assert result.failure is None, result.failure.message
        return stdout(result)


def store_nothing(what: str, mime_type: str, text: str) -> ResultLink | None:
    """Stores nothing, so that what is too long is cut and gone. See `StoreResult`."""
    return None


def stdout(result: RunResult) -> str:
    """The text printed to stdout."""
    return _text_of(result.output, "stdout")


def stderr(result: RunResult) -> str:
    """The text printed to stderr."""
    return _text_of(result.output, "stderr")


def _text_of(output: Output, stream: str) -> str:
    return "".join(piece.text for piece in (*output.pieces, *output.tail) if piece.stream == stream)


def shown(result: RunResult) -> list[str]:
    """The displayed items: values as text, media as MIME type."""
    return [each.text if isinstance(each, Value) else each.mime_type for each in result.displayed]


@asynccontextmanager
async def open_lab(engine: EngineName, cache: Path, workers: int = 2) -> AsyncGenerator[Lab]:
    """A lab on `engine`. The guest is compiled if it is not in `cache` yet."""
    settings = EngineSettings(engine, Limits().memory_mib, Limits().message_bytes, cache)
    size = PoolSize(spare=1, max_workers=workers)
    async with open_engine(settings, lambda _: None) as launch, open_pool(launch, size) as pool:
        if engine == "wasmtime":
            await (await launch()).aclose()  # the compilation must not count towards the first program's deadline
        yield Lab(engine, launch, pool, StandardLibrary(STANDARD_LIBRARY))
