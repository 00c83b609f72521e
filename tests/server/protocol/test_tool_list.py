"""The answer to `tools/list` while servers start, and the notification that it has changed."""

import os
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from apps import Opened, opened
from mcp import Client
from mcp.types import Tool, ToolListChangedNotification
from served import SERVERS

from codeact_bridges.tools.spec import StdioServer
from codeact_server.protocol import server as protocol_server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the server waits for a named pipe"),
]
GUARD_S = 60


class Gated:
    """The app in front of a server that responds once its gate is opened, and one client."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.tools, self.gate = folder / "tools", folder / "gate"
        self._environment = {**environment, "HOME": str(folder)}
        os.mkfifo(self.gate)
        self.notified = anyio.Event()
        self.notifications = 0

    @asynccontextmanager
    async def serving(self, *tools: str) -> AsyncGenerator[Client]:
        self.tools.write_text(" ".join(tools))
        command = (str(SERVERS / "listing.py"), str(self.tools), "--gate", str(self.gate))
        spec = StdioServer(name="list", command=sys.executable, args=command)
        async with opened(self._environment, servers=(spec,)) as app, self._client(app) as client:
            yield client

    async def seen(self, *tools: str) -> None:
        """An app that has come and gone, and in which the server listed these tools."""
        async with self.serving(*tools) as client, anyio.create_task_group() as tasks:
            tasks.start_soon(self.respond)
            await listed(client)

    def _client(self, app: Opened) -> Client:
        return Client(app.server, mode="legacy", message_handler=self._heard)

    async def _heard(self, message: Any) -> None:
        if isinstance(message, ToolListChangedNotification):
            self.notifications += 1
            self.notified.set()

    async def respond(self) -> None:
        await anyio.to_thread.run_sync(self.gate.write_bytes, b"")


@pytest.fixture
def gated(tmp_path: Path, environment: Mapping[str, str]) -> Gated:
    return Gated(tmp_path, environment)


async def listed(client: Client) -> Tool:
    return (await client.list_tools()).tools[0]


async def test_it_waits_for_servers_that_were_never_seen(gated: Gated) -> None:
    found: list[Tool] = []
    with anyio.fail_after(GUARD_S):
        async with gated.serving("one") as client:

            async def ask() -> None:
                found.append(await listed(client))

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ask)
                await anyio.wait_all_tasks_blocked()
                assert found == []
                await gated.respond()

    assert "list.one(" in (found[0].description or "")
    assert found[0].annotations is not None
    assert found[0].annotations.read_only_hint
    assert gated.notifications == 0


async def test_its_patience_ends_and_the_rest_is_notified(gated: Gated, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol_server, "FIRST_LIST_PATIENCE_S", 0.0)
    with anyio.fail_after(GUARD_S):
        async with gated.serving("one") as client:
            early = await listed(client)
            await gated.respond()
            await gated.notified.wait()
            late = await listed(client)

    assert "not known yet" in (early.description or "")
    assert "list.one(" not in (early.description or "")
    assert early.annotations is not None
    assert not early.annotations.read_only_hint
    assert "list.one(" in (late.description or "")
    assert late.annotations is not None
    assert late.annotations.read_only_hint
    assert gated.notifications == 1


async def test_servers_that_were_seen_before_are_described_at_once(gated: Gated) -> None:
    with anyio.fail_after(GUARD_S):
        await gated.seen("one")
        async with gated.serving("one", "two!") as client:
            before = await listed(client)
            await gated.respond()
            await gated.notified.wait()
            after = await listed(client)

    assert "list.one(" in (before.description or "")
    assert before.annotations is not None
    assert before.annotations.read_only_hint
    assert "list.two(" in (after.description or "")
    assert after.annotations is not None
    assert not after.annotations.read_only_hint


async def test_an_equal_list_is_not_notified(gated: Gated) -> None:
    with anyio.fail_after(GUARD_S):
        for _ in range(2):
            async with gated.serving("one") as client, anyio.create_task_group() as tasks:
                tasks.start_soon(gated.respond)
                await listed(client)
                result = await client.call_tool("execute_code", {"code": "call_tool('list.one')"})
                assert not result.is_error, result

    assert gated.notifications == 0
