"""`ThreadPoolExecutor` without threads: runs tool calls concurrently and refuses other functions.

`submit(call_tool, …)`, and `map` or `submit` of a function that only returns a tool call, such as
`lambda i: call_tool("crm.get", id=i)`, become concurrent calls on the host. Any other function would have to be
suspended in its middle, which needs a thread: that raises an error with the asyncio form.
"""

import asyncio
import collections
import concurrent.futures
import concurrent.futures._base
import concurrent.futures.thread
import contextlib
import contextvars
import dis
import functools
import inspect
import time
import types
from collections.abc import Callable, Iterable, Iterator

from codeact_guest import loop, tools, values

Future = concurrent.futures.Future

_INSTEAD = (
    "this sandbox has no threads and no processes, so an executor can only run a function that consists of one "
    "call_tool(…). Write instead: results = await asyncio.gather(*[work(item) for item in items]), where "
    "`async def work(item)` uses `await call_tool_async(name, key=value)` (top-level await is allowed); or a plain loop"
)


class HostFuture(Future):
    """A tool call in flight. Waiting for it waits for the host."""

    _number = 0

    def start(self, request: str) -> None:
        """Start the call on the host."""
        self._number = loop.submit_outside("tools.call", request, self)

    def cancel(self) -> bool:
        loop.cancel_outside(self._number)
        return super().cancel()

    def result(self, timeout: float | None = None) -> object:
        _until(self.done, timeout)
        return super().result(0)

    def exception(self, timeout: float | None = None) -> BaseException | None:
        _until(self.done, timeout)
        return super().exception(0)

    def set_result(self, result: object) -> None:
        super().set_result(values.from_wire(result))


class ThreadPoolExecutor(concurrent.futures.Executor):
    """Takes the parameters of `concurrent.futures.ThreadPoolExecutor`; the host decides how many calls run at once."""

    def __init__(
        self,
        max_workers: int | None = None,
        thread_name_prefix: str = "",
        initializer: object = None,
        initargs: tuple[object, ...] = (),
        **_: object,
    ) -> None:
        if max_workers is not None and max_workers <= 0:
            raise ValueError("max_workers must be greater than 0")
        if initializer is not None:
            raise RuntimeError(f"{type(self).__name__}(initializer=…): {_INSTEAD}")
        self._closed = False
        self._futures: list[HostFuture] = []

    def submit(self, fn: Callable[..., object], /, *args: object, **kwargs: object) -> Future:
        if self._closed:
            raise RuntimeError("cannot schedule new futures after shutdown")
        future = HostFuture()
        try:
            request = tool_request(fn, args, kwargs)
        except Exception as exc:  # an argument's expression failed; in a thread the future would have its exception
            future.set_exception(exc)
            return future
        if request is None:
            raise RuntimeError(f"{type(self).__name__}: {_INSTEAD}")
        future.start(request)
        self._futures.append(future)
        return future

    def map(
        self, fn: Callable[..., object], *iterables: Iterable[object], timeout: float | None = None, **_: object
    ) -> Iterator[object]:
        end = None if timeout is None else time.monotonic() + timeout
        futures = collections.deque([self.submit(fn, *args) for args in zip(*iterables, strict=False)])
        return _results(futures, end)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._closed = True
        for future in self._futures if cancel_futures else ():
            future.cancel()
        if wait:
            _until(lambda: all(future.done() for future in self._futures), None)


class ProcessPoolExecutor(ThreadPoolExecutor):
    """Like `ThreadPoolExecutor`, because the guest has no processes either."""


def wait(
    fs: Iterable[Future], timeout: float | None = None, return_when: str = concurrent.futures.ALL_COMPLETED
) -> object:
    """`concurrent.futures.wait` over the host."""
    futures = set(fs)

    def enough() -> bool:
        done = [future for future in futures if future.done()]
        if return_when == concurrent.futures.FIRST_COMPLETED:
            return bool(done)
        if return_when == concurrent.futures.FIRST_EXCEPTION and any(
            not future.cancelled() and Future.exception(future, 0) for future in done
        ):
            return True
        return len(done) == len(futures)

    with contextlib.suppress(TimeoutError):
        _until(enough, timeout)
    done = {future for future in futures if future.done()}
    return concurrent.futures._base.DoneAndNotDoneFutures(done, futures - done)


def as_completed(fs: Iterable[Future], timeout: float | None = None) -> Iterator[Future]:
    """`concurrent.futures.as_completed` over the host."""
    waiting = list(dict.fromkeys(fs))
    end = None if timeout is None else time.monotonic() + timeout
    while waiting:
        _until(
            lambda: any(future.done() for future in waiting), None if end is None else max(0.0, end - time.monotonic())
        )
        for future in [future for future in waiting if future.done()]:
            waiting.remove(future)
            yield future


def run_in_executor(
    self: loop.GuestLoop, executor: object, func: Callable[..., object], *args: object
) -> asyncio.Future[object]:
    """`loop.run_in_executor` and `asyncio.to_thread`: tool calls run concurrently, any other function at once."""
    future = self.create_future()
    try:
        request = tool_request(func, args, {})
        if request is not None:
            return self.create_task(tools.send(request))
        future.set_result(func(*args))
    except Exception as exc:
        future.set_exception(exc)
    return future


