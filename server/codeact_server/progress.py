"""What a run prints, its tool calls and how far they have come, as progress notifications: at most ten a second, with
the number of calls.

Not as log notifications too: the protocol gives those up (SEP-2577, deprecated in 2026-07-28), no client that was
measured shows them, and they would say the same.
"""

from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
from mcp.server.context import ServerRequestContext

from codeact_bridges.runs import LiveRun
from codeact_bridges.values import CallProgress, CallRecord, Printed
from codeact_bridges.watching import News

INTERVAL_S = 0.1
MAX_LINES = 20
MAX_MESSAGE_CHARS = 1_000


@asynccontextmanager
async def reported(live: LiveRun, ctx: ServerRequestContext[Any]) -> AsyncGenerator[None]:
    """Report what `live` does for the length of the block. The SDK sends it where the client asked for progress."""
    lines: deque[str] = deque(maxlen=MAX_LINES)
    news = anyio.Event()

    def listen(what: News) -> None:
        lines.append(_line(what))
        news.set()

    async def send() -> None:
        nonlocal news
        sent = 0
        while True:
            await news.wait()
            news = anyio.Event()
            message = "\n".join(lines)[-MAX_MESSAGE_CHARS:]
            lines.clear()
            sent += 1
            said = f"{message}\n({live.calls} tool calls so far)" if live.calls else message
            await ctx.session.report_progress(float(sent), message=said)
            await anyio.sleep(INTERVAL_S)

    live.listeners.append(listen)
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send)
            yield
            tasks.cancel_scope.cancel()
    finally:
        live.listeners.remove(listen)


def _line(what: News) -> str:
    match what:
        case Printed():
            return what.text[-MAX_MESSAGE_CHARS:].rstrip("\n")
        case CallRecord():
            return f"called {what.tool}"
        case CallProgress():
            of = f" of {what.total:g}" if what.total is not None else ""
            return f"{what.tool}: {what.message or 'is at'} ({what.progress:g}{of})"
