"""Servers in the dialects of MCP clients."""

import json
from pathlib import Path
from typing import Any

import pytest

from codeact_bridges.tools.spec import HttpServer, ServerSpec, StdioServer, ToolSelection
from codeact_server.config.load import ConfigError, load
from codeact_server.config.model import Config

Json = dict[str, Any]


def loaded(data: Json, tmp_path: Path, name: str = "c.json", **environ: str) -> Config:
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(data))
    return load(file, environ)


def server(entry: Json, tmp_path: Path, **environ: str) -> ServerSpec:
    """The one server that this entry under `mcpServers` gives."""
    return loaded({"mcpServers": {"it": entry}}, tmp_path, **environ).servers[0]


def http(entry: Json, tmp_path: Path, **environ: str) -> HttpServer:
    spec = server(entry, tmp_path, **environ)
    assert isinstance(spec, HttpServer)
    return spec


def stdio(entry: Json, tmp_path: Path, **environ: str) -> StdioServer:
    spec = server(entry, tmp_path, **environ)
    assert isinstance(spec, StdioServer)
    return spec


def error_for(entry: Any, tmp_path: Path, **environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        server(entry, tmp_path, **environ)
    return str(caught.value).removeprefix(f"{tmp_path}/c.json: mcpServers.it")


# The keys that contain servers.


@pytest.mark.parametrize("section", ["mcpServers", "servers", "context_servers", "mcp_servers"])
def test_servers_are_found_under_every_clients_key(section: str, tmp_path: Path) -> None:
    assert loaded({section: {"it": {"command": "x"}}}, tmp_path).servers == (StdioServer(name="it", command="x"),)


def test_servers_in_the_settings_of_vs_code_are_found_and_another_programs_mcp_is_ignored(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"editor.fontSize": 12, "mcp": {"inputs": [], "servers": {"it": {"command": "x"}}}}
    assert loaded(settings, tmp_path).servers == (StdioServer(name="it", command="x"),)
    assert loaded({"mcp": {"it": {"type": "local"}}}, tmp_path).servers == ()
    assert loaded({"mcp": True}, tmp_path).servers == ()


def test_servers_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    config = loaded(
        {"servers": {"b": {"command": "x"}}, "mcpServers": {"z": {"command": "x"}, "a": {"command": "x"}}}, tmp_path
    )

    assert [spec.name for spec in config.servers] == ["z", "a", "b"]


@pytest.mark.parametrize(
    ("name", "usable"),
    [
        ("git", "git"),
        ("my-server_2", "my-server_2"),
        ("Sequential Thinking", "Sequential_Thinking"),
        ("awslabs.core", "awslabs_core"),
        ("@upstash/context7-mcp", "upstash_context7-mcp"),
        ("天気", "天気"),
    ],
)
def test_a_server_name_is_reduced_to_usable_characters(name: str, usable: str, tmp_path: Path) -> None:
    assert loaded({"mcpServers": {name: {"command": "x"}}}, tmp_path).servers[0].name == usable


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ["a-b", "a_b"],
            "mcpServers.a_b: has the same name as mcpServers.a-b (a hyphen and an underscore are the same)",
        ),
        (["a b", "a.b"], 'mcpServers["a.b"]: has the same name as mcpServers["a b"] (a hyphen and an underscore'),
        ([""], 'mcpServers[""]: a server name must contain a letter or a digit'),
        (["…"], 'mcpServers["\\u2026"]: a server name must contain a letter or a digit'),
        (["a" * 65], f"mcpServers.{'a' * 65}: a server name may have at most 64 characters"),
    ],
)
def test_names_that_are_equal_or_unusable_are_errors(names: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded({"mcpServers": {name: {"command": "x"} for name in names}}, tmp_path)

    assert str(caught.value).startswith(f"{tmp_path}/c.json: {message}")


def test_two_sections_share_one_set_of_names(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"servers\.it: has the same name as mcpServers\.it "):
        loaded({"mcpServers": {"it": {"command": "x"}}, "servers": {"it": {"command": "x"}}}, tmp_path)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({}, ": needs a command or a url"),
        ({"cmd": "x"}, ": needs a command or a url"),
        ([], ": must be a table, not a list"),
        ({"command": ["x"]}, ".command: must be text, not a list"),
        ({"command": ""}, ".command: is empty"),
        ({"command": {"args": []}}, ".command: needs a path"),
        ({"command": "x", "args": "y"}, ".args: must be a list, not text"),
        ({"command": "x", "args": ["--port", 80]}, ".args[1]: must be text, not a number"),
        ({"command": "x", "args": ["a\0b"]}, ".args[0]: contains a NUL or an unpaired surrogate"),
        ({"command": "x", "env": []}, ".env: must be a table, not a list"),
        ({"command": "x", "env": {"A=B": "1"}}, '.env["A=B"]: is not a valid name of an environment variable'),
        ({"command": "x", "env": {"A": []}}, ".env.A: must be text, not a list"),
        ({"command": "x", "disabled": "yes"}, ".disabled: must be true or false, not text"),
        ({"command": "x", "url": "https://x"}, ": has both a command and a url; remove one of them"),
        ({"command": "x", "type": "http"}, ": has type http and needs a url"),
        ({"url": "https://x", "type": "stdio"}, ": has type stdio and needs a command"),
        ({"url": "https://x", "type": "websocket"}, ".type: must be stdio, http (also called streamable-http) or sse"),
        ({"url": "unix:///sock"}, ".url: must be an http:// or https:// address"),
        ({"url": "https://"}, ".url: must be an http:// or https:// address"),
        ({"url": "https://x:99999"}, ".url: must be an http:// or https:// address"),
        ({"url": "https://x/a b"}, ".url: must be an http:// or https:// address"),
        ({"url": "https://x", "headers": {"A": "b\r\nC: d"}}, ".headers.A: header names and values must be"),
        ({"url": "https://x", "headers": {"A:": "b"}}, '.headers["A:"]: header names and values must be'),
        ({"command": "x", "startup_timeout_sec": 0}, ".startup_timeout_sec: must be more than 0 and at most 86400"),
        ({"command": "x", "tool_timeout_sec": "5"}, ".tool_timeout_sec: must be a number of seconds, not text"),
    ],
)
def test_an_invalid_entry_is_an_error_with_its_key(entry: Any, message: str, tmp_path: Path) -> None:
    assert error_for(entry, tmp_path).startswith(message)