def install() -> None:
    """Replace the executors of `concurrent.futures` and asyncio with these."""
    concurrent.futures.ThreadPoolExecutor = concurrent.futures.thread.ThreadPoolExecutor = ThreadPoolExecutor
    concurrent.futures.ProcessPoolExecutor = ProcessPoolExecutor
    for module in (concurrent.futures, concurrent.futures._base):
        module.wait, module.as_completed = wait, as_completed
    loop.GuestLoop.run_in_executor = run_in_executor


def _results(futures: collections.deque[Future], end: float | None) -> Iterator[object]:
    while futures:
        yield futures.popleft().result(None if end is None else max(0.0, end - time.monotonic()))


def _until(ready: Callable[[], bool], timeout: float | None) -> None:
    end = None if timeout is None else time.monotonic() + timeout
    while not ready():
        left = None if end is None else end - time.monotonic()
        if left is not None and left <= 0:
            raise TimeoutError
        for number, succeeded, value in loop.wait(left):
            loop.deliver(number, succeeded, value)


def tool_request(fn: Callable[..., object], args: tuple[object, ...], kwargs: dict[str, object]) -> str | None:
    """The request of the tool call that `fn(*args, **kwargs)` would make; None if the function does anything else.

    Evaluates the call's arguments, whose exceptions pass through.
    """
    while True:
        if isinstance(fn, functools.partial):
            fn, args, kwargs = fn.func, (*fn.args, *args), {**fn.keywords, **kwargs}
        elif isinstance(fn, types.MethodType):
            fn, args = fn.__func__, (fn.__self__, *args)
        elif (
            isinstance(fn, types.BuiltinMethodType)
            and isinstance(fn.__self__, contextvars.Context)
            and fn.__name__ == "run"
        ):
            fn, args = args[0], args[1:]  # asyncio.to_thread
        else:
            break
    if fn is tools.call_tool:
        return _call_request(*args, **kwargs)
    if isinstance(fn, types.FunctionType) and only_returns_a_tool_call(fn):
        names = dict(fn.__globals__)
        names[_callee(fn)] = _call_request
        stand_in = types.FunctionType(fn.__code__, names, fn.__name__, fn.__defaults__, fn.__closure__)
        stand_in.__kwdefaults__ = fn.__kwdefaults__
        return stand_in(*args, **kwargs)
    return None


def _call_request(name: str, arguments: object = None, /, **named: object) -> str:
    return tools.request(name, arguments, named)


_STRAIGHT = frozenset(
    """
    RESUME NOP CACHE EXTENDED_ARG NOT_TAKEN COPY_FREE_VARS PUSH_NULL RETURN_VALUE
    LOAD_GLOBAL LOAD_FAST LOAD_FAST_BORROW LOAD_FAST_LOAD_FAST LOAD_FAST_BORROW_LOAD_FAST_BORROW LOAD_DEREF
    LOAD_CONST LOAD_SMALL_INT LOAD_ATTR LOAD_COMMON_CONSTANT
    BINARY_OP BINARY_SLICE COMPARE_OP CONTAINS_OP IS_OP UNARY_NOT UNARY_NEGATIVE UNARY_INVERT
    BUILD_LIST BUILD_MAP BUILD_SET BUILD_SLICE BUILD_STRING BUILD_TUPLE
    LIST_APPEND LIST_EXTEND MAP_ADD DICT_MERGE DICT_UPDATE SET_ADD SET_UPDATE
    FORMAT_SIMPLE FORMAT_WITH_SPEC CONVERT_VALUE CALL CALL_KW CALL_FUNCTION_EX CALL_INTRINSIC_1
    """.split()  # noqa: SIM905
)
"""Opcodes that neither jump nor store: a function of these alone is one expression."""


def only_returns_a_tool_call(fn: types.FunctionType) -> bool:
    """Whether the function is one straight expression that ends by returning `call_tool(…)`.

    Decided from the bytecode: no jumps and no stores; `call_tool` is loaded once, onto the empty stack, and stays there
    until the call that ends the function. So `call_tool(…).strip()` and `call_tool(…)["id"]` do not qualify.
    """
    steps = list(dis.get_instructions(fn))
    callee = _callee(fn)
    if callee is None or fn.__code__.co_flags & _GENERATING or any(step.opname not in _STRAIGHT for step in steps):
        return False
    if [step.opname for step in steps].count("RETURN_VALUE") != 1 or steps[-1].opname != "RETURN_VALUE":
        return False
    if steps[-2].opname not in ("CALL", "CALL_KW", "CALL_FUNCTION_EX"):
        return False
    depth, loaded = 0, False
    for step in steps[:-2]:
        if step.opname == "LOAD_GLOBAL" and step.argval == callee:
            if depth:
                return False
            loaded = True
        depth += dis.stack_effect(step.opcode, step.arg)
        if loaded and depth < 2 and step.opname != "LOAD_GLOBAL":  # the callee and the NULL above it
            return False
    return loaded and depth + dis.stack_effect(steps[-2].opcode, steps[-2].arg) == 1


_GENERATING = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


def _callee(fn: types.FunctionType) -> str | None:
    """The global name in `fn` that refers to `call_tool`, if there is exactly one."""
    loads = [step.argval for step in dis.get_instructions(fn) if step.opname == "LOAD_GLOBAL"]
    ours = [name for name in loads if fn.__globals__.get(name) is tools.call_tool]
    return ours[0] if len(ours) == 1 else None
