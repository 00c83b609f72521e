"""All runs of this process. Each is a task of the server's, not of the request that began it.

A request waits for what its run does next: the run ends, or asks a person, or the request's time is up and it answers
with the handle. The client that has the handle waits on or stops the run.

    running ──▶ asking ──▶ running ──▶ finished ──▶ fetched: forgotten
       ├── nobody came back in time: stopped ──▶ finished ──▶ retained for a while: forgotten
       └── its client stopped waiting or has left: stopped ──▶ finished: forgotten
"""

import logging
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeAlias

import anyio
import anyio.abc

from codeact_bridges.errors import TooBusy, UnknownRun
from codeact_bridges.runs.handle import RunHandle
from codeact_bridges.system.task_groups import every
from codeact_bridges.values import Failure, RunResult

log = logging.getLogger(__name__)

SWEEP_S = 5.0
"""How often to look for abandoned runs. The retention times are minutes, so a few seconds do not matter."""

END_TIMEOUT_S = 1.0
"""How long runs may take to end and to be recorded when the process stops, of 5 s in all."""

OWNER_LEFT = "stopped: the client ended its session"
"""What the result of such a run says, to a request that still waits for it and in the audit log."""

Execute: TypeAlias = Callable[[RunHandle], Awaitable[RunResult]]


@dataclass(frozen=True, slots=True)
class RunRetention:
    """How many runs there may be, and how long a run waits for a client to come back."""

    max_runs: int = 256
    abandoned_s: float = 300.0
    """While a person is asked, the time they have to answer counts instead, if it is longer."""
    finished_s: float = 600.0


class RunRegistry:
    """The runs, by handle. Made by `open_run_registry`."""

    def __init__(self, tasks: anyio.abc.TaskGroup, retention: RunRetention) -> None:
        self._tasks, self._retention = tasks, retention
        self._runs: dict[str, RunHandle] = {}
        self._running: dict[RunHandle, anyio.CancelScope] = {}
        self._closing = False

    def __len__(self) -> int:
        return len(self._runs)

    def __iter__(self) -> Iterator[RunHandle]:
        return iter(self._runs.values())

    def begin(self, handle: RunHandle, execute: Execute) -> None:
        """Start `execute(handle)`, whose result becomes the run's. If the registry is full, the oldest finished run
        that no request waits for is forgotten.

        Raises:
            TooBusy: the registry is full of runs that have not finished.
        """
        if self._closing:
            raise TooBusy("the server is stopping")
        if len(self._runs) >= self._retention.max_runs:
            unfetched = [run for run in self if run.over.is_set() and run.unwatched_since is not None]
            if not unfetched:
                raise TooBusy(f"{len(self._runs)} programs are running: cancel one, or try again later")
            self.forget(unfetched[0])
        self._runs[handle.id] = handle
        # Shielded: when the process stops, `end` stops the run, so that it is recorded.
        scope = self._running[handle] = anyio.CancelScope(shield=True)
        self._tasks.start_soon(self._run, handle, execute, scope)

    def find(self, run_id: str, owner: str) -> RunHandle:
        """Return the run of that handle.

        Raises:
            UnknownRun: this owner has none. A wrong handle and another client's look the same.
        """
        handle = self._runs.get(run_id)
        if handle is None or not secrets.compare_digest(handle.owner.encode(), owner.encode()):
            raise UnknownRun(run_id)
        return handle

    def forget(self, handle: RunHandle) -> None:
        """Forget a run whose result was handed over."""
        self._runs.pop(handle.id, None)

    def abandon(self, handle: RunHandle, why: str) -> None:
        """Stop a run whose result nobody can fetch, and forget it when it has ended."""
        handle.abandoned = True
        if handle.result is not None:
            self.forget(handle)
        else:
            handle.stop(why)

    def owner_left(self, owner: str) -> None:
        """Abandon all runs of an owner: nobody can come back for them."""
        for handle in [each for each in self if each.owner == owner]:
            handle.owner_left = True
            self.abandon(handle, OWNER_LEFT)

    def tidy(self, now: float) -> None:
        """Stop abandoned runs, and forget finished ones that nobody fetched."""
        for handle in list(self):
            if handle.unwatched_since is None:
                continue
            unwatched_s = now - handle.unwatched_since
            if handle.result is not None:
                if unwatched_s > self._retention.finished_s:
                    self.forget(handle)
            # A program may ask one question after the other, so a question does not protect it for ever.
            elif unwatched_s > max(self._retention.abandoned_s, handle.ask_timeout_s if handle.is_asking else 0):
                log.info("run %s is stopped: nobody came back for it", handle.public_id)
                handle.stop("stopped: no request came back for it")

    async def end(self) -> None:
        """Stop every run, and wait until each has ended and is recorded."""
        self._closing = True
        for handle in self._running:
            handle.stop("stopped: the server is stopping")
        for handle in list(self._running):
            await handle.over.wait()

    def unshield(self) -> None:
        """Let the runs that did not end in time be cancelled."""
        for handle, scope in self._running.items():
            log.warning("run %s did not end within %g s", handle.public_id, END_TIMEOUT_S)
            scope.shield = False

    async def _run(self, handle: RunHandle, execute: Execute, scope: anyio.CancelScope) -> None:
        with scope:
            try:
                handle.finish(await execute(handle))
            except Exception:
                log.exception("run %s failed inside the server", handle.public_id)
                reason = "internal error; the server's log has the details. Part of the program may have run"
                failure = Failure("internal", reason)
                handle.finish(RunResult("none", "not known", 0.0, output=handle.read(), failure=failure))
            finally:
                del self._running[handle]
                if handle.abandoned:
                    self.forget(handle)


@asynccontextmanager
async def open_run_registry(retention: RunRetention) -> AsyncGenerator[RunRegistry]:
    """Provide a registry, whose runs all end with the block."""
    async with anyio.create_task_group() as tasks:
        runs = RunRegistry(tasks, retention)
        tasks.start_soon(every, SWEEP_S, runs.tidy)
        try:
            yield runs
        finally:
            with anyio.move_on_after(END_TIMEOUT_S, shield=True):
                await runs.end()
            runs.unshield()
            tasks.cancel_scope.cancel()
