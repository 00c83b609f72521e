"""Runs that outlive requests: who finds them, who waits for them, what becomes of those that nobody comes back for."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import anyio
import anyio.lowlevel
import pytest

from codeact_bridges.approval.request import ApprovalChoice, ApprovalRequest
from codeact_bridges.errors import TooBusy, ToolError, UnknownRun
from codeact_bridges.runs.handle import MAX_SERVER_QUESTIONS, PendingQuestion, RunHandle
from codeact_bridges.runs.observer import RunEvent
from codeact_bridges.runs.registry import RunRegistry, RunRetention, open_run_registry
from codeact_bridges.tools.port import ClientRequest, ClientRequestKind
from codeact_bridges.values import CallProgress, CallRecord, Output, Printed, RunResult

RESULT = RunResult("double", "none", 0.0)
QUESTION = ApprovalRequest("shop", "drop", "{}", "", "because")
GUARD_S = 5
FORM: frozenset[ClientRequestKind] = frozenset({"form"})


def a_run(owner: str = "me", *, serves: frozenset[ClientRequestKind] = FORM, ask_timeout_s: float = 60) -> RunHandle:
    return RunHandle(owner, serves=serves, ask_timeout_s=ask_timeout_s, output_bytes=1_000)


@dataclass
class Work:
    """What a run does, as the test says."""

    live: RunHandle
    may_end: anyio.Event = field(default_factory=anyio.Event)
    stopped: bool = False

    async def __call__(self) -> RunResult:
        with self.live.deadline.running(1_000, 1_000):
            await self.may_end.wait()
        self.stopped = self.live.deadline.ended_by == "stop"
        return RESULT


def begun(runs: RunRegistry, live: RunHandle) -> Work:
    work = Work(live)
    runs.begin(live, work)
    return work


async def settled() -> None:
    for _ in range(10):
        await anyio.lowlevel.checkpoint()


@pytest.mark.parametrize("owner", ["you", "", "m", "meme", "anonymous"])
async def test_a_wrong_handle_and_somebody_elses_look_the_same(owner: str) -> None:
    async with open_run_registry(RunRetention()) as runs:
        live = a_run()
        begun(runs, live)

        assert runs.find(live.id, "me") is live
        with pytest.raises(UnknownRun) as theirs:
            runs.find(live.id, owner)
        with pytest.raises(UnknownRun) as wrong:
            runs.find("r-guessed", owner)
        assert str(theirs.value).replace(live.id, "X") == str(wrong.value).replace("r-guessed", "X")


async def test_every_request_that_waits_for_a_run_gets_its_end() -> None:
    got: list[RunResult | PendingQuestion | None] = []

    async def wait() -> None:
        got.append(await live.next(60))

    with anyio.fail_after(GUARD_S):
        async with open_run_registry(RunRetention()) as runs:
            live = a_run()
            work = begun(runs, live)
            async with anyio.create_task_group() as tasks:
                for _ in range(3):
                    tasks.start_soon(wait)
                await settled()
                work.may_end.set()

    assert got == [RESULT] * 3


async def test_a_request_whose_time_is_up_gets_nothing_and_the_run_goes_on() -> None:
    async with open_run_registry(RunRetention()) as runs:
        live = a_run()
        work = begun(runs, live)

        assert await live.next(0) is None
        assert await live.next(-1) is None
        work.may_end.set()
        assert await live.next(60) == RESULT
        assert await live.next(0) == RESULT


async def test_what_was_printed_is_handed_over_once() -> None:
    live = a_run()
    live.printed(Printed("stdout", "a"))
    first = live.read()
    live.printed(Printed("stdout", "b"))

    assert first == Output((Printed("stdout", "a"),))
    assert live.unread_part(Output((Printed("stdout", "ab"),))) == Output((Printed("stdout", "b"),))


async def test_each_request_that_listens_hears_of_lines_and_calls() -> None:
    live = a_run()
    heard: list[RunEvent] = []
    live.listeners += [heard.append, heard.append]
    call = CallRecord("shop.look", "ok", 0, 0)
    live.printed(Printed("stdout", "a"))
    progress = CallProgress("shop.look", 1, None, "looking")
    live.progressed(progress)
    live.called(call)

    assert heard == [Printed("stdout", "a")] * 2 + [progress] * 2 + [call] * 2
    assert live.calls == 1


async def ask_and(live: RunHandle, act: Callable[[PendingQuestion], Awaitable[None] | None]) -> ApprovalChoice | None:
    """What the run is answered when `act` does something about its question."""
    given: list[ApprovalChoice | None] = []

    async def ask() -> None:
        given.append(await live.ask(QUESTION))

    with anyio.fail_after(GUARD_S):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            asked = await live.next(60)
            assert isinstance(asked, PendingQuestion)
            done = act(asked)
            if done is not None:
                await done
    return given[0]


async def test_a_question_waits_for_the_answer_that_is_meant_for_it() -> None:
    live = a_run()

    def act(asked: PendingQuestion) -> None:
        assert live.asked("an old question") is None
        assert live.asked(asked.id) is asked
        asked.answer("once")
        asked.answer("session")

    assert await ask_and(live, act) == "once"
    assert not live.asks


async def test_no_answer_in_time_is_a_no() -> None:
    async def wait_until_over(asked: PendingQuestion) -> None:
        await asked.over.wait()

    assert await ask_and(a_run(ask_timeout_s=0.01), wait_until_over) == "no"


async def test_a_client_that_cannot_ask_is_not_asked() -> None:
    assert await a_run(serves=frozenset()).ask(QUESTION) is None


async def test_servers_may_ask_only_so_often_in_one_run() -> None:
    live = a_run(ask_timeout_s=0.001)
    question = ClientRequest("shop", "drop", "form", {})
    for _ in range(MAX_SERVER_QUESTIONS):
        await live.forward(question)
    with pytest.raises(ToolError, match="20 questions in this run"):
        await live.forward(question)


@pytest.mark.parametrize(
    ("kind", "given"),
    [("form", {"action": "cancel"}), ("url", {"action": "cancel"}), ("sampling", None), ("roots", None)],
)
async def test_a_servers_question_without_an_answer_in_time_is_given_up(kind: ClientRequestKind, given: object) -> None:
    live = a_run(ask_timeout_s=0.01)
    question = ClientRequest("shop", "drop", kind, {})
    if given is not None:
        assert await live.forward(question) == given
    else:
        with pytest.raises(ToolError, match=r"shop\.drop: the client did not answer its question"):
            await live.forward(question)


async def test_a_question_of_a_call_that_was_cancelled_is_not_asked_any_more() -> None:
    live = a_run()
    asked: RunResult | PendingQuestion | None = None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(live.ask, QUESTION)
        asked = await live.next(60)
        tasks.cancel_scope.cancel()

    assert isinstance(asked, PendingQuestion)
    assert asked.over.is_set()
    assert not live.asks


async def test_a_run_that_nobody_came_back_for_is_stopped_and_then_kept_for_a_while() -> None:
    async with open_run_registry(RunRetention(abandoned_s=100, finished_s=200)) as runs:
        live = a_run()
        work = begun(runs, live)
        await live.next(0)
        left = live.unwatched_since
        assert left is not None

        runs.tidy(left + 99)
        await settled()
        assert not work.stopped
        runs.tidy(left + 101)
        await live.over.wait()
        assert work.stopped
        runs.tidy(left + 199)
        assert runs.find(live.id, "me") is live
        runs.tidy(left + 201)
        with pytest.raises(UnknownRun):
            runs.find(live.id, "me")


async def test_a_run_that_somebody_waits_for_is_never_abandoned() -> None:
    async with open_run_registry(RunRetention(abandoned_s=1)) as runs, anyio.create_task_group() as tasks:
        live = a_run()
        work = begun(runs, live)
        tasks.start_soon(live.next, 60)
        await settled()
        runs.tidy(anyio.current_time() + 1_000_000)
        await settled()

        assert not work.stopped
        work.may_end.set()


async def test_while_a_person_is_asked_the_time_that_they_have_counts() -> None:
    async with open_run_registry(RunRetention(abandoned_s=100)) as runs, anyio.create_task_group() as tasks:
        live = a_run(ask_timeout_s=300)
        work = begun(runs, live)
        tasks.start_soon(live.ask, QUESTION)
        asked = await live.next(60)
        assert isinstance(asked, PendingQuestion)
        runs.tidy(anyio.current_time() + 200)
        await settled()
        assert not work.stopped

        runs.tidy(anyio.current_time() + 301)
        await live.over.wait()
        assert work.stopped


async def test_too_many_runs_are_refused_but_those_that_nobody_fetched_make_way() -> None:
    async with open_run_registry(RunRetention(max_runs=2)) as runs:
        first, second, third = a_run(), a_run(), a_run()
        begun(runs, first)
        work = begun(runs, second)
        with pytest.raises(TooBusy, match="2 runs are under way"):
            runs.begin(third, Work(third))
        work.may_end.set()
        await second.next(60)
        begun(runs, third)

        assert len(runs) == 2
        with pytest.raises(UnknownRun):
            runs.find(second.id, "me")


async def test_a_bug_of_ours_becomes_a_result_without_detail(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> RunResult:
        raise RuntimeError("secret detail")

    async with open_run_registry(RunRetention()) as runs:
        live = a_run()
        runs.begin(live, fail)
        result = await live.next(60)

    assert isinstance(result, RunResult)
    assert result.failure is not None
    assert result.failure.kind == "internal"
    assert "secret" not in result.failure.message
    assert "secret detail" in caplog.text


async def test_when_the_process_stops_every_run_ends_in_its_own_way() -> None:
    ended: list[str] = []

    async def work() -> RunResult:
        with live.deadline.running(1_000, 1_000):
            await anyio.sleep_forever()
        await anyio.lowlevel.checkpoint()  # it writes its account
        ended.append("account written")
        return RESULT

    live = a_run()
    opened: list[RunRegistry] = []
    with anyio.CancelScope() as scope:
        async with open_run_registry(RunRetention()) as runs:
            opened.append(runs)
            runs.begin(live, work)
            await settled()
            scope.cancel()
            await anyio.sleep_forever()

    assert ended == ["account written"]
    with pytest.raises(TooBusy, match="stopping"):
        opened[0].begin(a_run(), work)


async def test_a_run_that_does_not_end_is_cancelled_in_the_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("codeact_bridges.runs.registry.END_TIMEOUT_S", 0.05)

    with anyio.fail_after(GUARD_S):
        async with open_run_registry(RunRetention()) as runs:
            runs.begin(a_run(), anyio.sleep_forever)  # type: ignore[arg-type]
            await settled()

    assert "did not end within" in caplog.text
