"""Claude Code's tool search, which names tools and loads them on demand: it finds `execute_code` by what its servers
do, and by default does not have to."""

import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest
from real_clients import deferred, tee
from real_clients.dialects import Call, View
from real_clients.installation import Installed
from real_clients.model import MAX_DETOURS, Model
from real_clients.model import serving as serving_model
from real_clients.processes import client_process, new_mark
from real_clients.recipes import Place, claude
from served import COMMAND, server, serving, until

pytestmark = [pytest.mark.clients, pytest.mark.slow]

GUARD_S = 300
NAME = "mcp__codeact__execute_code"
SEARCH = "ToolSearch"
TIME = {"command": sys.executable, "args": ["-m", "mcp_server_time", "--local-timezone", "UTC"]}


@dataclass
class Searching(Model):
    """A model that searches for tools until it is shown ours, and calls nothing else.

    Once is not enough: the client may not have read yet what the server has listed.
    """

    query: str = ""

    async def call_for(self, view: View) -> Call | None:
        searches = [result for result in view.results if result.tool == SEARCH]
        shown = NAME in {tool.name for tool in view.tools} or any(NAME in result.text for result in searches)
        if searches and (shown or len(searches) == MAX_DETOURS):
            self.finished.set()
            return None
        await self.listed()
        return Call(SEARCH, {"query": self.query, "max_results": 5}, f"search_{len(searches)}")


@pytest.fixture
async def command(environment: Mapping[str, str], tmp_path: Path) -> list[str]:
    """A server that knows the tools of a git server and of the orders."""
    repository = tmp_path / "repository"
    await anyio.run_process(["git", "init", "--quiet", str(repository)])
    git = {"command": sys.executable, "args": ["-m", "mcp_server_git", "--repository", str(repository)]}
    config = {"mcpServers": {"time": TIME, "git": git, "orders": server("orders.py", str(tmp_path / "called.log"))}}
    (tmp_path / "servers.json").write_text(json.dumps(config))
    arguments = ["--config", str(tmp_path / "servers.json")]
    home = {**environment, "HOME": str(tmp_path)}
    async with serving("stdio", arguments, environment=home, log=tmp_path / "first.log"):
        await until(lambda: any(tmp_path.glob(".local/state/codeact-mcp/openings/*.json")), GUARD_S)
    return [COMMAND, "serve", "--transport", "stdio", *arguments]


async def searched(
    installed: Installed, folder: Path, command: list[str], environment: Mapping[str, str], query: str
) -> list[dict[str, Any]]:
    """The bodies of the requests of a conversation in which the model makes this search."""
    home, wire, mark = folder / "home", folder / "wire.jsonl", new_mark()
    home.mkdir()
    given = {**environment, "HOME": str(folder), **mark}
    (folder / "server.json").write_text(json.dumps({"command": command, "environment": given}))
    model = Searching([], listed_on(wire), query=query)
    with anyio.fail_after(GUARD_S):
        async with serving_model(model):
            launch = claude(Place(installed, home, model.url, [sys.executable, str(tee.__file__), str(folder)]))
            more = {"ENABLE_TOOL_SEARCH": "true", **mark}
            async with client_process(launch.command, home, {**launch.environment, **more}) as client:
                await model.finished.wait()
                await client.process.wait()
    return [dict(body) for body in model.bodies]


def listed_on(wire: Path) -> Callable[[], Awaitable[None]]:
    async def listed() -> None:
        await until(
            lambda: wire.exists() and '"tools":[' in wire.read_text().replace('"tools": [', '"tools":['), GUARD_S
        )

    return listed


def found_by_last_search(body: Mapping[str, Any]) -> list[str]:
    """The tools that the last search of the conversation found."""
    results = [
        [part["tool_name"] for part in block["content"] if part["type"] == "tool_reference"]
        for message in body["messages"]
        if isinstance(message["content"], list)
        for block in message["content"]
        if block["type"] == "tool_result" and isinstance(block["content"], list)
    ]
    return results[-1] if results else []


@pytest.mark.parametrize("query", ["git commit history", "list orders of a user"])
async def test_a_search_for_what_a_server_does_finds_the_tool(
    install: Callable[[str], Installed],
    command: list[str],
    environment: Mapping[str, str],
    tmp_path: Path,
    query: str,
) -> None:
    command = [sys.executable, str(deferred.__file__), *command]
    first, *_, last = await searched(install("claude"), tmp_path, command, environment, query)

    assert NAME not in [tool["name"] for tool in first["tools"]]
    assert NAME in found_by_last_search(last)


async def test_the_tool_is_loaded_without_a_search(
    install: Callable[[str], Installed], command: list[str], environment: Mapping[str, str], tmp_path: Path
) -> None:
    *_, last = await searched(install("claude"), tmp_path, command, environment, "select:Nothing")

    (tool,) = [tool for tool in last["tools"] if tool["name"] == NAME]
    assert not tool.get("defer_loading")
    assert "orders.list_orders(" in tool["description"]
