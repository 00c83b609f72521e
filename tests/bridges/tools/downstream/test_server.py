"""Start, concurrency limit, timeouts and status of a downstream server."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

import anyio
import pytest
from tool_calls import call

from codeact_bridges.errors import CallTimedOut, DownstreamFailed, UnknownTool
from codeact_bridges.tools.bridge import ToolsBridge
from codeact_bridges.tools.spec import StdioServer, ToolSelection
from codeact_bridges.values import Data, JsonValue

Hostile: TypeAlias = Callable[..., StdioServer]

NOTHING: dict[str, JsonValue] = {}


def lazy(spec: StdioServer) -> StdioServer:
    return replace(spec, start="lazy")


async def test_a_lazy_server_is_idle_until_one_of_its_tools_is_called(hostile: Hostile) -> None:
    with anyio.fail_after(10):
        async with ToolsBridge([lazy(hostile())]) as tools:
            assert await tools.wait_settled()
            assert [status.state for status in tools.statuses()] == ["idle"]
            assert await call(tools, "hostile.echo", {"text": "hello"}) == Data("hello")
            assert [status.state for status in tools.statuses()] == ["ready"]


async def test_a_lazy_server_is_started_by_a_search_a_list_and_a_bare_name(hostile: Hostile) -> None:
    with anyio.fail_after(15):
        async with ToolsBridge([lazy(hostile())]) as tools:
            assert await tools.list()
            assert [status.state for status in tools.statuses()] == ["ready"]
        async with ToolsBridge([lazy(hostile())]) as tools:
            assert await tools.search("echo")
        async with ToolsBridge([lazy(hostile())]) as tools:
            assert "echo" in await tools.describe("echo")


async def test_a_list_of_one_server_does_not_start_another(hostile: Hostile) -> None:
    with anyio.fail_after(10):
        async with ToolsBridge([lazy(hostile(name="one")), lazy(hostile(name="other"))]) as tools:
            assert await tools.list("one")
            assert {status.name: status.state for status in tools.statuses()} == {"one": "ready", "other": "idle"}


async def test_an_idle_server_is_closed_like_any_other(hostile: Hostile) -> None:
    with anyio.fail_after(5):
        async with ToolsBridge([lazy(hostile())]) as tools:
            pass
    assert tools.statuses()[0].state == "stopped"


async def test_a_server_gets_no_more_concurrent_calls_than_its_limit(hostile: Hostile) -> None:
    with anyio.fail_after(10):
        async with ToolsBridge([replace(hostile(), concurrent_calls=2)]) as tools:
            await tools.wait_settled()
            async with anyio.create_task_group() as calls:
                calls.start_soon(call, tools, "hang", NOTHING)
                # The second place sees the first taken. The third call would hang too, if it got one.
                assert await call(tools, "wait_until_hanging", {}) == Data("hanging")
                calls.start_soon(call, tools, "hang", NOTHING)
                await anyio.wait_all_tasks_blocked()
                calls.start_soon(call, tools, "echo", {"text": "waits"})
                await anyio.wait_all_tasks_blocked()
                assert tools.statuses()[0].calls == 2
                calls.cancel_scope.cancel()
            assert tools.statuses()[0].calls == 0
            assert await call(tools, "echo", {"text": "hello"}) == Data("hello")


async def test_a_tool_has_a_timeout_of_its_own(hostile: Hostile) -> None:
    with anyio.fail_after(10):
        spec = replace(hostile(call_timeout_s=60), tool_timeouts_s={"h*g": 0.2})
        async with ToolsBridge([spec]) as tools:
            with pytest.raises(CallTimedOut, match=r"no answer within 0\.2 s"):
                await call(tools, "hang", {})


async def test_the_circuit_is_open_during_the_pause_after_a_failure(hostile: Hostile) -> None:
    with anyio.fail_after(10):
        async with ToolsBridge([hostile("--start", "exit")]) as tools:
            with pytest.raises(DownstreamFailed):
                await call(tools, "hostile.echo", {})
            status = tools.statuses()[0]
            assert (status.state, status.circuit) == ("failed", "open")
            assert status.failures >= 1
            assert status.retry_in_s


async def test_a_denied_tool_does_not_exist_and_a_renamed_one_is_sent_with_its_own_name(hostile: Hostile) -> None:
    spec = replace(
        hostile(),
        tools=ToolSelection(deny=("die*",)),
        rename={"echo": "say"},
        fixed={"echo": {"text": "always this"}},
    )
    with anyio.fail_after(10):
        async with ToolsBridge([spec]) as tools:
            with pytest.raises(UnknownTool):
                await call(tools, "die", {})
            assert await call(tools, "say", {}) == Data("always this")
            assert "text" not in await tools.describe("say")
