"""The pool: keeps workers warm, gives each to one run at a time, and replaces workers that did not end cleanly."""

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
"""A fresh guest is ready in 1 ms (Wasmtime); restoring an emulated micro-VM takes up to 3 s."""

SPARE_AFTER_S = 1.0
"""How long a run takes before the next worker is started in the background. Most runs end sooner, and starting a
process beside them would only slow them down. A run that has to wait starts a worker at once."""

IDLE_S = 30.0
"""Seconds after which an idle worker beyond `spare` is ended: longer than a model thinks between two programs."""


class PoolSize(BaseModel, extra="forbid", frozen=True):
    """The worker processes (`codeact.pool`). Each holds one sandbox and costs about `limits.memory_mib` plus 20 MiB."""

    spare: int = Field(default=1, ge=0, le=32)
    """Idle workers kept ready, so that a run does not wait for a sandbox. With 0, every run waits for its worker."""

    max_workers: int = Field(default=4, ge=1, le=64)
    """Limit of workers, and so of concurrent runs. More than one per core only helps runs that wait for tools."""

    max_waiting: int = Field(default=128, ge=0, le=10_000)
    """Runs that may queue for a worker. Further runs are refused at once: their clients would give up first."""

    @model_validator(mode="after")
    def _spare_ones_fit(self) -> "PoolSize":
        if self.spare > self.max_workers:
            raise ValueError(f"spare ({self.spare}) is more than max_workers ({self.max_workers})")
        return self


@dataclass(slots=True, eq=False)
class _Waiter:
    done: anyio.Event = field(default_factory=anyio.Event)
    worker: Worker | None = None
    error: SandboxError | None = None

    def end(self, worker: Worker | None, error: SandboxError | None) -> None:
        self.worker, self.error = worker, error
        self.done.set()


@asynccontextmanager
async def open_pool(launch: Callable[[], Awaitable[Worker]], size: PoolSize) -> AsyncGenerator["Pool"]:
    """A pool whose workers are started by `launch`. All of them have ended when the block ends."""
    pool: Pool | None = None
    try:
        async with anyio.create_task_group() as tasks:
            pool = Pool(launch, size, tasks)
            tasks.start_soon(pool.reap_idle)
            pool.top_up()
            try:
                yield pool
            finally:
                pool.closing = True
                tasks.cancel_scope.cancel()
    finally:
        # After all tasks have ended, because a worker may become ready while its start is being cancelled.
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
        """With the time each became idle. The most recently used is at the right end and is taken first."""
        self._preparing = 0
        """Workers being started or renewed."""
        self._in_use = 0
        self._has_started = False
        self._spare_scheduled = False
        self._waiting: deque[_Waiter] = deque()

    @property
    def workers(self) -> int:
        """Workers that exist or are being started."""
        return len(self._idle) + self._preparing + self._in_use

    @asynccontextmanager
    async def worker(self) -> AsyncGenerator[Worker]:
        """Give the block a worker with a fresh guest. Waits in a queue while all workers are in use.

        After a block that ends normally, the worker is renewed in the background. A block that raises ends its worker.

        Raises:
            TooBusy: the queue is full.
            EngineUnavailable: a worker could not be started.
        """
        worker = await self._acquire()
        clean = False
        try:
            yield worker
            clean = True
        finally:
            self._in_use -= 1
            if clean and not self.closing:
                self._preparing += 1
                self._tasks.start_soon(self._renew, worker)
            else:
                await worker.aclose()
                self.top_up()

    def top_up(self) -> None:
        """Start missing workers: one for each waiting run, and the spare ones."""
        self._start_workers(len(self._waiting) + self.size.spare - len(self._idle) - self._preparing)

    def _start_workers(self, missing: int) -> None:
        if self.closing:
            return
        for _ in range(min(missing, self.size.max_workers - self.workers)):
            self._preparing += 1
            self._tasks.start_soon(self._start)

    def _spare_soon(self) -> None:
        if not self._spare_scheduled and self.workers < self.size.max_workers:
            self._spare_scheduled = True
            self._tasks.start_soon(self._start_spare)

    async def _start_spare(self) -> None:
        await anyio.sleep(SPARE_AFTER_S)
        self._spare_scheduled = False
        self.top_up()

    async def reap_idle(self) -> None:
        """End workers beyond the spare ones after `IDLE_S` of idleness. Runs as long as the pool."""
        while True:
            await anyio.sleep(IDLE_S / 2)
            while len(self._idle) > self.size.spare and self._idle[0][1] <= anyio.current_time() - IDLE_S:
                worker, _ = self._idle.popleft()
                await worker.aclose()

    async def close_idle(self) -> None:
        while self._idle:
            worker, _ = self._idle.popleft()
            await worker.aclose()

    async def _acquire(self) -> Worker:
        self._spare_soon()
        if self._idle:
            worker, _ = self._idle.pop()
            self._in_use += 1
            return worker
        if len(self._waiting) >= self.size.max_waiting:
            raise TooBusy(f"{self._in_use} runs are active and {len(self._waiting)} are waiting: try again later")
        waiter = _Waiter()
        self._waiting.append(waiter)
        if self._has_started:
            self.top_up()  # with a spare one: a worker being renewed may serve this run, but not the run after it
        else:
            self._start_workers(len(self._waiting) - self._preparing)
        try:
            await waiter.done.wait()
        except BaseException:
            if waiter.worker is not None:
                self._in_use -= 1
                self._hand_over(waiter.worker)
            elif waiter in self._waiting:
                self._waiting.remove(waiter)
            raise
        if waiter.error is not None:
            raise waiter.error
        assert waiter.worker is not None
        return waiter.worker

    def _hand_over(self, worker: Worker) -> None:
        """Give a ready worker to the first run in the queue; without one it becomes idle."""
        if self._waiting:
            self._in_use += 1
            self._waiting.popleft().end(worker, None)
        else:
            self._idle.append((worker, anyio.current_time()))

    async def _start(self) -> None:
        try:
            worker = await self._launched()
        except SandboxError as exc:
            self._preparing -= 1
            if self._waiting:
                self._waiting.popleft().end(None, exc)
            else:
                log.warning("no worker could be started: %s", exc)
            return
        self._preparing -= 1
        self._hand_over(worker)

    async def _launched(self) -> Worker:
        """Start a new worker. If workers have started before, retry once.

        Such a failure may be an accident: on an emulated hypervisor a micro-VM fails once in some hundred starts
        (measured).
        """
        if self._has_started:
            try:
                return await self._launch()
            except SandboxError as exc:
                log.warning("a worker could not be started, trying once more: %s", exc)
        worker = await self._launch()
        self._has_started = True
        return worker

    async def _renew(self, worker: Worker) -> None:
        try:
            with anyio.fail_after(RENEW_TIMEOUT_S):
                await worker.renew()
        except (SandboxError, TimeoutError) as exc:
            log.warning("replacing a worker: %s", exc or f"no fresh guest after {RENEW_TIMEOUT_S} s")
            self._preparing -= 1
            await worker.aclose()
            self.top_up()
        except BaseException:
            await worker.aclose()
            raise
        else:
            self._preparing -= 1
            self._hand_over(worker)
