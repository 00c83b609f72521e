"""`codeact.servers.NAME`: the settings of one server."""

import json
import sys
from pathlib import Path

import pytest

from codeact_bridges.tools.spec import HttpServer, OAuth, ServerSpec, ToolSelection
from codeact_server.config.load import ConfigError, load

PRINT = f"{sys.executable} -c 'print(40 + 2)'"


def server(settings: dict[str, object], tmp_path: Path, entry: dict[str, object] | None = None) -> ServerSpec:
    return servers({"servers": {"it": settings}}, tmp_path, entry)[0]


def servers(
    codeact: dict[str, object], tmp_path: Path, entry: dict[str, object] | None = None
) -> tuple[ServerSpec, ...]:
    path = tmp_path / "c.json"
    path.write_text(json.dumps({"mcpServers": {"it": entry or {"command": "x"}}, "codeact": codeact}))
    return load(path, {"TOKEN": "hush", "PATH": "/usr/bin:/bin"}).servers


def error(settings: dict[str, object], tmp_path: Path, entry: dict[str, object] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        server(settings, tmp_path, entry)
    return str(caught.value).removeprefix(f"{tmp_path}/c.json: ")


def test_every_setting_of_a_server_reaches_its_spec(tmp_path: Path) -> None:
    found = server(
        {
            "start": "lazy",
            "era": "handshake",
            "concurrent_calls": 4,
            "tool_timeouts_s": {"search*": 120},
            "tools": {"allow": ["get_*"], "deny": ["get_secret"], "read_only": True},
            "rename": {"get_v2": "get"},
            "fixed": {"*": {"repo": "me/${TOKEN}", "deep": {"list": ["${TOKEN}", 1]}}},
            "literal": True,
        },
        tmp_path,
    )
    assert (found.start, found.era, found.concurrent_calls) == ("lazy", "handshake", 4)
    assert found.tools == ToolSelection(allow=("get_*",), deny=("get_secret",), read_only=True)
    assert found.rename == {"get_v2": "get"}
    assert found.fixed == {"*": {"repo": "me/hush", "deep": {"list": ["hush", 1]}}}
    assert found.tool_timeouts_s == {"search*": 120.0}
    assert found.literal
    assert "hush" not in repr(found)


def test_oauth_with_its_secret_from_the_environment(tmp_path: Path) -> None:
    oauth = {
        "grant": "client_credentials",
        "client_id": "me",
        "client_secret": "${TOKEN}",
        "issuer": "https://auth.example.com",
    }
    found = server({"oauth": oauth}, tmp_path, {"url": "https://example.com/mcp"})
    assert isinstance(found, HttpServer)
    assert found.oauth == OAuth(
        grant="client_credentials", client_id="me", client_secret="hush", issuer="https://auth.example.com"
    )
    assert "hush" not in repr(found)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"start": "later"}, "codeact.servers.it.start: must be 'eager' or 'lazy'"),
        ({"concurrent_calls": 0}, "codeact.servers.it.concurrent_calls: must be greater than or equal to 1"),
        ({"tools": {"alow": []}}, "codeact.servers.it.tools.alow: unknown key; did you mean allow?"),
        ({"rename": {"a": "b", "c": "b"}}, "codeact.servers.it.rename: gives two tools the same name"),
        (
            {"rename": {"a": "two words"}},
            "codeact.servers.it.rename.a: must be 1 to 128 letters, digits, '_', '.' or '-'",
        ),
        (
            {"oauth": {"issuer": "ftp://a"}},
            "codeact.servers.it.oauth.issuer: must be an http:// or https:// address",
        ),
        ({"fixed": {"*": {"key": "${NOPE}"}}}, "codeact.servers.it.fixed: the environment variable NOPE is not set"),
        ({"oauth": {"grant": "client_credentials"}}, "needs a client_id, a client_secret and an issuer"),
        ({"oauth": {"client_secret": "x"}}, "needs the client_id that it belongs to"),
        (
            {"oauth": {}},
            "mcpServers.it.command: a server that is started by a command cannot have codeact.servers.it.oauth",
        ),
    ],
)
def test_an_invalid_setting_of_a_server_is_an_error_with_its_key(
    settings: dict[str, object], message: str, tmp_path: Path
) -> None:
    assert message in error(settings, tmp_path)


def test_a_header_may_come_from_a_command_where_commands_are_allowed(tmp_path: Path) -> None:
    entry: dict[str, object] = {
        "url": "https://example.com/mcp",
        "headers": {"Authorization": f"Bearer ${{cmd:{PRINT}}}", "X-Other": f"${{cmd:{PRINT}}}"},
    }
    (found,) = servers({"allow_commands": True}, tmp_path, entry)
    assert isinstance(found, HttpServer)
    assert dict(found.headers) == {"Authorization": "Bearer 42", "X-Other": "42"}


def test_a_command_is_not_run_unless_the_operator_allows_it(tmp_path: Path) -> None:
    witness = tmp_path / "ran"
    entry: dict[str, object] = {"command": "x", "args": [f"${{cmd:touch {witness}}}"]}
    assert "needs codeact.allow_commands = true" in error({}, tmp_path, entry)
    assert not witness.exists()
