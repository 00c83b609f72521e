"""The MCP Inspector's command line, which has no model: what it prints of a tool list and of calls."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest
from real_clients.conversation import Setting
from real_clients.installation import Installed
from real_clients.processes import client_process, new_mark

pytestmark = pytest.mark.clients

GUARD_S = 300


async def inspect(installed: Installed, setting: Setting, folder: Path, *arguments: str) -> dict[str, Any]:
    """What the Inspector prints of one request to the server."""
    home = folder / "home"
    home.mkdir()
    entry = {"command": setting.server[0], "args": setting.server[1:], "env": dict(setting.environment)}
    (folder / "servers.json").write_text(json.dumps({"mcpServers": {"codeact": entry}}))
    command = [installed.command("mcp-inspector"), "--cli", "--config", str(folder / "servers.json")]
    command += ["--server", "codeact", *arguments]
    with anyio.fail_after(GUARD_S):
        async with client_process(command, home, {"MCP_INSPECTOR_SECRET_STORE": "memory", **new_mark()}) as client:
            await client.process.wait()
    assert client.left == []
    printed: dict[str, Any] = json.JSONDecoder().raw_decode(client.output)[0]
    return printed


async def test_the_inspector_lists_the_tool(
    install: Callable[[str], Installed], setting: Setting, tmp_path: Path
) -> None:
    listed = await inspect(install("inspector"), setting, tmp_path, "--method", "tools/list")

    (tool,) = listed["tools"]
    assert tool["name"] == "execute_code"
    assert "orders.list_orders(" in tool["description"]
    assert tool["annotations"]["readOnlyHint"] is True


async def test_the_inspector_shows_the_value(
    install: Callable[[str], Installed], setting: Setting, tmp_path: Path
) -> None:
    # The Inspector makes one call, so a handle would be of no use to it.
    config = json.loads(await anyio.Path(setting.server[-1]).read_text())
    config["codeact"]["answer_after_s"] = GUARD_S
    (tmp_path / "patient.json").write_text(json.dumps(config))
    patient = replace(setting, server=[*setting.server[:-1], str(tmp_path / "patient.json")])
    code = "code=[order['city'] for order in call_tool('orders.list_orders')]"
    call = ["--method", "tools/call", "--tool-name", "execute_code", "--tool-arg", code]
    called = await inspect(install("inspector"), patient, tmp_path, *call)

    assert called["isError"] is False
    assert "Lisbon" in called["content"][0]["text"]
