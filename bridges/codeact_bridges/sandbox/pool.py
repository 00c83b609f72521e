"""Keeps workers warm, hands each to one run at a time, and replaces what is not clean any more."""

import logging
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
import anyio.abc
from pydantic import BaseModel, Field, model_validator

from codeact_bridges.errors import SandboxError, TooBusy
from codeact_bridges.sandbox.port import Worker

log = logging.getLogger(__name__)

RENEW_TIMEOUT_S = 30.0
"""A fresh guest is there in 1 ms (Wasmtime); an emulated micro-VM's restore takes up to 3 s."""

SPARE_AFTER_S = 1.0
"""How long a run may go on before the next worker is started behind it. Most are over by then, and the start of a
process beside them makes them slower for nothing; a run that has to wait shows that one more is of use."""

IDLE_S = 30.0
"""How long a worker beyond `spare` stays idle: longer than a model thinks between two programs of a burst."""


class PoolSize(BaseModel, extra="forbid", frozen=True):
    """The worker processes (`codeact.pool`). Each holds one sandbox, so costs about `limits.memory_mib` and 20 MiB."""

    spare: int = Field(default=1, ge=0, le=32)
    """Idle workers kept ready, so that a run need not wait for a sandbox. With 0, every run waits for its worker."""

    max_workers: int = Field(default=4, ge=1, le=64)
    """Workers alive at once, so runs at once. More than one per core only helps runs that wait for tools."""

    max_waiting: int = Field(default=128, ge=0, le=10_000)
    """Runs that may wait in line for a worker. The next is refused at once: its client would give up first."""

    @model_validator(mode="after")
    def _spare_ones_fit(self) -> "PoolSize":
        if self.spare > self.max_workers:
            raise ValueError(f"spare ({self.spare}) is more than max_workers ({self.max_workers})")
        return self


@dataclass(slots=True, eq=False)
class _Wait:
    over: anyio.Event = field(default_factory=anyio.Event)
    worker: Worker | None = None
    error: SandboxError | None = None

    def end(self, worker: Worker | None, error: SandboxError | None) -> None:
        self.worker, self.error = worker, error
        self.over.set()


@asynccontextmanager
async def open_pool(launch: Callable[[], Awaitable[Worker]], size: PoolSize) -> AsyncGenerator["Pool"]:
    """A pool whose workers are started by `launch` and are all gone when the block ends."""
    pool: Pool | None = None
    try:
        async with anyio.create_task_group() as tasks:
            pool = Pool(launch, size, tasks)
            tasks.start_soon(pool.let_go_idle)
            pool.top_up()
            try:
                yield pool
            finally:
                pool.closing = True
                tasks.cancel_scope.cancel()
    finally:
        # When all tasks have ended: a worker may be ready in the moment in which its start is cancelled.
        if pool is not None:
            with anyio.CancelScope(shield=True):
                await pool.close_idle()


