"""Runs with a life of their own: each is a task of the server's, not of the request that began it.

A request waits for what its run does next: it ends, or asks its person something, or time is up and the request answers
with a handle. Whoever holds the handle, and is the client that got it, waits on or stops the run.

    running ──▶ asking ──▶ running ──▶ finished ──▶ fetched: forgotten
       └── nobody came back in time: stopped ──▶ finished ──▶ kept for a while: forgotten
"""

import logging
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio
import anyio.abc

from codeact_bridges.errors import TooBusy, UnknownRun
from codeact_bridges.runs.handle import RunHandle
from codeact_bridges.values import Failure, RunResult

log = logging.getLogger(__name__)

SWEEP_S = 5.0
"""How often runs that nobody came back for are looked for. Their times are minutes, so a few seconds do not matter."""


END_TIMEOUT_S = 1.0
"""How long the runs may take to end and to leave their account when the process stops, of 5 s in all."""


@dataclass(frozen=True, slots=True)
class RunRetention:
    """How many runs there may be, and for how long nobody need come back for one."""

    max_runs: int = 256
    abandoned_s: float = 300.0
    """While a person is asked, the time they have to answer counts instead."""
    finished_s: float = 600.0


class RunRegistry:
    """All runs of this process. Made by `open_runs`."""

    def __init__(self, tasks: anyio.abc.TaskGroup, keeping: RunRetention) -> None:
        self._tasks, self._keeping = tasks, keeping
        self._runs: dict[str, RunHandle] = {}
        self._under_way: dict[RunHandle, anyio.CancelScope] = {}
        self._closing = False

    def __len__(self) -> int:
        return len(self._runs)

    def __iter__(self) -> Iterator[RunHandle]:
        """The runs as they are now, oldest first: later changes do not disturb the iteration."""
        return iter(list(self._runs.values()))

    def begin(self, live: RunHandle, work: Callable[[], Awaitable[RunResult]]) -> None:
        """Let `work` run; its result becomes `live`'s. Where there are too many, the oldest unfetched one goes.

        Raises:
            TooBusy: there are too many that are still running.
        """
        if self._closing:
            raise TooBusy("the server is stopping")
        if len(self._runs) >= self._keeping.max_runs:
            unfetched = [
                each for each in self._runs.values() if each.over.is_set() and each.unwatched_since is not None
            ]
            if not unfetched:
                raise TooBusy(f"{len(self._runs)} runs are under way: cancel some, or try later")
            self.forget(unfetched[0])
        self._runs[live.id] = live
        # Shielded: when the process stops, `end` stops the run, so that its account is written.
        scope = self._under_way[live] = anyio.CancelScope(shield=True)
        self._tasks.start_soon(self._carry_out, live, work, scope)

    def find(self, run_id: str, owner: str) -> RunHandle:
        """The run of that handle.

        Raises:
            UnknownRun: there is none for this owner: a wrong handle and somebody else's look the same.
        """
        live = self._runs.get(run_id)
        if live is None or not secrets.compare_digest(live.owner.encode(), owner.encode()):
            raise UnknownRun(run_id)
        return live

    def forget(self, live: RunHandle) -> None:
        """Its result has been handed over."""
        self._runs.pop(live.id, None)

    async def sweep(self) -> None:
        """Tidy up from time to time, for as long as the process serves."""
        while True:
            await anyio.sleep(SWEEP_S)
            self.tidy(anyio.current_time())

    def tidy(self, now: float) -> None:
        """Stop what nobody came back for, forget what nobody fetched."""
        for live in list(self._runs.values()):
            if live.unwatched_since is None:
                continue
            unwatched_s = now - live.unwatched_since
            if live.result is not None:
                if unwatched_s > self._keeping.finished_s:
                    self.forget(live)
            # A program may ask one question after the other, and would be kept by them for ever.
            elif unwatched_s > max(self._keeping.abandoned_s, live.ask_timeout_s if live.asks else 0):
                log.info("run %s is stopped: nobody came back for it", live.public_id)
                live.stop()

    async def end(self) -> None:
        """Stop every run; each ends in its own way and leaves its account."""
        self._closing = True
        for live in self._under_way:
            live.stop()
        for live in list(self._under_way):
            await live.over.wait()

    def let_go(self) -> None:
        """Let those be cancelled that did not end in time."""
        for live, scope in self._under_way.items():
            log.warning("run %s did not end within %g s", live.public_id, END_TIMEOUT_S)
            scope.shield = False

    async def _carry_out(
        self, live: RunHandle, work: Callable[[], Awaitable[RunResult]], scope: anyio.CancelScope
    ) -> None:
        with scope:
            try:
                live.finish(await work())
            except Exception:
                log.exception("run %s failed inside the server", live.public_id)
                said = "internal error, of which the server's log has the details. The program may have run in part"
                live.finish(RunResult("none", "not known", 0.0, failure=Failure("internal", said)))
            finally:
                del self._under_way[live]


@asynccontextmanager
async def open_run_registry(keeping: RunRetention) -> AsyncGenerator[RunRegistry]:
    """A registry whose runs all end with the block."""
    async with anyio.create_task_group() as tasks:
        runs = RunRegistry(tasks, keeping)
        tasks.start_soon(runs.sweep)
        try:
            yield runs
        finally:
            with anyio.move_on_after(END_TIMEOUT_S, shield=True):
                await runs.end()
            runs.let_go()
            tasks.cancel_scope.cancel()
