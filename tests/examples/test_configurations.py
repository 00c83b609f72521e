"""The example configurations are what they say they are, and their servers start."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from clients_files import PARSERS
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
    "qwen_code.settings.json": "mcpServers",
    "opencode.json": "mcp",
    "copilot_cli.mcp-config.json": "mcpServers",
    "cline_mcp_settings.json": "mcpServers",
    "windsurf.mcp_config.json": "mcpServers",
    "lm_studio.mcp.json": "mcpServers",
    "zed.settings.json": "context_servers",
    "goose.config.yaml": "extensions",
}
UNREADABLE = {"opencode.json", "goose.config.yaml"}
"""Files whose servers `--config` does not read."""

SETTINGS: dict[str, dict[str, Any]] = {
    "claude_code.mcp.json": {"alwaysLoad": True},
    "codex.config.toml": {"required": True, "startup_timeout_sec": 60, "tool_timeout_sec": 300},
    "gemini_cli.settings.json": {"timeout": 600_000},
    "qwen_code.settings.json": {"alwaysLoadTools": True, "timeout": 600_000},
    "opencode.json": {"type": "local"},
    "copilot_cli.mcp-config.json": {"type": "local", "tools": ["*"]},
    "cline_mcp_settings.json": {"timeout": 600},
    "goose.config.yaml": {"enabled": True, "type": "stdio", "timeout": 600},
}
"""What a client needs besides the command: the tool in its first request, and enough time."""


def parsed(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = PARSERS[file.suffix[1:]](file.read_text(encoding="utf-8"))
    return found


def command_of(entry: dict[str, Any]) -> list[str]:
    """The command line, in each client's spelling."""
    command = entry["cmd"] if "cmd" in entry else entry["command"]
    return [command, *entry["args"]] if isinstance(command, str) else command


def test_every_client_has_its_entry() -> None:
    assert {file.name for file in (EXAMPLES / "clients").iterdir()} == set(CLIENTS)


@pytest.mark.parametrize(("name", "section"), CLIENTS.items())
def test_a_clients_entry_starts_us_with_a_configuration_in_the_clients_own_dialect(name: str, section: str) -> None:
    file = parsed(EXAMPLES / "clients" / name)

    assert list(file) == [section]
    assert list(file[section]) == ["codeact"]
    entry = file[section]["codeact"]
    command, serve, option, config = command_of(entry)
    assert [command, serve, option] == ["codeact-mcp", "serve", "--config"]
    assert "~/.config/codeact-mcp/codeact.toml" in config.replace("${userHome}", "~")


@pytest.mark.parametrize(("name", "settings"), SETTINGS.items())
def test_a_clients_entry_has_what_the_client_needs(name: str, settings: dict[str, Any]) -> None:
    entry = parsed(EXAMPLES / "clients" / name)[CLIENTS[name]]["codeact"]

    assert {key: entry.get(key) for key in settings} == settings


@pytest.mark.parametrize("name", sorted(CLIENTS.keys() - UNREADABLE))
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
