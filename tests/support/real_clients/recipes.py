"""How each client is told of the model and of the server, how it is started without a person, and what it does itself.

A recipe writes the client's own configuration below the conversation's home. The environment switches off what would
use the network: telemetry, updates, lists of models.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from real_clients.installation import Installed

SDK = Path(__file__).with_name("sdk")
WAIT_S = 300
"""For limits of clients, where they have any: more than any call or start takes on a slow machine."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a client is given."""

    installed: Installed
    home: Path
    model_url: str
    server: Sequence[str]
    """The command that starts the MCP server."""

    def write(self, path: str, content: Mapping[str, Any] | str) -> Path:
        """Write a file of the client's configuration, and return where it is."""
        to = self.home / path
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_text(content if isinstance(content, str) else json.dumps(content, indent=2))
        return to

    def entry(self, **more: Any) -> dict[str, Any]:
        """The server, as most clients want it."""
        return {"command": self.server[0], "args": list(self.server[1:]), **more}


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start a client."""

    command: Sequence[str]
    environment: Mapping[str, str]


Recipe: TypeAlias = Callable[[Place], Launch]


def claude(place: Place) -> Launch:
    servers = place.write("mcp.json", {"mcpServers": {"codeact": place.entry(type="stdio")}})
    command = [place.installed.command("claude"), "-p", "go", "--strict-mcp-config", "--mcp-config", str(servers)]
    command += ["--allowedTools", "mcp__codeact__execute_code"]
    environment = {
        "ANTHROPIC_BASE_URL": place.model_url,
        "ANTHROPIC_API_KEY": "x",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
        "DISABLE_TELEMETRY": "1",
        "IS_SANDBOX": "1",
        "MCP_TIMEOUT": str(WAIT_S * 1_000),
    }
    return Launch(command, environment)


def codex(place: Place) -> Launch:
    def toml(value: Any) -> str:
        return json.dumps(value)  # strings and lists of strings are the same in TOML

    place.write(
        ".codex/config.toml",
        f"""\
model = "gpt-5"
model_provider = "scripted"
check_for_update_on_startup = false

[analytics]
enabled = false

[model_providers.scripted]
name = "scripted"
base_url = {toml(place.model_url + "/v1")}
wire_api = "responses"
env_key = "SCRIPTED_KEY"

