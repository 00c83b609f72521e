"""Sessions: a guest that stays between programs, with its variables, imports and temporary files.

Each session belongs to the client that began it, and never shares a sandbox. A lost session says so until it is reset:
it does not silently start empty.
"""

import logging
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

import anyio
import anyio.abc
from pydantic import BaseModel, Field

from codeact_bridges.bridge import Bridge, OpenBridge, Usage
from codeact_bridges.errors import GuestDied, SandboxError, SessionLost, TooBusy
from codeact_bridges.sandbox.port import Worker
from codeact_bridges.system.task_groups import every

log = logging.getLogger(__name__)

SWEEP_S = 5.0
"""How often to look for idle sessions."""

FLUSH_TIMEOUT_S = 2.0
"""How long a bridge may take to bring its usage up to date, also for a program that was stopped."""

MAX_REASON_CHARS = 200

MAX_REMEMBERED = 1_000
"""Lost sessions that are remembered as lost."""


class SessionLimits(BaseModel, extra="forbid", frozen=True):
    """How many sessions there may be (`codeact.sessions`). Each takes up to `limits.memory_mib`."""

    max: int = Field(default=4, ge=0, le=64)
    """Sessions at once, of all clients. With 0, programs cannot use sessions."""

    idle_s: float = Field(default=1_800.0, gt=0, le=86_400)
    """Seconds without a program after which a session ends: longer than a pause, shorter than a day."""


@dataclass(slots=True, eq=False)
class InterpreterSession:
    """One guest that stays between programs. See `execute.Workers`."""

    owner: str
    name: str
    used_at: float
    group: str
    """Whose idle sessions make room first: its client's, or those of all clients that cannot be told apart."""
    in_use: anyio.Lock = field(default_factory=anyio.Lock)
    """Held by the one program that may run at a time."""
    ready: anyio.Event = field(default_factory=anyio.Event)
    over: anyio.Event = field(default_factory=anyio.Event)
    usage: Usage = field(default_factory=Usage)
    open_bridges: list[OpenBridge] = field(default_factory=list[OpenBridge])
    guest: Worker | None = None
    programs: int = 0
    lost: str | None = None
    """Why there is no guest any more."""
    starting: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    """Around the start of its sandbox."""
    _program: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    """Around the program that runs in it."""

    @asynccontextmanager
    async def worker(self) -> AsyncGenerator[Worker]:
        """See `Workers.worker`. A program that does not end by itself ends the session."""
        if self.guest is None:
            raise SessionLost(self.name, self.lost or "it has ended")
        self.programs += 1
        try:
            with anyio.CancelScope() as self._program:
                yield self.guest
            if self._program.cancelled_caught:
                raise GuestDied(f"the session was ended meanwhile: {self.lost}")  # noqa: TRY301
        except GuestDied as exc:
            self.lose(f"its sandbox died ({exc.reason[:MAX_REASON_CHARS]})")
            raise
        except BaseException:
            self.lose("its last program was stopped")
            raise

    @property
    def state(self) -> Literal["began empty", "went on", "lost"]:
        """The session's state after a program."""
        if self.lost is not None:
            return "lost"
        return "went on" if self.programs > 1 else "began empty"

    def lose(self, why: str) -> None:
        """Give up the guest. A program that runs in it ends."""
        self.lost = self.lost or why
        self.guest = None
        self.over.set()
        self.starting.cancel()
        self._program.cancel()

    def bridges(self) -> tuple[Bridge, ...]:
        """Return the session's bridges, open from program to program: temporary files stay."""
        return (_SessionNotice(), *(_AlreadyOpen(self, bridge) for bridge in self.open_bridges))


class _SessionNotice:
    """Tells the guest that another program may follow, so that it does not clear the program's variables."""

    @asynccontextmanager
    async def open(self, usage: Usage) -> AsyncGenerator[OpenBridge]:
        yield OpenBridge({}, init={"session": True})


@dataclass(frozen=True, slots=True)
class _AlreadyOpen:
    """A bridge that the session has opened. Moves the usage of each program from the session to the run."""

    session: InterpreterSession
    bridge: OpenBridge

    @asynccontextmanager
    async def open(self, usage: Usage) -> AsyncGenerator[OpenBridge]:
        try:
            yield self.bridge
        finally:
            if self.bridge.flush is not None:
                with anyio.move_on_after(FLUSH_TIMEOUT_S, shield=True):
                    await self.bridge.flush()
            usage.accesses += self.session.usage.accesses
            usage.produced += self.session.usage.produced
            self.session.usage.accesses.clear()
            self.session.usage.produced.clear()


