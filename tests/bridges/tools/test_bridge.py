"""All servers together: one catalog, one way to call, over every transport."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import replace
from typing import Literal, TypeAlias, cast

import anyio
import httpx2
import pytest
from mcp.server.mcpserver import MCPServer
from tool_calls import call

from codeact_bridges.errors import BadArguments, DownstreamFailed, UnknownTool
from codeact_bridges.tools.bridge import ToolsBridge
from codeact_bridges.tools.port import ToolsPort
from codeact_bridges.tools.spec import HttpServer, MemoryServer, StdioServer, ToolSelection
from codeact_bridges.values import Data, JsonValue, Media, ToolParts, ToolValue

Hostile: TypeAlias = Callable[..., StdioServer]
Serving: TypeAlias = Callable[..., AbstractAsyncContextManager[HttpServer]]


def calculator(name: str = "calculator") -> MemoryServer:
    server = MCPServer(name)

    @server.tool()
    async def add(a: int, b: int = 2) -> int:  # pyright: ignore[reportUnusedFunction]
        """Add two numbers."""
        return a + b

    return MemoryServer(name=name, server=server)


async def test_the_everyday_server_answers_over_stdio(everyday: StdioServer) -> None:
    with anyio.fail_after(20):
        async with ToolsBridge([everyday]) as tools:
            await expect_everyday_answers(tools)
            assert tools.statuses()[0].protocol == "2026-07-28"


@pytest.mark.parametrize("transport", ["http", "sse"])
async def test_the_everyday_server_answers_over_the_network(
    serving: Serving, transport: Literal["http", "sse"]
) -> None:
    with anyio.fail_after(20):
        async with serving(transport) as spec, ToolsBridge([spec]) as tools:
            await expect_everyday_answers(tools)


@pytest.mark.parametrize("transport", ["http", "sse"])
async def test_a_changed_list_is_heard_over_the_network(serving: Serving, transport: Literal["http", "sse"]) -> None:
    with anyio.fail_after(20):
        async with serving(transport) as spec, ToolsBridge([spec]) as tools:
            await tools.wait_settled()
            changed = anyio.Event()
            tools.subscribe(changed.set)
            await call(tools, "learn", {"name": "juggle"})
            await changed.wait()
            assert await call(tools, "everyday.juggle", {}) == Data("I am juggle")


async def test_a_result_of_six_megabytes_arrives_over_stdio(everyday: StdioServer) -> None:
    with anyio.fail_after(20):
        async with ToolsBridge([everyday]) as tools:
            assert await call(tools, "text", {"size": 6_000_000}) == Data("x" * 6_000_000)


@pytest.mark.parametrize("transport", ["http", "sse"])
async def test_an_event_of_two_megabytes_arrives(serving: Serving, transport: Literal["http", "sse"]) -> None:
    with anyio.fail_after(20):
        async with serving(transport) as spec, ToolsBridge([spec]) as tools:
            assert await call(tools, "talk_then", {"size": 2_000_000}) == Data("x" * 2_000_000)


async def test_a_result_over_the_limit_is_an_error_that_says_so(everyday: StdioServer) -> None:
    with anyio.fail_after(20):
        async with ToolsBridge([everyday], result_limit_bytes=1_000) as tools:
            with pytest.raises(DownstreamFailed, match=r"has 2,002 bytes, more than the 1,000 allowed"):
                await call(tools, "text", {"size": 2_000})


async def test_an_address_where_nobody_listens_is_reported_without_its_secrets() -> None:
    spec = HttpServer(name="remote", url="http://127.0.0.1:9/mcp?token=hush", headers={"Authorization": "Bearer hush"})
    with anyio.fail_after(10):
        async with ToolsBridge([spec]) as tools:
            with pytest.raises(DownstreamFailed, match="cannot connect to its address") as caught:
                await call(tools, "remote.anything", {})
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("transport", ["http", "sse"])
async def test_a_remote_server_that_restarts_is_found_again(
    serving: Serving, transport: Literal["http", "sse"]
) -> None:
    with anyio.fail_after(30):
        async with AsyncExitStack() as stack:
            async with serving(transport) as spec:
                tools = await stack.enter_async_context(ToolsBridge([spec]))
                assert await call(tools, "add", {"a": 1}) == Data(3)
            async with serving(transport, port=httpx2.URL(spec.url).port):
                assert await call_when_back(tools, "add", {"a": 1}) == Data(3)


async def call_when_back(tools: ToolsBridge, name: str, arguments: dict[str, JsonValue]) -> ToolValue:
    """Call a tool whose server has restarted. It may have been unreachable for a while: then it is tried again soon."""
    while True:
        try:
            return await call(tools, name, arguments)
        except DownstreamFailed as failed:
            if "next attempt in" not in failed.reason:
                raise
            await anyio.sleep(0.1)  # no event tells that another process listens


async def test_one_server_may_fail_while_the_others_work(hostile: Hostile) -> None:
    with anyio.fail_after(10):
        async with ToolsBridge([hostile("--start", "exit", name="broken"), calculator()]) as tools:
            assert await call(tools, "calculator.add", {"a": 1}) == Data(3)
            await tools.wait_settled()
            states = {status.name: status.state for status in tools.statuses()}
    assert states == {"broken": "failed", "calculator": "ready"}


async def test_a_call_made_at_once_waits_for_its_server_to_start(everyday: StdioServer) -> None:
    with anyio.fail_after(20):
        async with ToolsBridge([everyday]) as tools:
            assert tools.statuses()[0].state == "connecting"
            assert await call(tools, "everyday.add", {"a": 40}) == Data(42)


async def test_a_call_to_a_ready_server_does_not_wait_for_one_that_hangs(hostile: Hostile) -> None:
    hanging = hostile("--start", "hang", name="hanging", start_timeout_s=60)
    with anyio.fail_after(10):
        async with ToolsBridge([hanging, calculator()]) as tools:
            assert await call(tools, "calculator.add", {"a": 1}) == Data(3)
            with pytest.raises(UnknownTool):
                await call(tools, "calculator.subtract", {})


async def test_an_unknown_bare_name_says_which_servers_could_not_be_asked(hostile: Hostile) -> None:
    with anyio.fail_after(10):
        async with ToolsBridge([hostile("--start", "exit", name="broken"), calculator()]) as tools:
            with pytest.raises(UnknownTool, match=r"Not asked, because they failed: broken: .*exited with code 1"):
                await call(tools, "subtract", {})


async def test_the_list_of_a_server_that_failed_is_an_error_with_its_reason_and_no_empty_list(hostile: Hostile) -> None:
    with anyio.fail_after(10):
        async with ToolsBridge([hostile("--start", "exit", name="broken"), calculator()]) as tools:
            with pytest.raises(DownstreamFailed, match=r"^broken: the server is not available: .*exited with code 1"):
                await tools.list("broken")
            with pytest.raises(DownstreamFailed, match=r"^broken: the server is not available: .*exited with code 1"):
                await tools.search("anything", "broken")
            with pytest.raises(UnknownTool, match="no such server"):
                await tools.list("broken.tool")


async def test_the_list_of_a_server_without_tools_is_empty() -> None:
    with anyio.fail_after(10):
        async with ToolsBridge([MemoryServer(name="bare", server=MCPServer("bare"))]) as tools:
            assert await tools.list("bare") == []
            assert tools.failed == ()


async def test_the_list_of_a_server_that_is_still_starting_is_an_error(
    hostile: Hostile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codeact_bridges.tools.bridge.DISCOVERY_PATIENCE_S", 0.05)
    with anyio.fail_after(10):
        async with ToolsBridge([hostile("--start", "hang", name="slow", start_timeout_s=60)]) as tools:
            with pytest.raises(DownstreamFailed, match=r"^slow: the server is still starting$"):
                await tools.list("slow")
            assert await tools.list() == []


async def test_the_list_of_all_leaves_out_what_failed_and_subscribers_are_told_of_it(hostile: Hostile) -> None:
    with anyio.fail_after(10):
        async with ToolsBridge([hostile("--start", "exit", name="broken"), calculator()]) as tools:
            told = anyio.Event()
            tools.subscribe(lambda: told.set() if tools.failed else None)
            await told.wait()
            assert tools.failed == ("broken",)
            rows = cast("list[dict[str, JsonValue]]", await tools.list())
            assert [row["name"] for row in rows] == ["calculator.add"]


async def test_settings_that_fit_no_tool_are_one_warning_and_a_finding_of_their_server(
    caplog: pytest.LogCaptureFixture,
) -> None:
    spec = replace(calculator(), tools=ToolSelection(deny=("ad",)), fixed={"add": {"c": 1}}, policy_tools=("sub",))
    with anyio.fail_after(10):
        async with ToolsBridge([spec, calculator("other")]) as tools:
            await tools.wait_settled()
            first, second = tools.statuses()
    assert len(first.unmatched) == 3
    assert second.unmatched == ()
    (warning,) = (record.getMessage() for record in caplog.records if "without effect" in record.getMessage())
    assert warning.startswith(
        "server 'calculator': settings without effect: deny: \"ad\" matches no tool (did you mean"
    )
    assert all(setting in warning for setting in first.unmatched)


async def test_wrong_arguments_are_refused_before_anything_is_sent(hostile: Hostile) -> None:
    with anyio.fail_after(10):
        async with ToolsBridge([hostile()]) as tools:
            with pytest.raises(BadArguments, match=r"'text' is missing; there is no 'txt' \(did you mean 'text'\?\)"):
                await call(tools, "echo", {"txt": "hello"})


async def test_what_a_tool_returned_is_shown_when_it_is_described_again(everyday: StdioServer) -> None:
    with anyio.fail_after(20):
        async with ToolsBridge([everyday]) as tools:
            assert "not declared" in await tools.describe("json_text")
            await call(tools, "json_text", {})
            assert 'returns (seen so far): list[{"id": int}]' in await tools.describe("json_text")


async def test_search_and_list_speak_plain_json() -> None:
    port: ToolsPort = (tools := ToolsBridge([calculator()]))
    row: JsonValue = {
        "name": "calculator.add",
        "signature": "calculator.add(a: int, b: int = 2) -> int",
        "summary": "Add two numbers.",
    }
    with anyio.fail_after(5):
        async with tools:
            assert await port.list() == [row]
            assert await port.list("calculator") == [row]
            assert await port.search("ading numbers") == [row]
            with pytest.raises(UnknownTool, match="no such server; the servers are: calculator"):
                await port.list("calendar")


async def test_an_exception_in_the_block_comes_out_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError):
        async with ToolsBridge([calculator()]):
            _ = 1 // 0


async def test_cancelling_the_block_closes_the_servers(hostile: Hostile) -> None:
    tools = ToolsBridge([hostile()])
    with anyio.fail_after(10), anyio.CancelScope() as scope:
        async with tools:
            await tools.wait_settled()
            scope.cancel()
            await anyio.sleep_forever()
    assert scope.cancelled_caught
    assert tools.statuses()[0].state == "stopped"


async def expect_everyday_answers(tools: ToolsBridge) -> None:
    assert await call(tools, "everyday.add", {"a": 40}) == Data(42)
    assert await call(tools, "people", {}) == Data([{"name": "Ada", "age": 36}, {"name": "Alan", "age": 41}])
    assert await call(tools, "json_text", {}) == Data([{"id": 1}, {"id": 2}])
    picture = await call(tools, "picture", {})
    assert isinstance(picture, ToolParts)
    assert picture.parts[0] == Data("a title")
    assert cast(Media, picture.parts[1]).mime_type == "image/png"
    with pytest.raises(DownstreamFailed, match=r"everyday\.fail: the shop is closed"):
        await call(tools, "fail", {})


@pytest.mark.parametrize("act", ["resolve", "describe", "list", "search"])
async def test_without_servers_everything_says_why(act: str) -> None:
    why = "codeact.toml contains no servers"
    with anyio.fail_after(5):
        async with ToolsBridge([], no_servers=why) as tools:
            acts: dict[str, Callable[[], Awaitable[object]]] = {
                "resolve": lambda: tools.resolve("git.log", {}),
                "describe": lambda: tools.describe("git.log"),
                "list": tools.list,
                "search": lambda: tools.search("git"),
            }
            with pytest.raises(UnknownTool, match=why):
                await acts[act]()


async def test_with_servers_the_reason_for_none_is_not_used() -> None:
    with anyio.fail_after(5):
        async with ToolsBridge([calculator()], no_servers="there are none") as tools:
            assert len(await tools.list()) == 1
