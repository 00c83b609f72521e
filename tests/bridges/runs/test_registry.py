"""Runs that outlive their requests: who finds them, who waits for them, what happens to abandoned ones."""

from dataclasses import dataclass, field

import anyio
import anyio.lowlevel
import pytest
from run_handles import QUESTION, a_run

from codeact_bridges.errors import TooBusy, UnknownRun
from codeact_bridges.runs.handle import PendingQuestion, RunHandle
from codeact_bridges.runs.registry import RunRegistry, RunRetention, open_run_registry
from codeact_bridges.values import RunResult

RESULT = RunResult("double", "none", 0.0)
GUARD_S = 5


@dataclass
class Work:
    """What a run does, as the test says."""

    may_end: anyio.Event = field(default_factory=anyio.Event)
    stopped: bool = False

    async def __call__(self, handle: RunHandle) -> RunResult:
        with handle.deadline.running(1_000, 1_000):
            await self.may_end.wait()
        self.stopped = handle.deadline.ended_by == "stop"
        return RESULT


def started(runs: RunRegistry, handle: RunHandle) -> Work:
    work = Work()
    runs.begin(handle, work)
    return work


async def settled() -> None:
    for _ in range(10):
        await anyio.lowlevel.checkpoint()


@pytest.mark.parametrize("owner", ["you", "", "m", "meme", "anonymous"])
async def test_a_wrong_handle_and_somebody_elses_look_the_same(owner: str) -> None:
    async with open_run_registry(RunRetention()) as runs:
        handle = a_run()
        started(runs, handle)

        assert runs.find(handle.id, "me") is handle
        with pytest.raises(UnknownRun) as theirs:
            runs.find(handle.id, owner)
        with pytest.raises(UnknownRun) as wrong:
            runs.find("r-guessed", owner)
        assert str(theirs.value).replace(handle.id, "X") == str(wrong.value).replace("r-guessed", "X")


async def test_every_request_that_waits_for_a_run_gets_its_end() -> None:
    got: list[RunResult | PendingQuestion | None] = []

    async def wait() -> None:
        got.append(await handle.next(60))

    with anyio.fail_after(GUARD_S):
        async with open_run_registry(RunRetention()) as runs:
            handle = a_run()
            work = started(runs, handle)
            async with anyio.create_task_group() as tasks:
                for _ in range(3):
                    tasks.start_soon(wait)
                await settled()
                work.may_end.set()

    assert got == [RESULT] * 3


async def test_a_request_whose_time_is_up_gets_nothing_and_the_run_goes_on() -> None:
    async with open_run_registry(RunRetention()) as runs:
        handle = a_run()
        work = started(runs, handle)

        assert await handle.next(0) is None
        assert await handle.next(-1) is None
        work.may_end.set()
        assert await handle.next(60) == RESULT
        assert await handle.next(0) == RESULT


async def test_an_abandoned_run_is_stopped_and_its_result_is_retained_for_a_while() -> None:
    async with open_run_registry(RunRetention(abandoned_s=100, finished_s=200)) as runs:
        handle = a_run()
        work = started(runs, handle)
        await handle.next(0)
        left = handle.unwatched_since
        assert left is not None

        runs.tidy(left + 99)
        await settled()
        assert not work.stopped
        runs.tidy(left + 101)
        await handle.over.wait()
        assert work.stopped
        runs.tidy(left + 199)
        assert runs.find(handle.id, "me") is handle
        runs.tidy(left + 201)
        with pytest.raises(UnknownRun):
            runs.find(handle.id, "me")


async def test_a_run_that_somebody_waits_for_is_never_abandoned() -> None:
    async with open_run_registry(RunRetention(abandoned_s=1)) as runs, anyio.create_task_group() as tasks:
        handle = a_run()
        work = started(runs, handle)
        tasks.start_soon(handle.next, 60)
        await settled()
        runs.tidy(anyio.current_time() + 1_000_000)
        await settled()

        assert not work.stopped
        work.may_end.set()


