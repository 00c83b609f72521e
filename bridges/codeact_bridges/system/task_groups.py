"""Task groups."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
import anyio.abc


@asynccontextmanager
async def plain_task_group() -> AsyncGenerator[anyio.abc.TaskGroup]:
    """A task group whose body's own exception comes out as it is. Its tasks raise nothing but bugs."""
    try:
        async with anyio.create_task_group() as tasks:
            yield tasks
    except BaseExceptionGroup as group:
        if len(group.exceptions) == 1:
            raise group.exceptions[0] from None
        raise