[mcp_servers.codeact]
command = {toml(place.server[0])}
args = {toml(list(place.server[1:]))}
required = true
startup_timeout_sec = {WAIT_S}
tool_timeout_sec = {WAIT_S}
default_tools_approval_mode = "approve"
""",
    )
    command = [place.installed.command("codex"), "exec", "--skip-git-repo-check", "go"]
    return Launch(command, {"CODEX_HOME": str(place.home / ".codex"), "SCRIPTED_KEY": "x"})


def gemini(place: Place) -> Launch:
    settings = {
        "general": {"enableAutoUpdate": False, "enableAutoUpdateNotification": False},
        "security": {"auth": {"selectedType": "gemini-api-key"}, "folderTrust": {"enabled": False}},
        "mcpServers": {"codeact": place.entry()},
    }
    place.write(".gemini/settings.json", settings)
    command = [place.installed.command("gemini"), "-p", "go", "--approval-mode", "yolo", "--skip-trust"]
    command += ["-m", "gemini-2.5-pro"]
    environment = {
        "GEMINI_API_KEY": "x",
        "GEMINI_TELEMETRY_ENABLED": "false",
        "GOOGLE_GEMINI_BASE_URL": place.model_url,
    }
    return Launch(command, environment)


def qwen(place: Place) -> Launch:
    settings = {
        "general": {"enableAutoUpdate": False},
        "privacy": {"usageStatisticsEnabled": False},
        "mcpServers": {"codeact": place.entry()},
    }
    place.write(".qwen/settings.json", settings)
    command = [place.installed.command("qwen"), "--auth-type", "openai", "-p", "go", "--approval-mode", "yolo"]
    return Launch(command, {**_openai(place), "OPENAI_MODEL": "m"})


def opencode(place: Place) -> Launch:
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "name": "scripted",
        "options": {"baseURL": f"{place.model_url}/v1", "apiKey": "x"},
        "models": {"m": {"name": "m", "tool_call": True, "limit": {"context": 400_000, "output": 8_000}}},
    }
    config = {
        "model": "scripted/m",
        "small_model": "scripted/m",
        "autoupdate": False,
        "share": "disabled",
        "provider": {"scripted": provider},
        "mcp": {
            "codeact": {"type": "local", "command": list(place.server), "enabled": True, "timeout": WAIT_S * 1_000}
        },
    }
    place.write(".config/opencode/opencode.json", config)
    command = [place.installed.command("opencode"), "run", "--model", "scripted/m", "go"]
    return Launch(command, {"OPENCODE_DISABLE_AUTOUPDATE": "1", "OPENCODE_DISABLE_MODELS_FETCH": "1"})


def copilot(place: Place) -> Launch:
    place.write(".copilot/mcp-config.json", {"mcpServers": {"codeact": place.entry(type="local", tools=["*"])}})
    command = [place.installed.command("copilot"), "-p", "go", "--allow-all-tools"]
    environment = {
        "COPILOT_AUTO_UPDATE": "false",
        "COPILOT_MODEL": "gpt-4.1",
        "COPILOT_OFFLINE": "true",
        "COPILOT_PROVIDER_API_KEY": "x",
        "COPILOT_PROVIDER_BASE_URL": f"{place.model_url}/v1",
    }
    return Launch(command, environment)


def cline(place: Place) -> Launch:
    provider = {"provider": "openai-compatible", "apiKey": "x", "model": "m", "baseUrl": f"{place.model_url}/v1"}
    entry = {"settings": provider, "updatedAt": "2026-11-01T00:00:00.000Z", "tokenSource": "manual"}
    providers = {
        "version": 1,
        "lastUsedProvider": "openai-compatible",
        "modes": {},
        "providers": {"openai-compatible": entry},
    }
    place.write(".cline/data/settings/providers.json", providers)
    servers = {"codeact": place.entry(timeout=WAIT_S, autoApprove=["execute_code"])}
    place.write(".cline/data/settings/cline_mcp_settings.json", {"mcpServers": servers})
    command = [place.installed.command("cline"), "--json", "please go on"]  # one word alone would be a command
    environment = {
        "CLINE_NO_AUTO_UPDATE": "1",
        "CLINE_SESSION_BACKEND_MODE": "local",
        "DISABLE_TELEMETRY": "1",
        "DO_NOT_TRACK": "1",
    }
    return Launch(command, environment)


def sdk(script: str) -> Recipe:
    """A program of a few lines that uses an SDK, run by that SDK's own Python."""

    def recipe(place: Place) -> Launch:
        command = [place.installed.python, str(SDK / script), f"{place.model_url}/v1", *place.server]
        return Launch(command, {**_openai(place), "LANGSMITH_TRACING": "false"})

    return recipe


def _openai(place: Place) -> dict[str, str]:
    return {"OPENAI_API_KEY": "x", "OPENAI_BASE_URL": f"{place.model_url}/v1"}


@dataclass(frozen=True, slots=True)
class RealClient:
    """A client, and what it does itself with what the server sends."""

    name: str
    start: Recipe
    shows_images: bool = True
    """It passes images on to the model as such."""

    shows_instructions: bool = True
    """It puts the server's `instructions` into the prompt."""

    waits_for_handles: bool = False
    """The server does not know how long it waits, and answers after `answer_after_s` at the latest."""


def _sdk(name: str, script: str, *, shows_images: bool = True) -> RealClient:
    return RealClient(name, sdk(script), shows_images, shows_instructions=False, waits_for_handles=True)


CLIENTS = (
    RealClient("claude", claude),
    RealClient("codex", codex),
    RealClient("gemini", gemini),
    RealClient("qwen", qwen, shows_images=False),
    RealClient("opencode", opencode, shows_images=False),
    RealClient("copilot", copilot, shows_images=False, shows_instructions=False),
    RealClient("cline", cline, shows_images=False, shows_instructions=False, waits_for_handles=True),
    _sdk("openai-agents", "use_openai_agents.py", shows_images=False),
    _sdk("langchain", "use_langchain.py"),
    _sdk("agent-framework", "use_agent_framework.py", shows_images=False),
)
