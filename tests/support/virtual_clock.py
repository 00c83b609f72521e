"""An event loop whose clock only the test turns. A fixture `anyio_backend` of the module chooses it. Not a test."""

import asyncio

import anyio.lowlevel


class VirtualClock(asyncio.SelectorEventLoop):
    """Time passes only when a test says so. What waits for I/O of other processes does not belong on this loop."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def time(self) -> float:
        return self.now


BACKEND: tuple[str, dict[str, object]] = ("asyncio", {"loop_factory": VirtualClock})


async def pass_time(seconds: float, turns: int = 5) -> None:
    """Let time pass, and then the tasks of this loop go on for so many turns."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualClock)
    loop.now += seconds
    for _ in range(turns):
        await anyio.lowlevel.checkpoint()
