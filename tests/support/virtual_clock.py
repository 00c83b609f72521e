"""An event loop whose clock only the test turns. Not a test."""

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import ParamSpec

import anyio.lowlevel

P = ParamSpec("P")


class VirtualClock(asyncio.SelectorEventLoop):
    """Time passes only when a test says so. What waits for I/O of other processes does not belong on this loop."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def time(self) -> float:
        return self.now


def on_virtual_clock(test: Callable[P, Coroutine[None, None, None]]) -> Callable[P, None]:
    """Run an async test on such a loop of its own: the one of other async tests lasts as long as a fixture uses it."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with asyncio.Runner(loop_factory=VirtualClock) as runner:
            runner.run(test(*args, **kwargs))

    return run


async def pass_time(seconds: float, turns: int = 5) -> None:
    """Let time pass, and then the tasks of this loop go on for so many turns."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualClock)
    loop.now += seconds
    for _ in range(turns):
        await anyio.lowlevel.checkpoint()
