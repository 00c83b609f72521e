"""Every state of a run and every way out of it, on real workers: as a table, as a model, and without a trace."""

import gc
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import anyio
import anyio.from_thread
import pytest
from apps import GUARD_S, SHOP, Opened, opened, there
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from hypothesis.strategies import integers, sampled_from
from served import descendants

from codeact_bridges.approval.policy import Policy
from codeact_bridges.approval.request import NoApproval
from codeact_bridges.errors import UnknownRun
from codeact_bridges.runs.handle import PendingQuestion, RunHandle, RunOrder
from codeact_bridges.runs.registry import RunRetention
from codeact_bridges.runs.sessions import SessionLimits
from codeact_bridges.sandbox.pool import PoolSize
from codeact_bridges.values import RunResult

PROGRAMS = {
    "ends": "print('ran')\n42",
    "raises": "print('ran')\n1/0",
    "exits": "raise SystemExit(3)",
    "runs out of memory": "x = bytearray(10**9)",
    "dies": "def f(n): return f(n + 1) + 1\nimport sys; sys.setrecursionlimit(10**9); f(0)",
    "computes for ever": "print('ran')\nwhile True: pass",
    "sleeps for ever": "print('ran')\nimport time\ntime.sleep(10**6)",
    "asks": "call_tool('shop.drop', item=1)",
    "waits for a tool": "call_tool('shop.hang', path={path!r})",
}
ENDS: dict[str, set[str]] = {
    "ends": {"ended"},
    "raises": {"raised"},
    "exits": {"exited"},
    "runs out of memory": {"raised", "died"},
    "dies": {"died", "raised"},
}
"""How those end that end by themselves."""


A_DAY_S = 86_400.0
"""The longest of every time that can be set."""


def outcome(handle: RunHandle) -> str:
    assert handle.result is not None
    return handle.result.failure.kind if handle.result.failure is not None else "ended"


def order(program: str, path: Path = Path("/nowhere/mark"), owner: str = "me", **facts: Any) -> RunOrder:
    return RunOrder(owner=owner, code=PROGRAMS[program].format(path=str(path)), serves=frozenset({"form"}), **facts)


@pytest.mark.parametrize(
    ("program", "way_out", "expected"),
    [
        *[(program, "itself", ends) for program, ends in ENDS.items()],
        *[
            (program, way_out, {kind})
            for program in PROGRAMS.keys() - ENDS.keys()
            for way_out, kind in [("stop", "cancelled"), ("abandoned", "cancelled"), ("shutdown", "cancelled")]
        ],
        *[
            (program, "deadline", {"deadline"})
            for program in ("computes for ever", "sleeps for ever", "waits for a tool")
        ],
        ("asks", "yes", {"ended"}),
        ("asks", "no", {"raised"}),
    ],
)
@pytest.mark.parametrize("session", [None, "s"])
async def test_a_run_ends(  # one arm for each way out
    environment: Mapping[str, str],
    tmp_path: Path,
    program: str,
    way_out: str,
    expected: set[str],
    session: str | None,
) -> None:
    with anyio.fail_after(GUARD_S):
        async with opened(environment) as opening:
            timeout_s = 0.3 if way_out == "deadline" else 60
            handle = opening.app.service.begin(order(program, tmp_path / "mark", session=session, timeout_s=timeout_s))
            asked: RunResult | PendingQuestion | None = None
            if program == "asks":
                asked = await handle.next(60)
            elif program == "waits for a tool":
                await there(tmp_path / "mark")
            match way_out:
                case "stop":
                    handle.stop()
                case "abandoned":
                    await handle.next(0)
                    if isinstance(asked, PendingQuestion):
                        asked.answer("once")
                        handle.stop()
                    opening.app.runs.tidy(anyio.current_time() + RunRetention().abandoned_s + 1)
                case "yes" | "no":
                    assert isinstance(asked, PendingQuestion)
                    asked.answer("once" if way_out == "yes" else NoApproval.DECLINED)
                case _:
                    pass
            if way_out != "shutdown":
                assert isinstance(await handle.next(60), RunResult)

    assert outcome(handle) in expected


@dataclass
class Known:
    """What the model knows of one run."""

    handle: RunHandle
    program: str
    may_end_as: set[str]
    """Empty while it cannot end."""
    abandoned: bool = False


@dataclass
class World:
    """One app for all examples: opening it is what takes long."""

    opening: Opened
    portal: anyio.from_thread.BlockingPortal
    folder: Path
    started: int = 0
    known: list[Known] = field(default_factory=list[Known])

    def call(self, function: Any, *arguments: Any) -> Any:
        async def guarded() -> Any:
            with anyio.fail_after(GUARD_S):
                done = function(*arguments)
                return await done if hasattr(done, "__await__") else done

        return self.portal.call(guarded)


