"""Links in tool results: readable by the program that received them, and by no other."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
import pytest
from mcp.server.mcpserver import MCPServer
from mcp.types import CallToolResult, ResourceLink
from run_handles import a_run as new_handle

from codeact_bridges.errors import BudgetSpent, ToolDenied
from codeact_bridges.limits import Limits
from codeact_bridges.runs.tool_calls import ToolCalls
from codeact_bridges.tools.bridge import ToolsBridge
from codeact_bridges.tools.spec import MemoryServer

MEMO = json.dumps({"server": "notes", "uri": "memo://today"})


def notes() -> MemoryServer:
    server = MCPServer("notes")

    @server.resource("memo://today")
    async def today() -> str:  # pyright: ignore[reportUnusedFunction]
        return "Nothing."

    @server.tool()
    async def memo() -> CallToolResult:  # pyright: ignore[reportUnusedFunction]
        return CallToolResult(content=[ResourceLink(uri="memo://today", name="today")])

    return MemoryServer(name="notes", server=server)


@asynccontextmanager
async def a_run(tool_calls: int = 10) -> AsyncGenerator[ToolCalls]:
    with anyio.fail_after(10):
        async with ToolsBridge([notes()]) as tools:
            yield ToolCalls(tools, new_handle(), Limits(tool_calls=tool_calls))


async def test_a_link_that_a_tool_gave_is_read_recorded_and_counted_as_a_call() -> None:
    async with a_run(tool_calls=2) as run:
        call = run.handlers()
        given = json.loads(await call["tools.call"](json.dumps({"tool": "memo", "arguments": {}})))
        assert given["link"] == {"uri": "memo://today", "name": "today", "mime_type": None, "server": "notes"}
        read = json.loads(await call["tools.read_resource"](MEMO))
        assert read["media"]["uri"] == "memo://today"
        assert [(record.tool, record.outcome) for record in run.records] == [
            ("notes.memo", "ok"),
            ("notes: read memo://today", "ok"),
        ]
        with pytest.raises(BudgetSpent):
            await call["tools.read_resource"](MEMO)


async def test_a_resource_without_a_link_cannot_be_read() -> None:
    async with a_run() as run:
        with pytest.raises(ToolDenied, match="no tool has given this link to this program"):
            await run.handlers()["tools.read_resource"](MEMO)
        assert run.records == ()
