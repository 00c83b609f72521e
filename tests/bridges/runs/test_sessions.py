"""Sessions: who gets which guest, when it is lost, and that it says so. The workers are scripted."""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

import anyio
import anyio.lowlevel
import pytest

from codeact_bridges.bridge import Bridge, OpenBridge, Usage
from codeact_bridges.errors import EngineUnavailable, GuestDied, SessionLost, TooBusy
from codeact_bridges.runs.sessions import SessionLimits, Sessions, open_sessions
from codeact_bridges.sandbox.port import GuestHost, Worker
from codeact_bridges.testing import ScriptedWorker
from codeact_bridges.values import AccessRecord, JsonValue

GUARD_S = 5


async def nothing(begin: str, host: GuestHost) -> str:
    return "{}"


class Launcher:
    """Starts scripted workers."""

    def __init__(self) -> None:
        self.started: list[ScriptedWorker] = []
        self.fails: Exception | None = None

    async def __call__(self) -> Worker:
        if self.fails is not None:
            raise self.fails
        self.started.append(ScriptedWorker(nothing))
        return self.started[-1]


@pytest.fixture
def launcher() -> Launcher:
    return Launcher()


def opened(
    launcher: Launcher, *configured: Bridge, most: int = 4, idle_s: float = 100
) -> AbstractAsyncContextManager[Sessions]:
    return open_sessions(SessionLimits(max=most, idle_s=idle_s), launcher, configured)


async def use(sessions: Sessions, owner: str = "me", name: str = "s", *, reset: bool = False) -> tuple[Worker, str]:
    """One program: the worker it got, and what then became of the session."""
    async with sessions.use(owner, name, reset=reset) as session:
        async with session.worker() as worker:
            pass
        return worker, session.state


async def settled() -> None:
    for _ in range(10):
        await anyio.lowlevel.checkpoint()


async def test_programs_of_one_session_get_one_worker_and_no_other_does(launcher: Launcher) -> None:
    async with opened(launcher) as sessions:
        first, began = await use(sessions)
        second, went_on = await use(sessions)
        others = [(await use(sessions, *whose))[0] for whose in [("me", "t"), ("you", "s")]]

    assert first is second
    assert (began, went_on) == ("began empty", "went on")
    assert len({id(worker) for worker in (first, *others)}) == 3
    assert all(worker.closed for worker in launcher.started), "with the block they end"


async def test_two_programs_wait_for_each_other(launcher: Launcher) -> None:
    at_once: list[int] = [0, 0]

    async def program() -> None:
        async with sessions.use("me", "s", reset=False) as session, session.worker():
            at_once[0] += 1
            at_once[1] = max(at_once)
            await anyio.lowlevel.checkpoint()
            at_once[0] -= 1

    with anyio.fail_after(GUARD_S):
        async with opened(launcher) as sessions, anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(program)

    assert at_once == [0, 1]
    assert len(launcher.started) == 1


@pytest.mark.parametrize(
    ("raised", "why"),
    [(GuestDied("out of memory"), r"its sandbox died \(out of memory\)"), (KeyError(), "its last program was stopped")],
)
async def test_a_session_whose_program_ended_its_guest_is_lost_until_it_is_reset(
    launcher: Launcher, raised: Exception, why: str
) -> None:
    async with opened(launcher) as sessions:
        with pytest.raises(type(raised)):
            async with sessions.use("me", "s", reset=False) as session, session.worker():
                raise raised
        for _ in range(2):
            with pytest.raises(SessionLost, match=f"{why}. Pass reset=true to start it again"):
                await use(sessions)
        assert sessions.knows("me", "s")
        assert (await use(sessions, reset=True))[1] == "began empty"
        assert (await use(sessions))[1] == "went on"


async def test_a_program_that_waits_for_a_session_which_is_lost_meanwhile_is_told_so(launcher: Launcher) -> None:
    lost: list[str] = []

    async def wait() -> None:
        try:
            await use(sessions)
        except SessionLost as exc:
            lost.append(exc.why)

    async def crash() -> None:
        async with sessions.use("me", "s", reset=False) as session, session.worker():
            tasks.start_soon(wait)
            await anyio.lowlevel.checkpoint()
            raise GuestDied("it crashed")

    with anyio.fail_after(GUARD_S):
        async with opened(launcher) as sessions, anyio.create_task_group() as tasks:
            with pytest.raises(GuestDied):
                await crash()

    assert lost == ["its sandbox died (it crashed)"]


