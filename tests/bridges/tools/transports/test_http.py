"""Remote servers that hang, lose their sessions, or send too much."""

import gzip
from collections.abc import AsyncGenerator
from typing import Any

import anyio
import pytest
from raw_http import HANG, Reply, answer, error, raw_server
from tool_calls import call

from codeact_bridges.errors import DownstreamFailed
from codeact_bridges.tools.bridge import ToolsBridge
from codeact_bridges.tools.spec import HttpServer
from codeact_bridges.values import Data, JsonValue

NOTHING: dict[str, JsonValue] = {}


def remote(url: str, call_timeout_s: float = 30) -> HttpServer:
    return HttpServer(name="raw", url=url, call_timeout_s=call_timeout_s)


def calls_tool(message: dict[str, Any], name: str) -> bool:
    return bool(message.get("method") == "tools/call" and message["params"]["name"] == name)


async def test_a_server_that_hangs_blocks_neither_a_cancelled_call_nor_the_calls_after_it() -> None:
    hung = anyio.Event()

    def hang(message: dict[str, Any]) -> Reply | None:
        if calls_tool(message, "hang"):
            hung.set()
            return HANG
        return HANG if message.get("method") == "notifications/cancelled" else None

    async with raw_server(hang) as server, ToolsBridge([remote(server.url)]) as tools:
        await tools.wait_settled()
        with anyio.fail_after(3):  # with the SDK alone the first takes 5 s and the second never ends
            for _ in range(3):
                async with anyio.create_task_group() as calls:
                    calls.start_soon(call, tools, "hang", NOTHING)
                    await hung.wait()
                    calls.cancel_scope.cancel()
            assert await call(tools, "echo", {}) == Data("echo")
            while sum(message.get("method") == "notifications/cancelled" for message in server.heard) < 3:
                await anyio.lowlevel.checkpoint()


@pytest.mark.parametrize("refusal", ["404", "Session not found"])
async def test_a_call_in_a_lost_session_is_repeated_in_a_new_one(refusal: str) -> None:
    forgotten: list[int] = []

    def forget(message: dict[str, Any]) -> Reply | None:
        if not calls_tool(message, "echo") or forgotten:
            return None
        forgotten.append(message["id"])
        return Reply("404 Not Found") if refusal == "404" else error(message, -32600, refusal)

    with anyio.fail_after(10):
        async with raw_server(forget) as server, ToolsBridge([remote(server.url)]) as tools:
            assert await call(tools, "echo", {}) == Data("echo")
            assert server.sessions == 2


@pytest.mark.parametrize(
    ("piece", "reason"),
    [(b" " * 1_000_000, "more than 40,000,000 bytes"), (b"[]," * 300_000, "more than 3,000,000 values")],
)
async def test_an_endless_response_fails_its_call_and_nothing_else(piece: bytes, reason: str) -> None:
    async def endless() -> AsyncGenerator[bytes]:
        while True:
            yield piece

    def flood(message: dict[str, Any]) -> Reply | None:
        return Reply(body=endless()) if calls_tool(message, "flood") else None

    with anyio.fail_after(30):
        async with raw_server(flood) as server, ToolsBridge([remote(server.url)]) as tools:
            with pytest.raises(DownstreamFailed, match=reason):
                await call(tools, "flood", {})
            assert await call(tools, "echo", {}) == Data("echo")
            assert server.sessions == 1


async def test_an_unsolicited_compressed_response_is_not_decompressed() -> None:
    def bomb(message: dict[str, Any]) -> Reply | None:
        packed = gzip.compress(answer(message, {"content": [{"type": "text", "text": " " * 10_000_000}]}))
        return Reply(headers={"Content-Encoding": "gzip"}, body=packed) if calls_tool(message, "flood") else None

    with anyio.fail_after(10):
        async with raw_server(bomb) as server, ToolsBridge([remote(server.url)]) as tools:
            with pytest.raises(DownstreamFailed, match="compressed"):
                await call(tools, "flood", {})
            assert await call(tools, "echo", {}) == Data("echo")


async def test_a_server_that_refuses_everything_is_reported_with_its_status() -> None:
    with anyio.fail_after(10):
        async with raw_server(lambda _: Reply("403 Forbidden")) as server, ToolsBridge([remote(server.url)]) as tools:
            with pytest.raises(DownstreamFailed, match="HTTP 403 Forbidden"):
                await call(tools, "raw.echo", {})