class Sessions:
    """All sessions of this process. Made by `open_sessions`."""

    def __init__(
        self,
        tasks: anyio.abc.TaskGroup,
        limits: SessionLimits,
        launch: Callable[[], Awaitable[Worker]],
        configured: tuple[Bridge, ...],
    ) -> None:
        self._tasks, self._limits, self._launch, self._configured = tasks, limits, launch, configured
        self._slots = anyio.Semaphore(limits.max)
        """For sandboxes. A sandbox that is closing still has its slot, so that there are never more than allowed."""
        self._sessions: dict[tuple[str, str], InterpreterSession] = {}
        self._lost: OrderedDict[tuple[str, str], str] = OrderedDict()

    def __len__(self) -> int:
        return len(self._sessions)

    def knows(self, owner: str, name: str) -> bool:
        """Whether there is such a session, or was one that was lost."""
        return (owner, name) in self._sessions or (owner, name) in self._lost

    @asynccontextmanager
    async def use(
        self, owner: str, name: str, *, reset: bool, group: str | None = None
    ) -> AsyncGenerator[InterpreterSession]:
        """Provide the session for one program. It begins if there was none, or if `reset`. `group` is by default the
        owner (see `InterpreterSession.group`).

        Raises:
            SessionLost: the session was lost; `reset` begins a new one.
            TooBusy: there are too many sessions.
            EngineUnavailable: no sandbox could be started.
        """
        key = (owner, name)
        if reset:
            self._lost.pop(key, None)
            if (old := self._sessions.pop(key, None)) is not None:
                old.lose("it was reset")
        elif key in self._lost:
            raise SessionLost(name, self._lost[key])
        session = self._sessions.get(key) or self._begin(owner, name, group or owner)
        async with session.in_use:
            await session.ready.wait()
            try:
                yield session
            finally:
                session.used_at = anyio.current_time()
                if self._sessions.get(key) is not session:
                    session.lose("its client has left")
                elif session.lost is not None:
                    self._forget(session)

    def owner_left(self, owner: str) -> None:
        """End the owner's sessions: an idle one at once, one in use with its program. They are not remembered."""
        for key in [key for key in self._lost if key[0] == owner]:
            del self._lost[key]
        for key, session in [each for each in self._sessions.items() if each[0][0] == owner]:
            del self._sessions[key]
            if not session.in_use.locked():
                session.lose("its client has left")

    def tidy(self, now: float) -> None:
        """End the sessions that have been idle for too long."""
        for session in list(self._sessions.values()):
            if not session.in_use.locked() and now - session.used_at > self._limits.idle_s:
                session.lose(f"it was not used for {self._limits.idle_s:g} s (setting codeact.sessions.idle_s)")
                self._forget(session)

    def _begin(self, owner: str, name: str, group: str) -> InterpreterSession:
        if len(self._sessions) >= self._limits.max:
            self._make_room(group)
        session = InterpreterSession(owner, name, anyio.current_time(), group)
        self._sessions[owner, name] = session
        self._tasks.start_soon(self._run, session)
        return session

    def _make_room(self, group: str) -> None:
        """End an idle session: the one of `group` that was not used for longest, or else any client's.

        So a client that has sessions pays for its next one itself, and takes no more than one place from others.

        Raises:
            TooBusy: all sessions are in use.
        """
        setting = "setting codeact.sessions.max"
        idle = sorted(
            (each for each in self._sessions.values() if not each.in_use.locked()), key=lambda each: each.used_at
        )
        own = [each for each in idle if each.group == group]
        for session in (own or idle)[:1]:
            session.lose(f"it made room for a newer session ({setting})")
            self._forget(session)
            return
        raise TooBusy(
            f"there are {len(self._sessions)} sessions in use already ({setting}): run the program without a session, "
            "or try again later"
        )

    async def _run(self, session: InterpreterSession) -> None:
        """Hold the session's sandbox and bridges until the session is over."""
        try:
            with session.starting:
                await self._slots.acquire()
                try:
                    await self._hold_sandbox(session)
                finally:
                    self._slots.release()
        finally:
            session.ready.set()

    async def _hold_sandbox(self, session: InterpreterSession) -> None:
        try:
            worker = await self._launch()
        except Exception as exc:
            if not isinstance(exc, SandboxError):
                log.exception("session %r could not begin", session.name)
            session.lose(str(exc) if isinstance(exc, SandboxError) else "an internal error")
            return
        # From here on `over` ends it, so that its bridges close in their order.
        session.starting = anyio.CancelScope()
        try:
            async with AsyncExitStack() as stack:
                for bridge in self._configured:
                    session.open_bridges.append(await stack.enter_async_context(bridge.open(session.usage)))
                if session.lost is None:
                    session.guest = worker
                session.ready.set()
                await session.over.wait()
        except Exception:
            log.exception("session %r ended with an error", session.name)
            session.lose("an internal error")
        finally:
            session.ready.set()
            await worker.aclose()

    def _forget(self, session: InterpreterSession) -> None:
        key = (session.owner, session.name)
        if self._sessions.get(key) is not session:
            return
        del self._sessions[key]
        self._lost[key] = session.lost or "it has ended"
        while len(self._lost) > MAX_REMEMBERED:
            self._lost.popitem(last=False)


@asynccontextmanager
async def open_sessions(
    limits: SessionLimits, launch: Callable[[], Awaitable[Worker]], configured: tuple[Bridge, ...]
) -> AsyncGenerator[Sessions]:
    """Provide sessions, which all end with the block. `launch` starts their sandboxes."""
    async with anyio.create_task_group() as tasks:
        sessions = Sessions(tasks, limits, launch, configured)
        tasks.start_soon(every, SWEEP_S, sessions.tidy)
        try:
            yield sessions
        finally:
            tasks.cancel_scope.cancel()
