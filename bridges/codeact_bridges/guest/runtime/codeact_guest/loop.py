"""asyncio over the host: this loop waits for the host's operations where others wait for sockets.

`async.submit` starts an operation, `async.wait` blocks until one has finished or a timeout has passed, `async.cancel`
cancels one. Everything else is asyncio's own `BaseEventLoop`.
"""

import asyncio
import asyncio.base_events
import asyncio.events
import asyncio.runners
import collections
import concurrent.futures
import contextlib
import functools
import inspect
import linecache
import sched
import sys
import time
import weakref
from collections.abc import Callable, Iterable

from codeact_guest import errors, host

MAX_WAIT_S = 3600.0
"""Longest single `async.wait`; a loop that waits longer calls it again."""

MAX_NAMED = 10
"""How many of the program's lines with tasks never awaited are named in warnings."""

_last_id = 0


def submit(operation: str, request: str) -> int:
    """Start an operation on the host and return its id, by which `wait` reports it."""
    global _last_id
    _last_id += 1
    host.call_text("async.submit", f"{_last_id} {operation}\n{request}")
    return _last_id


def wait(timeout_s: float | None) -> list[tuple[int, bool, object]]:
    """Wait for an operation to finish; return all that have, as `(id, succeeded, value or error)`."""
    return host.call("async.wait", timeout_s=timeout_s)


async def call_async(operation: str, request: str) -> object:
    """Like `host.call_text`, without blocking the loop. Cancelling it cancels the operation."""
    running = asyncio.get_running_loop()
    if not isinstance(running, GuestLoop):
        raise TypeError(f"{type(running).__name__} cannot reach the host; use asyncio's default event loop")
    return await running.submit(operation, request)


_loops: "weakref.WeakSet[GuestLoop]" = weakref.WeakSet()
"""All loops, because each may have pending tasks at the program's end."""


class GuestLoop(asyncio.base_events.BaseEventLoop):
    """The event loop of every program."""

    failed = False
    """Whether an error ended the loop's main coroutine; pending tasks are then not named."""

    def __init__(self) -> None:
        super().__init__()
        _loops.add(self)
        self._selector = _HostSelector(self)
        self.pending: dict[int, asyncio.Future[object]] = {}
        """The futures of this loop's operations on the host, by operation id."""

    def submit(self, operation: str, request: str) -> asyncio.Future[object]:
        future = self.create_future()
        number = submit(operation, request)
        self.pending[number] = future
        future.add_done_callback(lambda done: self._cancel(number) if done.cancelled() else None)
        return future

    def _cancel(self, number: int) -> None:
        if self.pending.pop(number, None) is not None:
            host.call("async.cancel", id=number)

    def _process_events(self, finished: list[tuple[int, bool, object]]) -> None:
        for number, succeeded, value in finished:
            deliver(number, succeeded, value)

    def default_exception_handler(self, context: dict[str, object]) -> None:
        """Report the error, except the cancellation of a `gather`'s remaining calls."""
        if not isinstance(context.get("exception"), asyncio.CancelledError):
            super().default_exception_handler(context)

    def _write_to_self(self) -> None:
        """Nothing to do: there is no other thread that could wake this loop."""

    def close(self) -> None:
        super().close()
        for number in list(self.pending):
            self._cancel(number)


class _HostSelector:
    """The selector of `GuestLoop`: its events are finished operations."""

    def __init__(self, loop: GuestLoop) -> None:
        self.loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[int, bool, object]]:
        in_flight = bool(self.loop.pending or _outside)
        if timeout is None and not in_flight:
            raise RuntimeError(
                "deadlock: every task is waiting, and no operation is in flight that could wake one (no tool call, no "
                f"sleep); look for an Event, Queue or Future that is never set{_where_tasks_wait(self.loop)}"
            )
        if not in_flight and not timeout:
            return []
        return wait(timeout if timeout is None else min(timeout, MAX_WAIT_S))


def _where_tasks_wait(waiting: GuestLoop) -> str:
    lines: list[str] = []
    for task in asyncio.all_tasks(waiting):
        inner, line = task.get_coro(), ""
        while inner is not None:
            frame = getattr(inner, "cr_frame", None)
            if frame is not None and frame.f_globals.get("__name__") == "__main__":
                line = f"line {frame.f_lineno}: {linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()}"
            inner = getattr(inner, "cr_await", None)
        if line:
            lines.append(line)
    return "".join(f"\n  waiting at {line}" for line in sorted(lines)[:10])


_outside: dict[int, concurrent.futures.Future[object]] = {}
"""The futures of operations that `executors` submitted outside any loop, by operation id."""


def submit_outside(operation: str, request: str, future: concurrent.futures.Future[object]) -> int:
    """Start an operation that completes a `concurrent.futures` future, and return its id."""
    number = submit(operation, request)
    _outside[number] = future
    return number


def cancel_outside(number: int) -> None:
    """Cancel an operation of `submit_outside`."""
    if _outside.pop(number, None) is not None:
        host.call("async.cancel", id=number)


def deliver(number: int, succeeded: bool, value: object) -> None:
    """Complete the future of operation `number`."""
    running = asyncio.events._get_running_loop()
    future = running.pending.pop(number, None) if isinstance(running, GuestLoop) else None
    future = future or _outside.pop(number, None)
    if future is None or future.done():
        return
    if succeeded:
        future.set_result(value)
    else:
        future.set_exception(errors.from_host(value))