class RunsModel(RuleBasedStateMachine):
    """Runs are begun, asked about, answered, stopped, abandoned and fetched, in any order.

    Each run has a client of its own: what a user allows "for the session" lets the client's other runs go on without
    asking, or not, depending on which of them has asked already.
    """

    world: World
    MOST = 3
    """As many as there are workers, so that each begins at once."""

    def __init__(self) -> None:
        super().__init__()
        self.known: list[Known] = []

    def pick(self, which: int) -> Known:
        return self.known[which % len(self.known)]

    @precondition(lambda self: len(self.known) < self.MOST)
    @rule(program=sampled_from(sorted(PROGRAMS)), session=sampled_from([None, None, "s"]))
    def begin(self, program: str, session: str | None) -> None:
        if session is not None and any(known.handle.result is None for known in self.known):
            session = None  # two programs to one session wait for each other, which this model does not follow
        self.world.started += 1
        path = self.world.folder / f"mark-{self.world.started}"
        about = order(program, path, f"client {self.world.started}", session=session and "s")
        handle = self.world.call(self.world.opening.app.service.begin, about)
        self.known.append(Known(handle, program, set(ENDS.get(program, set()))))

    @precondition(lambda self: self.known)
    @rule(which=integers(0, 10))
    def ask_what_is_new(self, which: int) -> None:
        known = self.pick(which)
        waits_s = 60 if known.may_end_as or known.program == "asks" else 0
        event = self.world.call(known.handle.next, waits_s)
        match event:
            case RunResult():
                assert outcome(known.handle) in known.may_end_as
            case PendingQuestion():
                assert known.program == "asks"
                assert not known.may_end_as
            case _:
                assert not known.may_end_as

    @precondition(lambda self: any(known.program == "asks" for known in self.known))
    @rule(
        which=integers(0, 10),
        given=sampled_from(["once", "run", "session", *NoApproval]),
        old=sampled_from([False, True]),
    )
    def answer(self, which: int, given: Any, old: bool) -> None:
        known = self.pick(which)
        event = self.world.call(known.handle.next, 60 if known.program == "asks" else 0)
        if not isinstance(event, PendingQuestion):
            return
        if old:
            assert self.world.call(known.handle.pending_question, "an old question") is None
        else:
            self.world.call(event.answer, given)
            known.may_end_as = {"raised"} if isinstance(given, NoApproval) else {"ended"}

    @precondition(lambda self: self.known)
    @rule(which=integers(0, 10))
    def stop(self, which: int) -> None:
        known = self.pick(which)
        self.world.call(known.handle.stop)
        known.may_end_as = known.may_end_as | {"cancelled"}
        assert isinstance(self.world.call(known.handle.next, 60), RunResult)
        assert outcome(known.handle) in known.may_end_as

    @precondition(lambda self: self.known)
    @rule(which=integers(0, 10))
    def fetch(self, which: int) -> None:
        known = self.pick(which)
        if known.handle.result is None:
            return
        runs = self.world.opening.app.runs
        assert self.world.call(runs.find, known.handle.id, known.handle.owner) is known.handle
        self.world.call(runs.forget, known.handle)
        self.known.remove(known)
        with pytest.raises(UnknownRun):
            self.world.call(runs.find, known.handle.id, known.handle.owner)

    @precondition(lambda self: self.known)
    @rule(which=integers(0, 10))
    def guess_as_somebody_else(self, which: int) -> None:
        with pytest.raises(UnknownRun):
            self.world.call(self.world.opening.app.runs.find, self.pick(which).handle.id, "you")

    @precondition(lambda self: self.known)
    @rule()
    def let_time_pass(self) -> None:
        def pass_time() -> None:
            # Longer than a person has to answer, too.
            now = anyio.current_time() + max(RunRetention().abandoned_s, Policy().ask_timeout_s) + 1
            for known in self.known:
                if known.handle.unwatched_since is not None and known.handle.result is None:
                    known.may_end_as = known.may_end_as | {"cancelled"}
            self.world.opening.app.runs.tidy(now)

        self.world.call(pass_time)

    @invariant()
    def it_has_every_run_that_was_not_fetched(self) -> None:
        assert len(self.world.opening.app.runs) == len(self.known)
        assert self.world.opening.app.pool.workers <= PoolSize().max_workers

    def teardown(self) -> None:
        for known in self.known:
            self.world.call(known.handle.stop)
            assert isinstance(self.world.call(known.handle.next, 60), RunResult)
            self.world.call(self.world.opening.app.runs.forget, known.handle)
        assert len(self.world.opening.app.runs) == 0


def test_in_whatever_order_things_happen_each_run_ends_once_and_as_it_may(
    environment: Mapping[str, str], tmp_path: Path
) -> None:
    with anyio.from_thread.start_blocking_portal() as portal:
        # No program and no tool call ends by a clock of its own, however slow the machine is: the model knows of none.
        patient = opened(
            environment,
            servers=(replace(SHOP, call_timeout_s=A_DAY_S),),
            limits={"deadline_s": A_DAY_S, "max_deadline_s": A_DAY_S, "total_s": A_DAY_S, "call_timeout_s": A_DAY_S},
            sessions=SessionLimits(max=64),
        )
        with portal.wrap_async_context_manager(patient) as opening:
            RunsModel.world = World(opening, portal, tmp_path)
            run_state_machine_as_test(
                RunsModel,
                settings=settings(
                    max_examples=12,
                    stateful_step_count=15,
                    deadline=None,
                    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
                ),
            )


def in_use() -> tuple[int, int]:
    gc.collect()
    return len(os.listdir("/proc/self/fd")), len(descendants(os.getpid()))


async def test_hundreds_of_runs_leave_no_process_no_descriptor_and_no_file_behind(
    environment: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`tests/performance/soak.py` does the same with thousands."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    quick = [order(program) for program in ("ends", "raises", "exits")]
    with anyio.fail_after(60):
        async with opened(environment, pool=PoolSize(spare=2, max_workers=2)) as opening:
            app = opening.app

            async def one_after_the_other(count: int) -> None:
                for n in range(count):
                    handle = app.service.begin(quick[n % len(quick)])
                    await handle.next(60)
                    app.runs.forget(handle)

            await app.tools.wait_settled()
            await one_after_the_other(10)
            async with anyio.create_task_group() as tasks:
                for _ in range(2):
                    tasks.start_soon(one_after_the_other, 5)
            before = in_use()
            async with anyio.create_task_group() as tasks:
                for _ in range(2):
                    tasks.start_soon(one_after_the_other, 150)

            assert in_use() == before
            assert len(app.runs) == 0
    assert os.listdir(tmp_path) == []