def test_keys_of_other_clients_and_null_values_are_ignored(tmp_path: Path) -> None:
    entry = {"command": "x", "args": None, "env": None, "url": None, "autoApprove": ["y"], "trust": True, "timeout": 5}

    assert server(entry, tmp_path) == StdioServer(name="it", command="x")


@pytest.mark.parametrize("entry", [{"disabled": True}, {"enabled": False}, {"disabled": True, "command": "${UNSET}"}])
def test_a_disabled_server_is_skipped_unread(entry: Json, tmp_path: Path) -> None:
    assert loaded({"mcpServers": {"it": entry}}, tmp_path).servers == ()


# Servers that we start.


def test_references_are_expanded_in_every_value_of_an_entry(tmp_path: Path) -> None:
    entry = {
        "command": "${BIN}/serve",
        "args": ["--root", "${env:ROOT}", "${LEVEL:-low}", "$ROOT"],
        "env": {"KEY": "${KEY}", "PORT": 8080, "DEBUG": True},
        "cwd": "~/${ROOT}",
    }

    assert stdio(entry, tmp_path, BIN="/opt", ROOT="r", KEY="k", HOME="/home/u") == StdioServer(
        name="it",
        command="/opt/serve",
        args=("--root", "r", "low", "$ROOT"),
        env={"KEY": "k", "PORT": "8080", "DEBUG": "true"},
        cwd=Path("/home/u/r"),
    )


@pytest.mark.parametrize(
    ("entry", "place"),
    [
        ({"command": "${NOPE}"}, ".command"),
        ({"command": "x", "args": ["${NOPE}"]}, ".args[0]"),
        ({"command": "x", "env": {"A": "${NOPE}"}}, ".env.A"),
        ({"command": "x", "cwd": "${NOPE}"}, ".cwd"),
        ({"url": "https://${NOPE}"}, ".url"),
        ({"url": "https://x", "headers": {"A": "${env:NOPE}"}}, ".headers.A"),
        ({"url": "https://x", "bearer_token_env_var": "NOPE"}, ".bearer_token_env_var"),
        ({"url": "https://x", "env_http_headers": {"A": "NOPE"}}, ".env_http_headers.A"),
    ],
)
def test_an_unset_variable_is_an_error_that_names_it_and_its_key(entry: Json, place: str, tmp_path: Path) -> None:
    assert error_for(entry, tmp_path) == f"{place}: the environment variable NOPE is not set"


def test_a_path_is_relative_to_the_file_and_a_bare_command_is_left_to_the_search_path(tmp_path: Path) -> None:
    assert stdio({"command": "./bin/it", "cwd": "data"}, tmp_path) == StdioServer(
        name="it", command=str(tmp_path / "bin/it"), cwd=tmp_path / "data"
    )
    assert stdio({"command": "it"}, tmp_path).command == "it"


