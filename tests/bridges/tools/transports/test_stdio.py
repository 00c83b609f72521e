"""Bounds on the output of a stdio server: message size, parts, consecutive garbage lines. A violation affects only its
own callers."""

import json
import logging
from collections.abc import Callable
from typing import TypeAlias

import anyio
import pytest
from tool_calls import call

from codeact_bridges.errors import DownstreamFailed
from codeact_bridges.tools.bridge import ToolsBridge
from codeact_bridges.tools.spec import StdioServer
from codeact_bridges.tools.transports import json_limits, stdio
from codeact_bridges.tools.transports.json_limits import MAX_PARTS, has_too_many_parts
from codeact_bridges.values import Data

Hostile: TypeAlias = Callable[..., StdioServer]

EMPTY_LISTS = "[" + "[]," * 2_000 + "[]]"


@pytest.fixture
def few_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_limits, "MAX_PARTS", 1_000)
    monkeypatch.setattr(stdio, "MAX_PARTS", 1_000)


@pytest.mark.usefixtures("few_parts")
@pytest.mark.parametrize(
    "line",
    [
        '{"jsonrpc": "2.0", "id": ID, "result": {"content": [], "structuredContent": {"a": %s}}}',
        '{"id": ID, "jsonrpc": "2.0", "error": {"code": 1, "message": "no", "data": %s}}',
        '{"jsonrpc": "2.0", "result": {"content": [], "structuredContent": {"a": %s}}, "id": ID}',
    ],
)
async def test_a_response_with_too_many_parts_fails_its_call_unparsed_and_no_other(hostile: Hostile, line: str) -> None:
    with anyio.fail_after(10):
        async with ToolsBridge([hostile()]) as tools:
            first = await call(tools, "pid", {})
            with pytest.raises(DownstreamFailed, match="it sent a message with more than 1,000 values"):
                await call(tools, "answer_raw", {"line": line % EMPTY_LISTS})
            assert await call(tools, "pid", {}) == first


@pytest.mark.usefixtures("few_parts")
@pytest.mark.parametrize(
    "line",
    [
        '{"jsonrpc": "2.0", "method": "notifications/x", "params": {"a": %s}}',
        '{"jsonrpc": "2.0", "id": ID, "method": "ping", "params": {"a": %s}}',
        '{"jsonrpc": "2.0", "result": {"a": %s, "id": ID}}',
    ],
)
async def test_any_other_message_with_too_many_parts_ends_the_connection_with_that_reason(
    hostile: Hostile, line: str
) -> None:
    with anyio.fail_after(10):
        async with ToolsBridge([hostile()]) as tools:
            with pytest.raises(DownstreamFailed, match="it sent a message with more than 1,000 values"):
                await call(tools, "answer_raw", {"line": line % EMPTY_LISTS})
            assert await call(tools, "echo", {"text": "hello"}) == Data("hello")


@pytest.mark.usefixtures("few_parts")
async def test_a_text_full_of_commas_is_one_part(hostile: Hostile) -> None:
    table = 'a, "b", [c]\n' * 2_000
    with anyio.fail_after(10):
        async with ToolsBridge([hostile()]) as tools:
            assert await call(tools, "echo", {"text": table}) == Data(table)


def test_parts_inside_strings_are_not_counted() -> None:
    many = MAX_PARTS + 1
    assert has_too_many_parts("[" + "1," * many + "1]")
    assert has_too_many_parts(b'["' + b",[{" * 10 + b'",' + b"{}," * many)
    assert has_too_many_parts(b'"",' * many)
    assert has_too_many_parts(b'","' * 3 * many)
    assert not has_too_many_parts(b'{"a": "' + b'\\",' * many + b'"}')
    assert not has_too_many_parts(b'{"a": "' + b'\\",' * many)
    assert not has_too_many_parts('{"\ud800": "' + "," * many + '"}')


async def test_a_response_with_too_many_entries_fails_its_call(hostile: Hostile) -> None:
    content = json.dumps([{"type": "text", "text": ""}] * 10_001)
    line = f'{{"jsonrpc": "2.0", "id": ID, "result": {{"content": {content}}}}}'
    with anyio.fail_after(10):
        async with ToolsBridge([hostile()]) as tools:
            with pytest.raises(DownstreamFailed, match="more than 10,000 entries in 'content'"):
                await call(tools, "answer_raw", {"line": line})
            assert await call(tools, "echo", {"text": "hello"}) == Data("hello")


async def test_a_message_with_too_many_bytes_ends_the_connection_with_that_reason(
    hostile: Hostile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stdio, "MAX_MESSAGE_BYTES", 4_000_000)
    with anyio.fail_after(10):
        async with ToolsBridge([hostile()]) as tools:
            with pytest.raises(DownstreamFailed, match="it sent a message of more than 4,000,000 bytes"):
                await call(tools, "endless_line", {})


@pytest.mark.parametrize("garbage", ["x\n", "\n", '["not", "an", "object"]\n', '{"not": "MCP"}\n'])
async def test_a_server_that_prints_only_garbage_is_disconnected_and_its_callers_get_the_reason(
    hostile: Hostile, garbage: str
) -> None:
    with anyio.fail_after(10):
        async with ToolsBridge([hostile()]) as tools:
            with pytest.raises(DownstreamFailed, match="it printed more than 1,000 consecutive lines that are not MCP"):
                await call(tools, "answer_raw", {"line": garbage * 1_001})
            assert await call(tools, "echo", {"text": "hello"}) == Data("hello")


async def test_a_server_that_prints_some_garbage_with_every_response_stays_connected(
    hostile: Hostile, caplog: pytest.LogCaptureFixture
) -> None:
    line = "debug\n" * 600 + '{"jsonrpc": "2.0", "id": ID, "result": {"content": []}}'
    with anyio.fail_after(10), caplog.at_level(logging.WARNING):
        async with ToolsBridge([hostile()]) as tools:
            first = await call(tools, "pid", {})
            for _ in range(3):
                assert await call(tools, "answer_raw", {"line": line}) == Data(None)
            assert await call(tools, "pid", {}) == first
    assert caplog.text.count("prints lines that are not MCP messages: 'debug'") == 1
