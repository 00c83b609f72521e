"""The program that a command line starts: its name, and whether it is codeact-mcp."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeact_server.config.command_line import is_ourselves, name_of, usable_name


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("mcp-server-git", "git"),
        ("npx -y @acme/server-foo@2 --port 1", "foo"),
        ("npx -y @modelcontextprotocol/server-everything", "everything"),
        ("npx --yes --package=x @upstash/context7-mcp@latest", "context7"),
        ("npm exec -- @acme/notes", "notes"),
        ("uvx mcp-server-git --repository /src", "git"),
        ("uvx --python 3.12 --from git+https://example.com/x.git mcp-server-time", "time"),
        ("uv tool run mcp-server-time", "time"),
        ("uv run --directory /src/notes -m notes_mcp", "notes"),
        ("uv run mcp run weather.py", "weather"),
        ("pipx run --spec x==1 github-mcp-server", "github"),
        ("python -m mcp_server_time --local-timezone UTC", "time"),
        ("/usr/bin/python3.12 -u -X dev /srv/orders_server.py", "orders"),
        ("node /srv/weather/build/index.js", "weather"),
        ("docker run -i --rm -m 512m -e TOKEN ghcr.io/github/github-mcp-server:1.2", "github"),
        ("env A=1 B=2 mcp-server-git", "git"),
        ("bash -c 'cd /srv && exec ./mail-mcp --x'", "mail"),
        (r"'C:\Program Files\Notes\notes-mcp.exe'", "notes"),
        ("cmd /c npx -y @acme/notes", "notes"),
        ("python", "python"),
        ("./server.py", "server"),
        ("mcp", "mcp"),
        ("天気", "天気"),
        ("'!!!'", "server"),
        ("bash -c 'an open \"quote'", "bash"),
    ],
)
def test_a_server_is_named_after_the_program_behind_the_launchers(command: str, name: str) -> None:
    assert name_of(shlex.split(command)) == name


@pytest.mark.parametrize(
    "command",
    [
        "codeact-mcp serve",
        "/home/u/.venv/bin/codeact-mcp",
        r"'C:\bin\codeact-mcp.exe' serve",
        "uvx codeact-mcp",
        "uvx codeact-mcp@0.1.0 serve",
        "uvx 'codeact-mcp[x]==0.1' serve",
        "uvx --from git+https://example.com/codeact codeact-mcp serve",
        "uv tool run codeact-mcp",
        "uv run --directory /src/codeact codeact-mcp serve",
        "pipx run codeact-mcp serve",
        "python -m codeact_server serve",
        "python3 -m codeact_server.cli.main serve",
        "env A=1 codeact-mcp",
        "bash -lc 'cd /src; codeact-mcp serve --config x'",
    ],
)
def test_codeact_mcp_is_recognised_behind_any_launcher(command: str) -> None:
    assert is_ourselves(shlex.split(command))


@pytest.mark.parametrize(
    "command",
    [
        "uvx mcp-server-git --repository codeact-mcp",
        "mcp-server-git /src/codeact-mcp",
        "npx -y @modelcontextprotocol/server-filesystem /src/codeact-mcp",
        "python /src/codeact-mcp/examples/orders_server.py",
        "uvx --with codeact-mcp mcp-server-git",
    ],
)
def test_a_server_that_works_on_our_source_is_not_codeact_mcp(command: str) -> None:
    assert not is_ourselves(shlex.split(command))


@given(st.lists(st.text() | st.sampled_from(["sh", "-c", "uvx", "python", "-m", "env", "--from", "--", "run", "A=1"])))
def test_any_command_line_has_a_usable_name(argv: list[str]) -> None:
    name = name_of(argv)

    assert name
    assert usable_name(name) == name