class _Policy(asyncio.events._AbstractEventLoopPolicy):
    """Makes `asyncio.run`, `Runner` and `new_event_loop` use the guest's loop."""

    _loop: GuestLoop | None = None

    def get_event_loop(self) -> GuestLoop:
        # CPython 3.14 raises if there is none, but many programs are written for earlier versions.
        if self._loop is None or self._loop.is_closed():
            self._loop = GuestLoop()
        return self._loop

    def set_event_loop(self, loop: GuestLoop | None) -> None:
        self._loop = loop

    def new_event_loop(self) -> GuestLoop:
        return GuestLoop()


_policy = _Policy()


def started() -> GuestLoop | None:
    """The loop on which the program created tasks before any loop ran, if it did."""
    loop = _policy._loop
    if loop is None or loop.is_closed() or loop.is_running() or not asyncio.all_tasks(loop):
        return None
    return loop


def started_or_new() -> GuestLoop:
    """The loop on which a coroutine can await the tasks that the program created before."""
    return started() or GuestLoop()


def name_and_drop_pending() -> None:
    """At a program's end: name on stderr the tasks and calls that were never awaited, and cancel them."""
    for each in list(_loops):
        if not each.is_running() and asyncio.all_tasks(each):
            if each.is_closed():
                _name(asyncio.all_tasks(each))
                _loops.discard(each)
            else:
                asyncio.runners._cancel_all_tasks(each)
    if _outside:
        calls = "1 executor call" if len(_outside) == 1 else f"{len(_outside)} executor calls"
        _warn(f"the program ended before {calls} finished: call result() on each future")
        for future in list(_outside.values()):
            future.cancel()


def _name(tasks: Iterable["asyncio.Task[object]"]) -> None:
    origins = collections.Counter(_origin(task) for task in tasks if not task.cancelling())
    for origin, count in sorted(origins.items(), key=lambda item: item[0][1:3])[:MAX_NAMED]:
        name, filename, number, function = origin
        what, them = (f"task {name!r} was", "it") if count == 1 else (f"{count} tasks {name!r} were", "them")
        warning = f"the program ended before {what} done, because nothing awaited {them}: write `await`"
        if filename:
            line = linecache.getline(filename, number).strip()
            warning += f'\n  File "{filename}", line {number}, in {function}\n    {line}'
        _warn(warning)


def _warn(warning: str) -> None:
    with contextlib.suppress(Exception):  # the program may have closed stderr or reached its output limit
        sys.stderr.write(f"RuntimeWarning: {warning}\n")


def _origin(task: "asyncio.Task[object]") -> tuple[str, str, int, str]:
    """The name of the task's coroutine, and the program's line that created it."""
    coroutine = task.get_coro()
    name = getattr(coroutine, "__qualname__", task.get_name())
    for filename, number, function in getattr(coroutine, "cr_origin", None) or ():
        if not filename.startswith(("/", "<")):
            return name, filename, number, function
    return name, "", 0, ""


_python_cancel_all_tasks = asyncio.runners._cancel_all_tasks


def _cancel_all_tasks(loop: asyncio.AbstractEventLoop) -> None:
    if not getattr(loop, "failed", False):
        _name(asyncio.all_tasks(loop))
    _python_cancel_all_tasks(loop)


def _exit_runner(
    runner: asyncio.Runner, exc_type: type[BaseException] | None, exc: BaseException | None, _: object
) -> None:
    if isinstance(runner._loop, GuestLoop):
        runner._loop.failed = exc_type is not None and not issubclass(exc_type, SystemExit)
    runner.close()


@functools.wraps(asyncio.create_task)
def _create_task(coroutine: object, **options: object) -> "asyncio.Task[object]":
    """A loop always exists, as in a notebook: if none runs, the task starts when the program waits for it."""
    return asyncio.get_event_loop().create_task(coroutine, **options)


def sleep(seconds: float, /) -> None:
    """`time.sleep`: the host waits, so the deadline holds and the guest uses no CPU."""
    if not isinstance(seconds, int | float) and not hasattr(seconds, "__index__"):
        raise TypeError(f"'{type(seconds).__name__}' object cannot be interpreted as an integer or float")
    if seconds != seconds:
        raise ValueError("Invalid value NaN (not a number)")
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    host.call("clock.sleep", seconds=float(seconds))


_asyncio_run = asyncio.run


@functools.wraps(_asyncio_run)
def _run(main: object, **options: object) -> object:
    if asyncio.events._get_running_loop() is not None:
        if inspect.iscoroutine(main):
            main.close()
        raise RuntimeError(
            "asyncio.run() cannot be called from a running event loop: a program with top-level `await` already runs "
            "in one, so write `await main()`"
        )
    if options.get("loop_factory") is None:
        loop = started()
        options["loop_factory"] = None if loop is None else lambda: loop
    return _asyncio_run(main, **options)


def refuse(names: tuple[str, ...], sentence: str) -> None:
    """Make these methods of the loop raise `PermissionError` with `sentence`."""

    def refusing(name: str) -> Callable[..., object]:
        def method(*_: object, **__: object) -> object:
            raise PermissionError(f"asyncio: {sentence}")

        method.__name__ = name
        return method

    for name in names:
        setattr(GuestLoop, name, refusing(name))


def install() -> None:
    """Make asyncio and `time.sleep` wait through this module."""
    asyncio.events._set_event_loop_policy(_policy)
    asyncio.SelectorEventLoop = GuestLoop
    asyncio.EventLoop = GuestLoop
    asyncio.run = asyncio.runners.run = _run
    asyncio.create_task = asyncio.tasks.create_task = _create_task
    asyncio.runners._cancel_all_tasks = _cancel_all_tasks
    asyncio.Runner.__exit__ = _exit_runner
    time.sleep = sleep
    sched.scheduler.__init__.__defaults__ = (time.monotonic, sleep)