class Pool:
    """Made by `open_pool`."""

    def __init__(self, launch: Callable[[], Awaitable[Worker]], size: PoolSize, tasks: anyio.abc.TaskGroup) -> None:
        self.size = size
        self.closing = False
        self._launch, self._tasks = launch, tasks
        self._idle: deque[tuple[Worker, float]] = deque()
        """With the time each came back; the one used last is at the right, and taken first."""
        self._coming = 0
        """Workers being started or renewed."""
        self._lent = 0
        self._has_started = False
        self._spare_comes = False
        self._waiting: deque[_Wait] = deque()

    @property
    def workers(self) -> int:
        """Workers that exist or are being started."""
        return len(self._idle) + self._coming + self._lent

    @asynccontextmanager
    async def worker(self) -> AsyncGenerator[Worker]:
        """Lend a worker with a fresh guest for the length of the block; waits in line where all are taken.

        A block that ends well gives the worker back, to be renewed behind the caller; one that raises ends it.

        Raises:
            TooBusy: too many wait already.
            EngineUnavailable: a worker could not be started.
        """
        worker = await self._take()
        clean = False
        try:
            yield worker
            clean = True
        finally:
            self._lent -= 1
            if clean and not self.closing:
                self._coming += 1
                self._tasks.start_soon(self._renew, worker)
            else:
                await worker.aclose()
                self.top_up()

    def top_up(self) -> None:
        """Start what is missing: a worker for each run that waits, and the spare ones."""
        self._start_workers(len(self._waiting) + self.size.spare - len(self._idle) - self._coming)

    def _start_workers(self, missing: int) -> None:
        if self.closing:
            return
        for _ in range(min(missing, self.size.max_workers - self.workers)):
            self._coming += 1
            self._tasks.start_soon(self._start)

    def _spare_soon(self) -> None:
        if not self._spare_comes and self.workers < self.size.max_workers:
            self._spare_comes = True
            self._tasks.start_soon(self._start_spare)

    async def _start_spare(self) -> None:
        await anyio.sleep(SPARE_AFTER_S)
        self._spare_comes = False
        self.top_up()

    async def let_go_idle(self) -> None:
        """End what has been idle for long, beyond the spare ones. Runs as long as the pool."""
        while True:
            await anyio.sleep(IDLE_S / 2)
            while len(self._idle) > self.size.spare and self._idle[0][1] <= anyio.current_time() - IDLE_S:
                worker, _ = self._idle.popleft()
                await worker.aclose()

    async def close_idle(self) -> None:
        while self._idle:
            worker, _ = self._idle.popleft()
            await worker.aclose()

    async def _take(self) -> Worker:
        self._spare_soon()
        if self._idle:
            worker, _ = self._idle.pop()
            self._lent += 1
            return worker
        if len(self._waiting) >= self.size.max_waiting:
            raise TooBusy(f"{self._lent} runs are under way and {len(self._waiting)} wait already: try again later")
        wait = _Wait()
        self._waiting.append(wait)
        if self._has_started:  # one that has just ended is renewed, and the next may come as soon as this one
            self.top_up()
        else:
            self._start_workers(len(self._waiting) - self._coming)
        try:
            await wait.over.wait()
        except BaseException:
            if wait.worker is not None:
                self._lent -= 1
                self._arrived(wait.worker)
            elif wait in self._waiting:
                self._waiting.remove(wait)
            raise
        if wait.error is not None:
            raise wait.error
        assert wait.worker is not None
        return wait.worker

    def _arrived(self, worker: Worker) -> None:
        if self._waiting:
            self._lent += 1
            self._waiting.popleft().end(worker, None)
        else:
            self._idle.append((worker, anyio.current_time()))

    async def _start(self) -> None:
        try:
            worker = await self._launched()
        except SandboxError as exc:
            self._coming -= 1
            if self._waiting:
                self._waiting.popleft().end(None, exc)
            else:
                log.warning("no worker could be started: %s", exc)
            return
        self._coming -= 1
        self._arrived(worker)

    async def _launched(self) -> Worker:
        """A new worker. Where some have started before, a failure may be an accident (a micro-VM on an emulated
        hypervisor has one in some hundred starts, measured), so that it is tried once more."""
        if self._has_started:
            try:
                return await self._launch()
            except SandboxError as exc:
                log.warning("a worker could not be started, and is tried once more: %s", exc)
        worker = await self._launch()
        self._has_started = True
        return worker

    async def _renew(self, worker: Worker) -> None:
        try:
            with anyio.fail_after(RENEW_TIMEOUT_S):
                await worker.renew()
        except (SandboxError, TimeoutError) as exc:
            log.warning("a worker is replaced: %s", exc or f"no fresh guest after {RENEW_TIMEOUT_S} s")
            self._coming -= 1
            await worker.aclose()
            self.top_up()
        except BaseException:
            await worker.aclose()
            raise
        else:
            self._coming -= 1
            self._arrived(worker)
