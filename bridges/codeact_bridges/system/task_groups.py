"""Task groups."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import anyio
import anyio.abc


@asynccontextmanager
async def plain_task_group() -> AsyncGenerator[anyio.abc.TaskGroup]:
    """A task group that raises its body's exception without an `ExceptionGroup` around it. Its tasks must not raise."""
    try:
        async with anyio.create_task_group() as tasks:
            yield tasks
    except BaseExceptionGroup as group:
        if len(group.exceptions) == 1:
            raise group.exceptions[0] from None
        raise


async def every(seconds: float, action: Callable[[float], None]) -> None:
    """Call `action` with the event loop's time every `seconds`, the first time after the first wait. Runs until it is
    cancelled: for sweeps of what has expired."""
    while True:
        await anyio.sleep(seconds)
        action(anyio.current_time())