async def test_while_a_person_is_asked_the_time_that_they_have_counts() -> None:
    async with open_run_registry(RunRetention(abandoned_s=100)) as runs, anyio.create_task_group() as tasks:
        handle = a_run(ask_timeout_s=300)
        work = started(runs, handle)
        tasks.start_soon(handle.ask, QUESTION)
        asked = await handle.next(60)
        assert isinstance(asked, PendingQuestion)
        runs.tidy(anyio.current_time() + 200)
        await settled()
        assert not work.stopped

        runs.tidy(anyio.current_time() + 301)
        await handle.over.wait()
        assert work.stopped


async def test_too_many_runs_are_refused_but_finished_ones_make_room() -> None:
    async with open_run_registry(RunRetention(max_runs=2)) as runs:
        first, second, third = a_run(), a_run(), a_run()
        started(runs, first)
        work = started(runs, second)
        with pytest.raises(TooBusy, match="2 programs are running"):
            runs.begin(third, Work())
        work.may_end.set()
        await second.next(60)
        started(runs, third)

        assert len(runs) == 2
        with pytest.raises(UnknownRun):
            runs.find(second.id, "me")


async def test_the_runs_of_an_owner_who_has_left_are_stopped_and_forgotten_and_nobody_elses_are() -> None:
    got: list[RunResult | PendingQuestion | None] = []

    async def wait() -> None:
        got.append(await running.next(60))

    with anyio.fail_after(GUARD_S):
        async with open_run_registry(RunRetention()) as runs, anyio.create_task_group() as tasks:
            running, finished, theirs = a_run(), a_run(), a_run("you")
            work, ended, other = (started(runs, each) for each in (running, finished, theirs))
            ended.may_end.set()
            await finished.next(60)
            tasks.start_soon(wait)
            await settled()
            runs.owner_left("me")
            runs.owner_left("nobody")
            await running.over.wait()
            await settled()

            assert (work.stopped, running.stopped_because) == (True, "stopped: the client ended its session")
            assert got == [RESULT], "a request that still waits is answered"
            assert list(runs) == [theirs]
            other.may_end.set()


async def test_a_bug_of_ours_becomes_a_result_without_detail(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(_: RunHandle) -> RunResult:
        raise RuntimeError("secret detail")

    async with open_run_registry(RunRetention()) as runs:
        handle = a_run()
        runs.begin(handle, fail)
        result = await handle.next(60)

    assert isinstance(result, RunResult)
    assert result.failure is not None
    assert result.failure.kind == "internal"
    assert "secret" not in result.failure.message
    assert "secret detail" in caplog.text


async def test_when_the_process_stops_every_run_ends_in_its_own_way() -> None:
    ended: list[str] = []

    async def work(_: RunHandle) -> RunResult:
        with handle.deadline.running(1_000, 1_000):
            await anyio.sleep_forever()
        await anyio.lowlevel.checkpoint()  # the run is recorded
        ended.append("recorded")
        return RESULT

    handle = a_run()
    opened: list[RunRegistry] = []
    with anyio.CancelScope() as scope:
        async with open_run_registry(RunRetention()) as runs:
            opened.append(runs)
            runs.begin(handle, work)
            await settled()
            scope.cancel()
            await anyio.sleep_forever()

    assert ended == ["recorded"]
    with pytest.raises(TooBusy, match="stopping"):
        opened[0].begin(a_run(), work)


async def test_a_run_that_does_not_end_is_cancelled_in_the_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("codeact_bridges.runs.registry.END_TIMEOUT_S", 0.05)

    async def never_end(_: RunHandle) -> RunResult:
        await anyio.sleep_forever()
        raise AssertionError

    with anyio.fail_after(GUARD_S):
        async with open_run_registry(RunRetention()) as runs:
            runs.begin(a_run(), never_end)
            await settled()

    assert "did not end within" in caplog.text