def test_paths_in_a_clients_folder_are_relative_to_its_project(tmp_path: Path) -> None:
    entry = {"command": "./it", "args": ["${workspaceFolder}/data"]}

    (spec,) = loaded({"servers": {"it": entry}}, tmp_path, ".vscode/mcp.json").servers

    assert spec == StdioServer(name="it", command=str(tmp_path / "it"), args=(str(tmp_path / "data"),))


def test_an_env_file_is_read_and_the_values_of_the_entry_take_precedence(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "# a comment\n\nA=1\nexport B = two words # and why\nC=\"quoted # text\"\nD='${A}'\nE=\nF=own\n"
    )

    spec = stdio({"command": "x", "envFile": "${workspaceFolder}/.env", "env": {"F": "mine"}}, tmp_path)

    assert dict(spec.env) == {"A": "1", "B": "two words", "C": "quoted # text", "D": "${A}", "E": "", "F": "mine"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, ".envFile: the file does not exist"),
        (b"x" * 100_001, ".envFile: is not a file of at most 100,000 bytes"),
        (b"A=\xff", ".envFile: cannot be read as UTF-8 text"),
        (b"A=1\nhunter2", ".envFile: line 2 of the file is not NAME=value"),
    ],
)
def test_an_env_file_that_cannot_be_used_is_an_error(content: bytes | None, message: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / ".env").write_bytes(content)

    assert error_for({"command": "x", "envFile": ".env"}, tmp_path) == message


def test_zeds_nested_command_is_read(tmp_path: Path) -> None:
    entry = {"command": {"path": "x", "args": ["run"], "env": {"A": "b"}}, "settings": {"c": 1}}

    (spec,) = loaded({"context_servers": {"it": entry}}, tmp_path).servers

    assert spec == StdioServer(name="it", command="x", args=("run",), env={"A": "b"})


def test_a_server_that_a_zed_extension_provides_is_skipped_with_a_note(tmp_path: Path) -> None:
    config = loaded({"context_servers": {"it": {"source": "extension", "settings": {}}}}, tmp_path)

    assert config.servers == ()
    assert config.notes[0].endswith(
        "context_servers.it: skipped: a Zed extension provides it, and only Zed can start it"
    )