async def test_a_reset_ends_the_program_that_runs_in_it_and_begins_anew(launcher: Launcher) -> None:
    ended: list[str] = []

    async def program() -> None:
        try:
            async with sessions.use("me", "s", reset=False) as session, session.worker():
                started.set()
                await anyio.sleep_forever()
        except GuestDied as exc:
            ended.append(exc.reason)

    with anyio.fail_after(GUARD_S):
        started = anyio.Event()
        async with opened(launcher) as sessions, anyio.create_task_group() as tasks:
            tasks.start_soon(program)
            await started.wait()
            worker, state = await use(sessions, reset=True)
            assert state == "began empty"
            assert (await use(sessions))[0] is worker

    assert ended == ["the session was ended meanwhile: it was reset"]


async def test_there_are_only_so_many_and_a_reset_makes_no_more(launcher: Launcher) -> None:
    async with opened(launcher, most=2) as sessions:
        await use(sessions, name="a")
        await use(sessions, name="b")
        await use(sessions, name="a")
        await use(sessions, name="b", reset=True)
        assert len(sessions) == 2

        await use(sessions, name="c")
        assert len(sessions) == 2
        assert (await use(sessions, name="b"))[1] == "went on"
        with pytest.raises(SessionLost, match=r"it made room for a newer session \(setting codeact\.sessions\.max\)"):
            await use(sessions, name="a")


async def test_for_a_client_without_sessions_the_one_that_was_idle_longest_makes_room_whosever_it_is(
    launcher: Launcher,
) -> None:
    async with opened(launcher, most=3) as sessions:
        for owner in ("first", "second", "third", "first", "new"):
            await use(sessions, owner)
        assert (await use(sessions, "first"))[1] == "went on"
        with pytest.raises(SessionLost, match=r"it made room for a newer session \(setting codeact\.sessions\.max\)"):
            await use(sessions, "second")


async def test_a_client_with_sessions_makes_room_for_its_next_one_itself(launcher: Launcher) -> None:
    async with opened(launcher, most=3) as sessions:
        await use(sessions, "you")
        for name in "abcde":
            await use(sessions, "me", name)
        assert (await use(sessions, "you"))[1] == "went on"
        assert [sessions.knows("me", name) for name in "abcde"] == [True] * 5
        assert (await use(sessions, "me", "d"))[1] == "went on"
        assert (await use(sessions, "me", "e"))[1] == "went on"


async def test_clients_that_cannot_be_told_apart_make_room_for_each_other(launcher: Launcher) -> None:
    """One that begins a session under a new name again and again would otherwise end everybody else's."""
    async with opened(launcher, most=3) as sessions:
        await use(sessions, "me")
        await use(sessions, "you")
        for n in range(5):
            async with sessions.use(f"anonymous {n}", str(n), reset=False, group="anonymous"):
                pass
        assert (await use(sessions, "me"))[1] == "went on"
        assert (await use(sessions, "you"))[1] == "went on"


async def test_only_when_all_sessions_are_in_use_is_a_program_refused(launcher: Launcher) -> None:
    async with (
        opened(launcher, most=2) as sessions,
        sessions.use("me", "s", reset=False),
        sessions.use("you", "s", reset=False),
    ):
        for owner in ("me", "you", "new"):
            with pytest.raises(
                TooBusy, match=r"there are 2 sessions in use already \(setting codeact\.sessions\.max\)"
            ):
                await use(sessions, owner, "t")


async def test_the_sessions_of_an_owner_who_has_left_end_at_once_and_are_not_remembered(launcher: Launcher) -> None:
    async with opened(launcher) as sessions:
        for name in "ab":
            await use(sessions, "me", name)
        yours, _ = await use(sessions, "you", "a")
        with pytest.raises(GuestDied):
            async with sessions.use("me", "lost", reset=False) as session, session.worker():
                raise GuestDied("it crashed")

        sessions.owner_left("me")
        assert len(sessions) == 1
        assert [sessions.knows("me", name) for name in ("a", "b", "lost")] == [False] * 3
        await settled()
        assert [worker.closed for worker in launcher.started] == [True, True, False, True]
        assert (await use(sessions, "you", "a")) == (yours, "went on")
        sessions.owner_left("nobody")
        assert len(sessions) == 1


