"""Task groups."""

from collections.abc import AsyncGenerator
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
