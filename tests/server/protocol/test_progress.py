"""How often a client gets progress. The clock is the event loop's, which the test turns; client and server are real."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import anyio
import pytest
from apps import ERAS, Era
from mcp import Client
from mcp.server import Server
from mcp.server.context import ServerRequestContext
from mcp.shared.dispatcher import ProgressFnT
from mcp.types import CallToolRequestParams, CallToolResult, ListToolsResult, PaginatedRequestParams, Tool
from virtual_clock import on_virtual_clock, pass_time

from codeact_bridges.limits import Limits
from codeact_bridges.runs.handle import RunHandle, RunOrder
from codeact_bridges.runs.observer import RunEvent
from codeact_bridges.values import Preparing, Printed
from codeact_server.protocol.log_messages import LogMessages
from codeact_server.protocol.progress import INTERVAL_S, MAX_LINES, reported

STEP_S = 0.01
TURNS = 60
"""More than a notification needs from the server to the client, so that it arrives at the time when it was sent."""


@asynccontextmanager
async def reporting(era: Era, on_progress: ProgressFnT, *earlier: RunEvent) -> AsyncGenerator[RunHandle]:
    """A run whose client waits for it with `on_progress` for the length of the block, after the `earlier` events."""
    run = RunHandle(RunOrder(owner="me", code=""), Limits())
    for event in earlier:
        run.notify(event)
    waits, over = anyio.Event(), anyio.Event()

    async def call_tool(ctx: ServerRequestContext[Any], _: CallToolRequestParams) -> CallToolResult:
        async with reported(run, ctx, LogMessages(None)):
            waits.set()
            await over.wait()
        return CallToolResult(content=[])

    async def list_tools(ctx: ServerRequestContext[Any], _: PaginatedRequestParams | None) -> ListToolsResult:
        return ListToolsResult(tools=[Tool(name="run", input_schema={"type": "object"})])

    server = Server("reporting", on_call_tool=call_tool, on_list_tools=list_tools)
    async with Client(server, mode=era) as client, anyio.create_task_group() as tasks:

        async def call() -> None:
            await client.call_tool("run", {}, progress_callback=on_progress)

        tasks.start_soon(call)
        await waits.wait()
        yield run
        over.set()


@pytest.mark.parametrize("era", ERAS)
@on_virtual_clock
async def test_progress_comes_ten_times_a_second_at_most(era: Era) -> None:
    came: list[float] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        came.append(anyio.current_time())

    async with reporting(era, on_progress) as run:
        for n in range(100):  # for a second
            run.notify(Printed("stdout", f"{n}\n"))
            await pass_time(STEP_S, TURNS)

    assert len(came) in (10, 11)
    assert all(later - earlier > 0.1 - STEP_S / 2 for earlier, later in pairwise(came))


@pytest.mark.parametrize("era", ERAS)
@on_virtual_clock
async def test_what_is_printed_between_two_reports_is_in_the_next_one(era: Era) -> None:
    came: list[str | None] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        came.append(message)

    async with reporting(era, on_progress) as run:
        run.notify(Printed("stdout", "first\n"))
        await pass_time(STEP_S, TURNS)
        for n in range(MAX_LINES + 5):
            run.notify(Printed("stdout", f"{n}\n"))
        await pass_time(INTERVAL_S, TURNS)

    assert came == ["first", "\n".join(str(n) for n in range(5, MAX_LINES + 5))]


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("earlier", [(), (Preparing(),)], ids=["from now on", "since an earlier request"])
@on_virtual_clock
async def test_a_wait_for_the_sandbox_is_told_also_when_it_began_before_the_request(
    era: Era, earlier: tuple[RunEvent, ...]
) -> None:
    came: list[str | None] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        came.append(message)

    async with reporting(era, on_progress, *earlier) as run:
        if not earlier:
            run.notify(Preparing())
        await pass_time(STEP_S, TURNS)
        run.begin()
        run.notify(Printed("stdout", "begun\n"))
        await pass_time(INTERVAL_S, TURNS)

    assert came == ["preparing the sandbox, once", "begun"]