async def test_a_session_in_use_when_its_owner_leaves_ends_with_its_program(launcher: Launcher) -> None:
    with anyio.fail_after(GUARD_S):
        async with opened(launcher, most=1) as sessions:
            async with sessions.use("me", "s", reset=False) as session, session.worker():
                sessions.owner_left("me")
                assert len(sessions) == 0
                assert not launcher.started[0].closed
            assert not sessions.knows("me", "s")
            assert (await use(sessions, "me"))[1] == "began empty"

    assert len(launcher.started) == 2


async def test_a_session_that_is_reset_while_it_starts_does_not_start_beside_the_next(launcher: Launcher) -> None:
    starting = most_at_once = 0

    async def launch() -> Worker:
        nonlocal starting, most_at_once
        starting += 1
        most_at_once = max(most_at_once, starting)
        try:
            await anyio.sleep_forever()
        finally:
            starting -= 1
        raise AssertionError

    async with open_sessions(SessionLimits(max=1), launch, ()) as sessions:
        for _ in range(10):
            with anyio.CancelScope() as scope:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(partial(use, sessions, reset=True))
                    await settled()
                    scope.cancel()
        assert most_at_once == 1


async def test_with_a_limit_of_none_there_are_none(launcher: Launcher) -> None:
    async with opened(launcher, most=0) as sessions:
        with pytest.raises(TooBusy):
            await use(sessions)


async def test_an_idle_session_ends_and_one_in_use_does_not(launcher: Launcher) -> None:
    async with opened(launcher, idle_s=100) as sessions:
        await use(sessions, name="idle")
        async with sessions.use("me", "busy", reset=False) as session, session.worker():
            sessions.tidy(anyio.current_time() + 99)
            assert len(sessions) == 2
            sessions.tidy(anyio.current_time() + 101)
            assert len(sessions) == 1
        await use(sessions, name="busy")
        with pytest.raises(SessionLost, match="it was not used for 100 s"):
            await use(sessions, name="idle")


@pytest.mark.parametrize(
    ("fails", "why"), [(EngineUnavailable("no engine"), "no engine"), (OSError("secret"), "an internal error")]
)
async def test_a_session_that_cannot_start_says_why_and_leaves_the_others_alone(
    launcher: Launcher, fails: Exception, why: str
) -> None:
    async with opened(launcher) as sessions:
        await use(sessions, name="before")
        launcher.fails = fails
        with pytest.raises(SessionLost, match=why):
            await use(sessions)
        launcher.fails = None
        await use(sessions, name="before")
        await use(sessions, reset=True)


class Counting:
    """A bridge with state of its own, as temporary files are."""

    def __init__(self) -> None:
        self.opened = 0

    @asynccontextmanager
    async def open(self, usage: Usage) -> AsyncGenerator[OpenBridge]:
        self.opened += 1
        count = 0

        async def answer(text: str) -> str:
            nonlocal count
            count += 1
            usage.accesses.append(AccessRecord(f"read {count}", "allow", "", 0, 0.0, 0.0))
            return str(count)

        begin: dict[str, JsonValue] = {"counting": True}
        yield OpenBridge({"counting.next": answer}, init=begin)


async def test_a_sessions_bridges_stay_open_and_each_program_has_its_own_usage(launcher: Launcher) -> None:
    bridge = Counting()
    accounts: list[Usage] = []

    async def program(sessions: Sessions) -> str:
        accounts.append(Usage())
        async with sessions.use("me", "s", reset=False) as session:
            (remembers, again) = session.bridges()
            async with remembers.open(accounts[-1]) as told, again.open(accounts[-1]) as opened:
                assert told.init == {"session": True}
                return await _first(opened)("")

    async with opened(launcher, bridge) as sessions:
        counted = [await program(sessions) for _ in range(3)]

    assert [json.loads(each) for each in counted] == [1, 2, 3]
    assert bridge.opened == 1
    assert [[access.what for access in usage.accesses] for usage in accounts] == [
        ["read 1"],
        ["read 2"],
        ["read 3"],
    ]


def _first(opened: OpenBridge) -> Callable[[str], Awaitable[str]]:
    return opened.handlers["counting.next"]
