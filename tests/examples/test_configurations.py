"""The example configurations are what they say they are, and their servers start."""

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, StdioServerParameters

from codeact_bridges.tools.spec import StdioServer
from codeact_server.config.load import load

EXAMPLES = Path(__file__).parents[2] / "examples"
CLIENTS = {
    "claude_desktop_config.json": "mcpServers",
    "claude_code.mcp.json": "mcpServers",
    "cursor.mcp.json": "mcpServers",
    "vscode.mcp.json": "servers",
    "codex.config.toml": "mcp_servers",
    "gemini_cli.settings.json": "mcpServers",
}


def parsed(file: Path) -> dict[str, Any]:
    text = file.read_text(encoding="utf-8")
    return tomllib.loads(text) if file.suffix == ".toml" else json.loads(text)


def test_every_client_has_its_entry() -> None:
    assert {file.name for file in (EXAMPLES / "clients").iterdir()} == set(CLIENTS)


@pytest.mark.parametrize(("name", "section"), CLIENTS.items())
def test_a_clients_entry_starts_us_with_a_configuration_in_the_clients_own_dialect(name: str, section: str) -> None:
    file = parsed(EXAMPLES / "clients" / name)

    assert list(file) == [section]
    assert list(file[section]) == ["codeact"]
    entry = file[section]["codeact"]
    assert entry["command"] == "codeact-mcp"
    assert entry["args"][:2] == ["serve", "--config"]
    assert "~/.config/codeact-mcp/codeact.toml" in entry["args"][2].replace("${userHome}", "~")


@pytest.mark.parametrize("name", CLIENTS)
def test_given_a_clients_file_itself_we_leave_ourselves_out(name: str) -> None:
    config = load(EXAMPLES / "clients" / name, {})

    assert config.servers == ()
    assert "codeact: skipped: it is codeact-mcp itself" in config.notes[0]


def test_the_example_configuration_is_read_with_three_servers_and_no_notes() -> None:
    config = load(EXAMPLES / "codeact.toml", {})

    assert [server.name for server in config.servers] == ["orders", "git", "time"]
    assert config.servers[1].call_timeout_s == 10
    assert config.notes == ()


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The examples in a repository of their own: what the tests run from need not be one."""
    shutil.copytree(EXAMPLES, tmp_path / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "tool"), [("orders", "list_users"), ("git", "git_status"), ("time", "get_current_time")]
)
async def test_each_server_of_the_example_configuration_starts_and_lists_its_tools(
    name: str, tool: str, clone: Path
) -> None:
    config = load(clone / "examples" / "codeact.toml", {"PYTHON": sys.executable})
    (server,) = (server for server in config.servers if server.name == name)
    assert isinstance(server, StdioServer)

    with anyio.fail_after(60):
        async with Client(StdioServerParameters(command=server.command, args=list(server.args))) as client:
            tools = (await client.list_tools()).tools

    assert tool in [tool.name for tool in tools]
