"""What a run relies on in the tools bridge: the real one with a real server, and the double that stands for it."""

import sys
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path

import anyio
import pytest
from tool_calls import call

from codeact_bridges.errors import DownstreamFailed, ToolError, UnknownTool
from codeact_bridges.testing import ScriptedTools
from codeact_bridges.tools.bridge import ToolsBridge
from codeact_bridges.tools.port import ToolsPort
from codeact_bridges.tools.spec import StdioServer
from codeact_bridges.values import Data, JsonValue, ToolValue

GUARD_S = 30
EVERYDAY = Path(__file__).parents[1] / "servers" / "everyday.py"


async def add(arguments: Mapping[str, JsonValue]) -> ToolValue:
    a, b = arguments["a"], arguments.get("b", 2)
    assert isinstance(a, int)
    assert isinstance(b, int)
    return Data(a + b)


async def fail(_: Mapping[str, JsonValue]) -> ToolValue:
    raise DownstreamFailed("everyday", "fail", "the shop is closed")


@pytest.fixture(params=["double", pytest.param("real", marks=pytest.mark.slow)])
async def tools(request: pytest.FixtureRequest) -> AsyncGenerator[ToolsPort]:
    if request.param == "double":
        yield ScriptedTools({"everyday.add": add, "everyday.fail": fail})
        return
    server = StdioServer(name="everyday", command=sys.executable, args=(str(EVERYDAY), "stdio"))
    with anyio.fail_after(GUARD_S):
        async with ToolsBridge([server]) as real:
            yield real


@pytest.mark.parametrize("name", ["everyday.add", "add"])
async def test_a_tool_is_called_by_its_full_name_or_its_own(tools: ToolsPort, name: str) -> None:
    assert await call(tools, name, {"a": 1}) == Data(3)


@pytest.mark.parametrize("name", ["everyday.nothing_like_it", "elsewhere.add", ""])
async def test_a_tool_that_does_not_exist_is_unknown_everywhere(tools: ToolsPort, name: str) -> None:
    with pytest.raises(UnknownTool):
        await call(tools, name, {})
    with pytest.raises(UnknownTool):
        await tools.describe(name)


async def test_a_failure_carries_the_server_the_tool_and_the_reason(tools: ToolsPort) -> None:
    with pytest.raises(ToolError) as failed:
        await call(tools, "fail", {})
    assert (failed.value.server, failed.value.tool, failed.value.reason) == ("everyday", "fail", "the shop is closed")


async def test_a_tool_is_resolved_before_it_is_called(tools: ToolsPort) -> None:
    tool = await tools.resolve("add", {"a": 1})

    assert (tool.server, tool.name, tool.full_name) == ("everyday", "add", "everyday.add")
    assert await tools.call(tool, {"a": 1}) == Data(3)
    assert await tools.call(tool, {"a": 2}) == Data(4)


async def test_tools_are_listed_and_found_with_name_signature_and_summary(tools: ToolsPort) -> None:
    rows = [*await tools.list(), *await tools.list("everyday"), *await tools.search("add", limit=1)]
    assert all(isinstance(row, dict) and {"name", "signature", "summary"} <= row.keys() for row in rows)
    names = [row["name"] for row in rows if isinstance(row, dict)]
    assert names.count("everyday.add") == 3
    assert "add" in await tools.describe("everyday.add")
