"""The pool, with in-memory workers: which run gets one, waits or is refused, and the worker's state after a run."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext

import anyio
import pytest

from codeact_bridges.errors import EngineUnavailable, GuestDied, TooBusy
from codeact_bridges.sandbox import pool as pool_module
from codeact_bridges.sandbox.pool import Pool, PoolSize, open_pool
from codeact_bridges.sandbox.port import EngineInfo, GuestHost, Worker

GUARD_S = 5


class Double:
    """A worker that does nothing. The test controls its renewal."""

    def __init__(self) -> None:
        self.info = EngineInfo("double", "none")
        self.renewals = 0
        self.closed = False
        self.renew_dies = False
        self.may_renew = anyio.Event()
        self.may_renew.set()
        self.gone = anyio.Event()

    async def run(self, begin: str, host: GuestHost) -> str:
        return "{}"

    async def renew(self) -> None:
        await self.may_renew.wait()
        if self.renew_dies:
            raise GuestDied("it did not come back")
        self.renewals += 1

    async def aclose(self) -> None:
        self.closed = True
        self.gone.set()


class Launcher:
    """Starts doubles when the test allows it."""

    def __init__(self) -> None:
        self.started: list[Double] = []
        self.failures = 0
        self.may_start = anyio.Event()
        self.may_start.set()
        self.changed = anyio.Event()

    async def __call__(self) -> Worker:
        await self.may_start.wait()
        if self.failures:
            self.failures -= 1
            raise EngineUnavailable("not on this machine")
        self.started.append(Double())
        self.changed.set()
        self.changed = anyio.Event()
        return self.started[-1]

    @property
    def alive(self) -> list[Double]:
        return [each for each in self.started if not each.closed]


@pytest.fixture
def launcher() -> Launcher:
    return Launcher()


@asynccontextmanager
async def opened(
    launcher: Launcher, spare: int = 1, max_workers: int = 2, max_waiting: int = 2
) -> AsyncGenerator[Pool]:
    with anyio.fail_after(GUARD_S):
        async with open_pool(launcher, PoolSize(spare=spare, max_workers=max_workers, max_waiting=max_waiting)) as pool:
            await anyio.wait_all_tasks_blocked()
            yield pool


async def test_a_spare_worker_is_started_before_the_first_run(launcher: Launcher) -> None:
    async with opened(launcher):
        assert len(launcher.started) == 1


async def test_the_next_worker_is_started_during_a_long_run(
    launcher: Launcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "SPARE_AFTER_S", 0.01)
    async with opened(launcher) as pool, pool.worker() as worker:
        assert worker is launcher.started[0]
        while len(launcher.started) < 2:
            await launcher.changed.wait()


async def test_no_worker_is_started_during_a_short_run(launcher: Launcher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "SPARE_AFTER_S", GUARD_S)
    async with opened(launcher) as pool, pool.worker():
        await anyio.wait_all_tasks_blocked()
        assert len(launcher.started) == 1


async def test_a_run_that_has_to_wait_starts_the_next_worker_at_once(
    launcher: Launcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "SPARE_AFTER_S", GUARD_S)
    async with opened(launcher) as pool:
        launcher.started[0].may_renew = anyio.Event()
        async with pool.worker():
            pass
        async with pool.worker() as worker:
            assert worker is launcher.started[1]


async def test_no_second_worker_is_started_while_the_very_first_one_starts(
    launcher: Launcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "SPARE_AFTER_S", GUARD_S)
    launcher.may_start = anyio.Event()
    async with opened(launcher) as pool, anyio.create_task_group() as tasks:
        tasks.start_soon(_use_briefly, pool)
        await anyio.wait_all_tasks_blocked()
        launcher.may_start.set()
        await anyio.wait_all_tasks_blocked()
        assert len(launcher.started) == 1


async def test_without_spare_workers_a_worker_is_started_only_for_a_run(launcher: Launcher) -> None:
    async with opened(launcher, spare=0) as pool:
        assert not launcher.started
        async with pool.worker():
            assert len(launcher.started) == 1


async def test_after_a_clean_run_a_worker_is_renewed_and_reused(launcher: Launcher) -> None:
    async with opened(launcher, max_workers=1) as pool:
        async with pool.worker() as first:
            pass
        async with pool.worker() as second:
            assert first is second
        assert launcher.started[0].renewals == 1


async def test_a_run_does_not_wait_for_the_renewal_of_its_worker(launcher: Launcher) -> None:
    async with opened(launcher, max_workers=1) as pool:
        launcher.started[0].may_renew = anyio.Event()
        async with pool.worker():
            pass
        assert launcher.started[0].renewals == 0
        launcher.started[0].may_renew.set()
        async with pool.worker():
            assert launcher.started[0].renewals == 1


async def test_a_worker_whose_run_failed_is_ended_and_replaced(launcher: Launcher) -> None:
    async with opened(launcher, max_workers=1) as pool:
        with pytest.raises(GuestDied):
            async with pool.worker():
                raise GuestDied("crashed")
        async with pool.worker() as worker:
            assert worker is launcher.started[1]
        assert launcher.started[0].closed


async def test_a_worker_whose_run_was_cancelled_is_ended_and_replaced(launcher: Launcher) -> None:
    async with opened(launcher, max_workers=1) as pool:
        with anyio.CancelScope() as scope:
            async with pool.worker():
                scope.cancel()
                await anyio.sleep_forever()
        assert launcher.started[0].closed
        async with pool.worker() as worker:
            assert worker is launcher.started[1]


async def test_a_worker_that_cannot_be_renewed_is_replaced(
    launcher: Launcher, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(launcher, max_workers=1) as pool:
        launcher.started[0].renew_dies = True
        async with pool.worker():
            pass
        async with pool.worker() as worker:
            assert worker is launcher.started[1]
    assert "it did not come back" in caplog.text


async def test_a_renewal_is_abandoned_after_its_timeout(launcher: Launcher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "RENEW_TIMEOUT_S", 0.01)
    async with opened(launcher, max_workers=1) as pool:
        launcher.started[0].may_renew = anyio.Event()
        async with pool.worker():
            pass
        async with pool.worker() as worker:
            assert worker is launcher.started[1]
        assert launcher.started[0].closed


async def test_waiting_runs_get_workers_in_their_order_of_arrival(launcher: Launcher) -> None:
    served: list[int] = []

    async def run(pool: Pool, number: int) -> None:
        async with pool.worker():
            served.append(number)

    async with (
        opened(launcher, max_workers=1, max_waiting=10) as pool,
        anyio.create_task_group() as tasks,
        pool.worker(),
    ):
        for number in range(5):
            tasks.start_soon(run, pool, number)
            await anyio.wait_all_tasks_blocked()
        assert served == []
    assert served == list(range(5))


async def test_a_run_beyond_the_queue_limit_is_refused_at_once(launcher: Launcher) -> None:
    async with (
        opened(launcher, max_workers=1, max_waiting=2) as pool,
        anyio.create_task_group() as tasks,
        pool.worker(),
    ):
        for _ in range(2):
            tasks.start_soon(_use_briefly, pool)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(TooBusy, match="1 runs are active and 2 are waiting"):
            async with pool.worker():
                pass


async def test_there_are_never_more_workers_than_the_limit(launcher: Launcher) -> None:
    most = 0
    async with opened(launcher, spare=2, max_workers=3, max_waiting=20) as pool, anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(_use_briefly, pool)
        for _ in range(20):
            await anyio.lowlevel.checkpoint()
            most = max(most, len(launcher.alive), pool.workers)
    assert most == 3


async def test_a_run_that_is_cancelled_while_it_waits_leaves_the_queue(launcher: Launcher) -> None:
    async with opened(launcher, max_workers=1, max_waiting=1) as pool:
        async with pool.worker():
            with anyio.move_on_after(0):
                async with pool.worker():
                    pytest.fail("there was no free worker")
        async with pool.worker() as worker:
            assert worker is launcher.started[0]


async def test_a_worker_that_is_ready_as_its_run_is_cancelled_goes_to_the_next_run(launcher: Launcher) -> None:
    launcher.may_start = anyio.Event()
    got: list[Worker] = []

    async with opened(launcher, spare=0, max_workers=1) as pool, anyio.create_task_group() as tasks:

        async def first() -> None:
            with anyio.CancelScope() as scope:
                scopes.append(scope)
                async with pool.worker() as worker:
                    got.append(worker)

        async def second() -> None:
            async with pool.worker() as worker:
                got.append(worker)

        scopes: list[anyio.CancelScope] = []
        tasks.start_soon(first)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(second)
        await anyio.wait_all_tasks_blocked()
        launcher.may_start.set()
        scopes[0].cancel()
    assert got == [launcher.started[0]]


async def test_a_run_gets_the_error_if_no_worker_can_be_started(launcher: Launcher) -> None:
    launcher.failures = 1
    async with opened(launcher, spare=0) as pool:
        with pytest.raises(EngineUnavailable, match="not on this machine"):
            async with pool.worker():
                pass


async def test_idle_workers_beyond_the_spare_ones_are_ended(
    launcher: Launcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "IDLE_S", 0.01)
    async with opened(launcher, spare=1, max_workers=3) as pool:
        async with AsyncExitStack() as burst:
            for _ in range(3):
                await burst.enter_async_context(pool.worker())
        for each in launcher.started[1:]:  # released first: an exit stack unwinds from the top
            await each.gone.wait()
        assert pool.workers == 1


async def test_closing_the_pool_ends_every_worker(launcher: Launcher) -> None:
    async with opened(launcher, spare=3, max_workers=3) as pool:
        async with pool.worker():
            pass
        await anyio.wait_all_tasks_blocked()
        assert len(launcher.alive) == 3
    assert not launcher.alive


async def test_a_worker_that_becomes_ready_while_the_pool_closes_is_ended_too(launcher: Launcher) -> None:
    async def launch() -> Worker:
        workers: list[Worker] = []
        with anyio.CancelScope(shield=True):
            workers.append(await launcher())
        return workers[0]

    launcher.may_start = anyio.Event()
    with anyio.fail_after(GUARD_S):
        async with open_pool(launch, PoolSize(spare=1, max_workers=2, max_waiting=2)):
            await anyio.wait_all_tasks_blocked()
            launcher.may_start.set()
    assert len(launcher.started) == 1
    assert not launcher.alive


async def test_a_worker_in_use_when_the_pool_closes_is_ended_too(launcher: Launcher) -> None:
    with anyio.CancelScope() as scope:
        async with opened(launcher, spare=0) as pool, pool.worker():
            scope.cancel()
            await anyio.sleep_forever()
    assert launcher.started
    assert not launcher.alive


async def _use_briefly(pool: Pool) -> None:
    async with pool.worker():
        await anyio.lowlevel.checkpoint()


@pytest.mark.parametrize("failures", [1, 2])
async def test_a_failed_start_is_retried_once_if_workers_have_started_before(launcher: Launcher, failures: int) -> None:
    async with opened(launcher, spare=0) as pool:
        async with pool.worker():
            launcher.failures = failures
            with pytest.raises(EngineUnavailable) if failures == 2 else nullcontext():
                async with pool.worker():
                    pass
        assert launcher.failures == 0
        async with pool.worker():
            pass
