"""Select the engine for this machine and start its workers. Prepared in the background, while clients are answered."""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import anyio

from codeact_bridges.errors import EngineUnavailable
from codeact_bridges.guest.images import COMPONENT
from codeact_bridges.sandbox import hypervisor
from codeact_bridges.sandbox.component_cache import compiled_component
from codeact_bridges.sandbox.port import Worker
from codeact_bridges.sandbox.preparation import Preparation
from codeact_bridges.sandbox.worker_process import WorkerProcess, WorkerSetup

log = logging.getLogger(__name__)

EngineName: TypeAlias = Literal["auto", "hyperlight", "wasmtime"]

MOMENT_S = 2.0
"""How long the first micro-VM may take to boot before waiting runs say so. On a real hypervisor it takes less."""

ALTERNATIVE = "engine = 'auto' or 'wasmtime' runs programs in WebAssembly instead"


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """The operator's settings for every sandbox."""

    engine: EngineName
    memory_mib: int
    message_bytes: int
    cache: Path
    """The user's cache directory, in which the compiled guest is stored."""


def check_engine(engine: EngineName) -> None:
    """Raise `EngineUnavailable` if the configured engine does not work here. Hyperlight needs a trial start."""
    if engine == "hyperlight":
        why_not = hypervisor.obstacle() or hypervisor.probe()
        if why_not is not None:
            raise EngineUnavailable(f"engine = 'hyperlight': {why_not}. {ALTERNATIVE}")


@asynccontextmanager
async def open_engine(
    wanted: EngineSettings, say: Callable[[str], None], preparation: Preparation | None = None
) -> AsyncGenerator[Callable[[], Awaitable[Worker]]]:
    """Yield a function that starts a worker. The engine is prepared in the background; the function waits for it.

    `say` gets lines for the operator: the engine selected and the reason, and notices of delays. `preparation` is told
    of the delays, too, and of their end.
    The function raises `EngineUnavailable` if no engine could be prepared on this machine.
    """
    engine = _Engine(wanted, say, preparation or Preparation())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(engine.prepare)
        try:
            yield engine.launch
        finally:
            tasks.cancel_scope.cancel()
            await engine.aclose()


class _Engine:
    """Made by `open_engine`."""

    def __init__(self, wanted: EngineSettings, say: Callable[[str], None], preparation: Preparation) -> None:
        self._wanted, self._say, self._preparation = wanted, say, preparation
        self._prepared = anyio.Event()
        self._setup: WorkerSetup | None = None
        self._error = "the engine is not prepared"
        self._first: Worker | None = None
        """The worker whose start proved that Hyperlight works. The first `launch` returns it."""

    async def prepare(self) -> None:
        """Select the engine. Runs until cancelled, because the compiled guest exists only that long."""
        try:
            if self._wanted.engine == "wasmtime":
                await self._use_wasmtime()
            why_not = await self._try_hyperlight()
            if why_not is None:
                return
            if self._wanted.engine == "hyperlight":
                raise EngineUnavailable(f"engine = 'hyperlight': {why_not}. {ALTERNATIVE}")  # noqa: TRY301
            self._say(
                "engine: wasmtime. Programs run in WebAssembly in a locked-down process, NOT in a micro-VM, "
                f"because {why_not}"
            )
            await self._use_wasmtime()
        except EngineUnavailable as exc:
            self._say(f"no program can run: {exc}")
            self._error = str(exc)
            self._finish()

    async def launch(self) -> Worker:
        await self._prepared.wait()
        if self._first is not None:
            first, self._first = self._first, None
            return first
        if self._setup is None:
            raise EngineUnavailable(self._error)
        return await WorkerProcess.start(self._setup)

    async def aclose(self) -> None:
        if self._first is not None:
            await self._first.aclose()

    async def _try_hyperlight(self) -> str | None:
        """Start a worker whose guest boots in a real micro-VM. Returns the reason if that failed, else None."""
        why_not = hypervisor.obstacle()
        if why_not is not None:
            return why_not
        setup = WorkerSetup("hyperlight", self._wanted.memory_mib, self._wanted.message_bytes)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._tell_after_a_moment)
            try:
                self._first = await WorkerProcess.start(setup)
            except EngineUnavailable as exc:
                return hypervisor.explain(str(exc))
            finally:
                tasks.cancel_scope.cancel()
        self._setup = setup
        self._finish()
        return None

    async def _tell_after_a_moment(self) -> None:
        await anyio.sleep(MOMENT_S)
        self._preparation.takes_long()

    async def _use_wasmtime(self) -> None:
        def on_compile() -> None:
            self._say("compiling the guest for this machine, once: about 10 s …")
            self._preparation.takes_long()

        async with compiled_component(COMPONENT, self._wanted.cache, on_compile) as compiled:
            self._setup = WorkerSetup("wasmtime", self._wanted.memory_mib, self._wanted.message_bytes, compiled)
            self._finish()
            await anyio.sleep_forever()

    def _finish(self) -> None:
        self._preparation.end()
        self._prepared.set()