def test_a_codex_file_is_read_with_its_own_keys(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(
        """
        model = "gpt-5"
        [mcp_servers.local]
        command = "x"
        args = ["y"]
        cwd = "/srv"
        env = { A = "1" }
        env_vars = ["TOKEN", "NOT_THERE", { name = "OTHER", source = "local" }]
        startup_timeout_sec = 3
        tool_timeout_sec = 4.5
        [mcp_servers.off]
        enabled = false
        command = "x"
        [mcp_servers.far]
        url = "https://x/mcp"
        bearer_token_env_var = "TOKEN"
        http_headers = { X-A = "1" }
        env_http_headers = { X-B = "OTHER" }
        """
    )

    config = load(tmp_path / "config.toml", {"TOKEN": "t", "OTHER": "o"})

    assert config.servers == (
        StdioServer(
            name="local",
            command="x",
            args=("y",),
            cwd=Path("/srv"),
            env={"A": "1", "TOKEN": "t", "OTHER": "o"},
            start_timeout_s=3,
            call_timeout_s=4.5,
        ),
        HttpServer(name="far", url="https://x/mcp", headers={"Authorization": "Bearer t", "X-A": "1", "X-B": "o"}),
    )


def test_our_timeouts_take_precedence_over_those_in_the_entry(tmp_path: Path) -> None:
    entry = {"command": "x", "startup_timeout_sec": 3, "tool_timeout_sec": 4}
    ours = {"servers": {"it": {"call_timeout_s": 9}}}

    (spec,) = loaded({"mcpServers": {"it": entry}, "codeact": ours}, tmp_path).servers

    assert (spec.start_timeout_s, spec.call_timeout_s) == (3, 9)


# Servers that run elsewhere.


@pytest.mark.parametrize(
    ("entry", "transport"),
    [
        ({"url": "https://x/mcp"}, "http"),
        ({"url": "https://x/sse"}, "sse"),
        ({"url": "https://x/sse/?k=v"}, "sse"),
        ({"url": "https://x/sse", "type": "http"}, "http"),
        ({"url": "https://x/mcp", "type": "sse"}, "sse"),
        ({"url": "https://x", "type": "streamable-http"}, "http"),
        ({"url": "https://x", "transport": "streamableHttp"}, "http"),
        ({"url": "https://x", "transport": "streamable_http"}, "http"),
        ({"url": "https://x", "transport": "SSE"}, "sse"),
        ({"serverUrl": "https://x/sse"}, "sse"),
        ({"serverUrl": "https://x/mcp"}, "http"),
        ({"httpUrl": "https://x/sse"}, "http"),
        ({"httpUrl": "https://x/mcp", "url": "https://y"}, "http"),
        ({"url": "https://x", "command": "y", "type": "http"}, "http"),
    ],
)
def test_the_transport_is_what_the_entry_says_or_its_address_suggests(
    entry: Json, transport: str, tmp_path: Path
) -> None:
    spec = http(entry, tmp_path)

    assert spec.url.startswith("https://x")
    assert spec.transport == transport


def test_in_geminis_own_file_url_means_sse(tmp_path: Path) -> None:
    data = {"mcpServers": {"a": {"url": "https://x/mcp"}, "b": {"httpUrl": "https://x/mcp"}}}

    config = loaded(data, tmp_path, ".gemini/settings.json")

    assert [getattr(spec, "transport", None) for spec in config.servers] == ["sse", "http"]


def test_our_own_setting_overrides_the_transport(tmp_path: Path) -> None:
    data = {"mcpServers": {"it": {"url": "https://x/mcp"}}, "codeact": {"servers": {"it": {"transport": "sse"}}}}

    assert getattr(loaded(data, tmp_path).servers[0], "transport", None) == "sse"


def test_headers_are_expanded_and_a_literal_one_takes_precedence_over_a_bearer_token(tmp_path: Path) -> None:
    entry = {
        "url": "https://${HOST}/mcp",
        "headers": {"authorization": "Basic ${KEY}"},
        "bearer_token_env_var": "KEY",
    }

    spec = http(entry, tmp_path, HOST="x", KEY="k")

    assert (spec.url, dict(spec.headers)) == ("https://x/mcp", {"authorization": "Basic k"})


def test_an_input_of_vs_code_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    assert error_for({"url": "https://x", "headers": {"A": "Bearer ${input:api-key}"}}, tmp_path) == (
        ".headers.A: ${input:api-key} is a prompt that only VS Code can show; "
        "put the value in an environment variable and write ${env:API_KEY}"
    )


# Notes for the operator.


@pytest.mark.parametrize(
    "entry",
    [
        {"command": "codeact-mcp", "args": ["serve", "--config", "x"]},
        {"command": "/home/u/.local/bin/codeact-mcp"},
        {"command": "uvx", "args": ["codeact-mcp@latest", "serve"]},
        {"command": "pipx", "args": ["run", "codeact-mcp"]},
        {"command": {"path": "codeact-mcp", "args": ["serve"]}},
        {"command": "codeact-mcp", "env": {"A": "${UNSET}"}},
    ],
)
def test_our_own_entry_is_skipped_with_a_note(entry: Json, tmp_path: Path) -> None:
    config = loaded({"mcpServers": {"us": entry, "git": {"command": "uvx", "args": ["mcp-server-git"]}}}, tmp_path)

    assert [spec.name for spec in config.servers] == ["git"]
    assert config.notes == (
        f"{tmp_path}/c.json: mcpServers.us: skipped: it is codeact-mcp itself, which would start itself endlessly",
    )


def test_the_lists_of_tools_in_another_clients_file_apply_to_programs(tmp_path: Path) -> None:
    config = loaded(
        {
            "mcp_servers": {"codex": {"command": "x", "enabled_tools": ["get", "list[1]"], "disabled_tools": ["drop"]}},
            "mcpServers": {"gemini": {"command": "x", "includeTools": ["get(id)"], "excludeTools": ["drop"]}},
        },
        tmp_path,
    )

    selected = {server.name: server.tools for server in config.servers}
    assert selected["codex"] == ToolSelection(allow=("get", "list[[]1]"), deny=("drop",))
    assert selected["gemini"] == ToolSelection(allow=("get",), deny=("drop",))


def test_a_dollar_name_that_only_gemini_expands_is_unchanged_and_gets_a_note(tmp_path: Path) -> None:
    config = loaded({"mcpServers": {"it": {"command": "x", "env": {"KEY": "$MY_KEY"}}}}, tmp_path)

    assert dict(getattr(config.servers[0], "env", {})) == {"KEY": "$MY_KEY"}
    assert config.notes == (
        f"{tmp_path}/c.json: mcpServers.it.env.KEY: not expanded; write ${{VAR}} for an environment variable",
    )
