"""What is known of servers before they list their tools: from the process before, for descriptions, never for calls."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from served import SERVERS
from tool_calls import call

from codeact_bridges.errors import DownstreamFailed, UnknownTool
from codeact_bridges.tools.bridge import ToolsBridge
from codeact_bridges.tools.spec import StdioServer
from codeact_bridges.values import Data

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the servers wait for a named pipe")
GUARD_S = 20
NO_TIME = 0.0


class Listing:
    """A server whose tools are written to a file. It responds once its gate is opened."""

    def __init__(self, folder: Path) -> None:
        self.tools, self.gate, self.state = folder / "tools", folder / "gate", folder / "state"
        os.mkfifo(self.gate)
        self.spec = StdioServer(
            name="list",
            command=sys.executable,
            args=(str(SERVERS / "listing.py"), str(self.tools), "--gate", str(self.gate)),
        )

    def lists(self, *tools: str) -> None:
        self.tools.write_text("\n".join(tools))

    async def respond(self) -> None:
        await anyio.to_thread.run_sync(self.gate.write_bytes, b"")

    def bridge(self, **settings: object) -> ToolsBridge:
        return ToolsBridge([replace(self.spec, **settings)], state_dir=self.state)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    async def seen(self, *tools: str) -> None:
        """A process that has come and gone, and in which the server listed these tools."""
        self.lists(*tools)
        async with self.bridge() as bridge:
            await self.respond()
            await bridge.wait_settled()


@pytest.fixture
def listing(tmp_path: Path) -> Listing:
    return Listing(tmp_path)


def names(bridge: ToolsBridge) -> list[str]:
    return [tool.name for tool in bridge.known_catalog.tools]


async def test_a_new_server_is_not_known_until_it_lists_its_tools(listing: Listing) -> None:
    listing.lists("one")
    with anyio.fail_after(GUARD_S):
        async with listing.bridge() as bridge:
            assert not await bridge.wait_known(NO_TIME)
            assert (bridge.all_known, names(bridge)) == (False, [])
            await listing.respond()
            assert await bridge.wait_known(GUARD_S)
            assert (bridge.all_known, names(bridge)) == (True, ["one"])


async def test_a_server_that_was_seen_before_is_known_at_once_and_not_callable(listing: Listing) -> None:
    with anyio.fail_after(GUARD_S):
        await listing.seen("one", "two!")
        async with listing.bridge() as bridge:
            assert await bridge.wait_known(NO_TIME)
            assert (bridge.all_known, names(bridge)) == (True, ["one", "two"])
            assert [tool.destructive for tool in bridge.known_catalog.tools] == [False, True]
            assert bridge.catalog.tools == ()
            await listing.respond()
            assert await call(bridge, "list.one", {}) == Data("one")


async def test_a_call_is_judged_by_the_list_of_now(listing: Listing) -> None:
    with anyio.fail_after(GUARD_S):
        await listing.seen("one")
        listing.lists("one!")
        async with listing.bridge() as bridge, anyio.create_task_group() as tasks:
            tasks.start_soon(listing.respond)
            assert (await bridge.resolve("list.one", {})).destructive


async def test_a_tool_that_has_gone_is_unknown_with_that_reason(listing: Listing) -> None:
    with anyio.fail_after(GUARD_S):
        await listing.seen("one", "two-b")
        listing.lists("one")
        async with listing.bridge() as bridge, anyio.create_task_group() as tasks:
            tasks.start_soon(listing.respond)
            for name in ("list.two-b", "list.two_b", "list_two_b"):
                with pytest.raises(UnknownTool, match="the server listed it earlier and no longer does"):
                    await bridge.resolve(name, {})
            with pytest.raises(UnknownTool) as unknown:
                await bridge.resolve("list.three", {})
            assert "earlier" not in str(unknown.value)
            assert names(bridge) == ["one"]


async def test_subscribers_are_called_when_the_list_differs_and_not_when_it_is_the_same(listing: Listing) -> None:
    with anyio.fail_after(GUARD_S):
        await listing.seen("one")
        for tools, described_again in ((("one",), False), (("one", "two"), True)):
            listing.lists(*tools)
            async with listing.bridge() as bridge:
                before = bridge.known_catalog.tools
                await listing.respond()
                await bridge.wait_settled()
                assert (bridge.known_catalog.tools != before) == described_again


async def test_a_server_that_fails_is_no_longer_known_by_its_old_list(listing: Listing) -> None:
    with anyio.fail_after(GUARD_S):
        await listing.seen("one")
        listing.tools.unlink()  # it ends when it is asked for its tools
        async with listing.bridge(era="handshake") as bridge:
            assert names(bridge) == ["one"]
            await listing.respond()
            with pytest.raises(DownstreamFailed):
                await bridge.resolve("list.one", {})
            assert (bridge.all_known, names(bridge), bridge.failed) == (False, [], ("list",))


async def test_a_server_that_starts_on_first_use_is_known_and_stays_stopped(listing: Listing) -> None:
    with anyio.fail_after(GUARD_S):
        await listing.seen("one")
        async with listing.bridge(start="lazy") as bridge:
            assert await bridge.wait_known(NO_TIME)
            assert (bridge.all_known, names(bridge)) == (True, ["one"])
            assert bridge.statuses()[0].state == "idle"


async def test_the_operators_filter_of_now_applies_to_the_old_list(listing: Listing) -> None:
    with anyio.fail_after(GUARD_S):
        await listing.seen("one", "two")
        async with listing.bridge(rename={"one": "first"}) as bridge:
            assert names(bridge) == ["first", "two"]
