"""Report a run's events to the client that waits for it: as progress with the number of calls, and as log messages.

Events are the preparation of the sandbox, printed text, tool calls and their progress. Both kinds of notification are
sent ten times a second at most; log messages only if the client has requested them.
"""

from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
from mcp.server.context import ServerRequestContext

from codeact_bridges.runs.handle import RunHandle
from codeact_bridges.runs.observer import RunEvent
from codeact_bridges.values import CallProgress, CallRecord, Preparing, Printed
from codeact_server.protocol.log_messages import LogMessages
from codeact_server.protocol.results import PREPARING

INTERVAL_S = 0.1
MAX_LINES = 20
MAX_MESSAGE_CHARS = 1_000


@asynccontextmanager
async def reported(handle: RunHandle, ctx: ServerRequestContext[Any], logged: LogMessages) -> AsyncGenerator[None]:
    """Report the events of `handle` for the length of the block. The SDK sends progress only if the client wants it."""
    lines: deque[str] = deque(maxlen=MAX_LINES)
    changed, over = anyio.Event(), anyio.Event()
    sending = False

    def observe(event: RunEvent) -> None:
        nonlocal sending
        line = _line(event)
        lines.append(line[-MAX_MESSAGE_CHARS:])
        logged.add(event, line)
        changed.set()
        if not sending:  # started on the first event: the result of a silent program does not wait for a task
            sending = True
            tasks.start_soon(send)

    async def send() -> None:
        nonlocal changed
        sent = 0
        while True:
            await changed.wait()
            if over.is_set():
                break
            changed = anyio.Event()
            message = "\n".join(lines)[-MAX_MESSAGE_CHARS:]
            lines.clear()
            sent += 1
            if handle.calls:
                message += f"\n({handle.calls} tool calls so far)"
            await ctx.session.report_progress(float(sent), message=message)
            await log()
            with anyio.move_on_after(INTERVAL_S):
                await over.wait()
        await log()

    async def log() -> None:
        for notification in logged.take():
            await ctx.session.send_notification(notification, related_request_id=ctx.request_id)

    async with anyio.create_task_group() as tasks:
        handle.observers.append(observe)
        if handle.is_preparing:  # since before this request
            observe(Preparing())
        try:
            yield
        finally:
            handle.observers.remove(observe)
        over.set()
        changed.set()


def _line(event: RunEvent) -> str:
    match event:
        case Preparing():
            return PREPARING
        case Printed():
            return event.text.rstrip("\n")
        case CallRecord():
            return f"called {event.tool}" if event.outcome == "ok" else f"called {event.tool} ({event.outcome})"
        case CallProgress():
            of = f" of {event.total:g}" if event.total is not None else ""
            return f"{event.tool}: {event.message or 'progress'} ({event.progress:g}{of})"
