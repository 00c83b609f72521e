"""What a run prints, its tool calls and how far they have come, to a client that waits for it: as progress with the
number of calls, and as log notifications where it asked for them; ten times a second at most.
"""

from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
from mcp.server.context import ServerRequestContext

from codeact_bridges.runs.handle import RunHandle
from codeact_bridges.runs.observer import RunEvent
from codeact_bridges.values import CallProgress, CallRecord, Printed
from codeact_server.protocol.log_messages import LogMessages

INTERVAL_S = 0.1
MAX_LINES = 20
MAX_MESSAGE_CHARS = 1_000


@asynccontextmanager
async def reported(live: RunHandle, ctx: ServerRequestContext[Any], logged: LogMessages) -> AsyncGenerator[None]:
    """Report what `live` does for the length of the block. The SDK sends progress where the client asked for it."""
    lines: deque[str] = deque(maxlen=MAX_LINES)
    news, over = anyio.Event(), anyio.Event()
    sending = False

    def listen(what: RunEvent) -> None:
        nonlocal sending
        line = _line(what)
        lines.append(line[-MAX_MESSAGE_CHARS:])
        logged.add(what, line)
        news.set()
        if not sending:  # a silent program's answer does not wait for a task's begin and end
            sending = True
            tasks.start_soon(send)

    async def send() -> None:
        nonlocal news
        sent = 0
        while True:
            await news.wait()
            if over.is_set():
                break
            news = anyio.Event()
            message = "\n".join(lines)[-MAX_MESSAGE_CHARS:]
            lines.clear()
            sent += 1
            said = f"{message}\n({live.calls} tool calls so far)" if live.calls else message
            await ctx.session.report_progress(float(sent), message=said)
            await log()
            with anyio.move_on_after(INTERVAL_S):
                await over.wait()
        await log()

    async def log() -> None:
        for notification in logged.take():
            await ctx.session.send_notification(notification, related_request_id=ctx.request_id)

    async with anyio.create_task_group() as tasks:
        live.listeners.append(listen)
        try:
            yield
        finally:
            live.listeners.remove(listen)
        over.set()
        news.set()


def _line(what: RunEvent) -> str:
    match what:
        case Printed():
            return what.text.rstrip("\n")
        case CallRecord():
            return f"called {what.tool}" if what.outcome == "ok" else f"called {what.tool} ({what.outcome})"
        case CallProgress():
            of = f" of {what.total:g}" if what.total is not None else ""
            return f"{what.tool}: {what.message or 'is at'} ({what.progress:g}{of})"
