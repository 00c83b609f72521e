"""Our own settings, and the configuration as a whole."""

import json
import string
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from codeact_bridges.approval.policy import allow_rule
from codeact_bridges.limits import Limits
from codeact_bridges.sandbox.pool import PoolSize
from codeact_bridges.tools.catalog.catalog import CatalogTool
from codeact_bridges.tools.spec import StdioServer
from codeact_server.config.load import ConfigError, for_command, load
from codeact_server.config.model import Config, Settings

ONE_SERVER = '[mcpServers.git]\ncommand = "uvx"\n'


def loaded(text: str, tmp_path: Path, name: str = "config.toml", **environ: str) -> Config:
    (tmp_path / name).write_text(text)
    return load(tmp_path / name, environ)


def error_for(text: str, tmp_path: Path, name: str = "config.toml") -> str:
    with pytest.raises(ConfigError) as caught:
        loaded(text, tmp_path, name)
    return str(caught.value).removeprefix(f"{tmp_path / name}: ")


def test_without_a_file_every_default_holds_and_there_are_no_servers() -> None:
    config = Config.default()

    assert (config.engine, config.limits, config.pool, config.servers) == ("auto", Limits(), PoolSize(), ())


def test_every_setting_of_ours_is_read(tmp_path: Path) -> None:
    config = loaded(
        """
        [mcpServers.git]
        command = "uvx"
        args = ["mcp-server-git"]

        [codeact]
        engine = "wasmtime"
        packages = ["pyyaml", "python-dateutil"]
        log_level = "debug"
        limits = { deadline_s = 5, memory_mib = 256 }
        pool = { spare = 2, max_workers = 8, max_waiting = 3 }
        servers.git = { start_timeout_s = 60, call_timeout_s = 1.5 }
        """,
        tmp_path,
    )

    assert config == Config(
        engine="wasmtime",
        packages=("pyyaml", "python-dateutil"),
        log_level="debug",
        limits=Limits(deadline_s=5, memory_mib=256),
        pool=PoolSize(spare=2, max_workers=8, max_waiting=3),
        servers=(
            StdioServer(name="git", command="uvx", args=("mcp-server-git",), start_timeout_s=60, call_timeout_s=1.5),
        ),
        source=str(tmp_path / "config.toml"),
    )


def test_toml_and_json_are_equivalent(tmp_path: Path) -> None:
    toml = loaded(ONE_SERVER + "[codeact]\nlimits.deadline_s = 5", tmp_path)
    data = {"mcpServers": {"git": {"command": "uvx"}}, "codeact": {"limits": {"deadline_s": 5}}}
    as_json = loaded(json.dumps(data), tmp_path, "config.json")

    assert replace(toml, source="") == replace(as_json, source="")


@pytest.mark.parametrize(
    ("name", "text", "with_rule"),
    [
        ("config.toml", ONE_SERVER, ONE_SERVER + "RULE\n"),
        ("CONFIG.TOML", ONE_SERVER, ONE_SERVER + "RULE\n"),
        *[
            (
                name,
                '{"mcpServers": {"git": {"command": "uvx"}}}',
                '{"mcpServers": {"git": {"command": "uvx"}}, "codeact": {"policy": {"rules": [RULE]}}}',
            )
            for name in ("config.json", "config.jsonc")
        ],
    ],
)
def test_the_rule_that_a_denial_shows_can_be_pasted_into_the_file(
    name: str, text: str, with_rule: str, tmp_path: Path
) -> None:
    rules_in = loaded(text, tmp_path, name).rules_in
    config = loaded(with_rule.replace("RULE", allow_rule("git.push[*]", rules_in)), tmp_path, name)

    assert config.policy.decide(CatalogTool("git", "push[*]", destructive=True)).action == "allow"
    assert config.policy.decide(CatalogTool("git", "push*", destructive=True)).action == "ask"


def test_without_a_file_a_rule_is_shown_for_a_new_one() -> None:
    assert for_command(["uvx", "mcp-server-git"]).rules_in == "toml"


def test_another_clients_file_works_unchanged_with_its_own_keys(tmp_path: Path) -> None:
    config = loaded(
        json.dumps(
            {
                "globalShortcut": "Alt+Space",
                "preferences": {"theme": ["dark"]},
                "mcpServers": {"git": {"command": "uvx", "args": ["mcp-server-git"], "autoApprove": ["git_log"]}},
            }
        ),
        tmp_path,
        "claude_desktop_config.json",
    )

    assert [server.name for server in config.servers] == ["git"]
    assert config.notes == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("codeact = 5", "codeact: must be a table, not a number"),
        ("[codeact]\nengin = 'auto'", "codeact.engin: unknown key; did you mean engine?"),
        (
            "[codeact]\nzzz = 1",
            f"codeact.zzz: unknown key; known keys: {', '.join(field.name for field in fields(Settings))}",
        ),
        ("[codeact]\nengine = 'wasm'", "codeact.engine: must be 'auto', 'hyperlight' or 'wasmtime'"),
        ("[codeact.limits]\nmemory_mb = 128", "codeact.limits.memory_mb: unknown key; did you mean memory_mib?"),
        ("[codeact.limits]\nmemory_mib = 1", "codeact.limits.memory_mib: must be greater than or equal to 64"),
        ("[codeact.limits]\nmemory_mib = '128'", "codeact.limits.memory_mib: must be a whole number"),
        ("[codeact.limits]\nmemory_mib = 128.5", "codeact.limits.memory_mib: must be a whole number"),
        ("[codeact.limits]\ntool_calls = true", "codeact.limits.tool_calls: must be a whole number"),
        ("[codeact.limits]\ntool_calls = 0x" + "f" * 5000, "codeact.limits.tool_calls: is too large a number"),
        ("[codeact.limits]\ncall_timeout_s = inf", "codeact.limits.call_timeout_s: must be a finite number"),
        ("[codeact.limits]\ncall_timeout_s = nan", "codeact.limits.call_timeout_s: must be a finite number"),
        ("[codeact.limits]\ndeadline_s = 600", "codeact.limits: deadline_s (600) is more than max_deadline_s (240)"),
        ("[codeact.pool]\nspare = 5", "codeact.pool: spare (5) is more than max_workers (4)"),
        ("[codeact]\npackages = 'pyyaml'", "codeact.packages: must be a list"),
        (
            "[codeact.network]\nhost = 'example.com'",
            "codeact.network: must be a list of tables; in TOML each starts with [[codeact.network]]",
        ),
        (
            "[codeact.policy.rules]\ntool = '*'\naction = 'ask'",
            "codeact.policy.rules: must be a list of tables; in TOML each starts with [[codeact.policy.rules]]",
        ),
        (
            "[codeact.files]\n'/data' = 'reports'",
            'codeact.files["/data"]: must be a table like { path = "reports", mode = "ro" }',
        ),
        (
            "[codeact.policy]\nrules = [{tool = '*.drop', action = 'ask'}, {tool = 'gti.*', action = 'deny'}]",
            "codeact.policy.rules[1].tool: no server is named gti; did you mean git?",
        ),
        (
            "[[codeact.policy.rules]]\ntool = 'mail.send'\naction = 'deny'",
            "codeact.policy.rules[0].tool: no server is named mail; known servers in this file: git",
        ),
        (
            "[codeact]\npackages = ['pyyaml', 'jinja2>=3']",
            "codeact.packages[1]: must be the plain name of an installed package, without version or extras",
        ),
        (
            "[codeact]\naudit = { path = '${NOPE}/audit' }",
            "codeact.audit.path: the environment variable NOPE is not set",
        ),
        ("[codeact]\nlog_level = 1", "codeact.log_level: must be 'debug', 'info', 'warning' or 'error'"),
        ("[codeact.servers.gti]", "codeact.servers.gti: no server has this name; did you mean git?"),
        ("[codeact.servers.mail]", "codeact.servers.mail: no server has this name; known servers in this file: git"),
        (
            "[codeact.servers.git]\ncall_timeout = 1",
            "codeact.servers.git.call_timeout: unknown key; did you mean call_timeout_s?",
        ),
        ("[codeact.servers.git]\ncall_timeout_s = 0", "codeact.servers.git.call_timeout_s: must be greater than 0"),
        (
            "[codeact.servers.git]\ntransport = 'sse'",
            "mcpServers.git.command: a server that is started by a command cannot have codeact.servers.git.transport",
        ),
        (
            "[codeact]\nlimits.deadline_s = 2026-01-01",
            "codeact.limits.deadline_s: must be text, a number, true or false, a list or a table, not a date or a time",
        ),
    ],
)
def test_an_invalid_setting_is_one_line_with_file_key_and_reason(text: str, message: str, tmp_path: Path) -> None:
    assert error_for(text + "\n" + ONE_SERVER, tmp_path) == message


def test_a_server_is_named_in_settings_with_hyphens_or_underscores(tmp_path: Path) -> None:
    config = loaded('mcpServers.my-git.command = "x"\ncodeact.servers.my_git.call_timeout_s = 3', tmp_path)

    assert config.servers[0].call_timeout_s == 3


def test_a_server_has_settings_only_once(tmp_path: Path) -> None:
    text = "[codeact.servers.my-git]\n[codeact.servers.my_git]\n[mcpServers.my-git]\ncommand = 'x'"

    assert error_for(text, tmp_path) == (
        "codeact.servers.my_git: is defined twice (a hyphen and an underscore are the same)"
    )


def test_a_disabled_server_may_have_settings(tmp_path: Path) -> None:
    text = "[mcpServers.git]\ncommand = 'x'\ndisabled = true\n[codeact.servers.git]\ncall_timeout_s = 3"

    assert loaded(text, tmp_path).servers == ()


def test_the_limits_are_the_default_timeouts_of_servers(tmp_path: Path) -> None:
    config = loaded(ONE_SERVER + "[codeact.limits]\ncall_timeout_s = 7\nstart_timeout_s = 8", tmp_path)

    assert (config.servers[0].call_timeout_s, config.servers[0].start_timeout_s) == (7, 8)


def test_a_file_without_servers_is_loaded_with_a_note(tmp_path: Path) -> None:
    config = loaded("", tmp_path)

    assert config.no_servers == (
        f"{tmp_path}/config.toml contains no servers: write them under mcpServers (or servers, context_servers, "
        "mcp_servers)"
    )
    assert config.notes == (config.no_servers,)


def test_a_file_with_no_other_server_than_ourselves_says_so_in_the_same_note(tmp_path: Path) -> None:
    config = loaded("[mcpServers.codeact]\ncommand = 'codeact-mcp'\nargs = ['serve']", tmp_path)

    assert config.no_servers == (
        f"{tmp_path}/config.toml contains no servers: write them under mcpServers (or servers, context_servers, "
        "mcp_servers); mcpServers.codeact: skipped: it is codeact-mcp itself, which would start itself endlessly"
    )
    assert config.notes == (config.no_servers,)


def test_without_a_file_the_reason_for_no_servers_names_the_options() -> None:
    assert Config.default().no_servers == (
        "no MCP server is configured: use --config FILE, with the servers under mcpServers, or -- COMMAND"
    )


def test_a_key_that_resembles_ours_gets_a_note(tmp_path: Path) -> None:
    config = loaded("[mcpservers.git]\ncommand = 'x'", tmp_path)

    assert config.notes[0].endswith("; mcpservers: ignored; did you mean mcpServers?")


def test_neither_errors_nor_the_configurations_repr_show_a_secret(tmp_path: Path) -> None:
    text = """
        [mcpServers.a]
        url = "https://example.com/${TOKEN}"
        headers = { Authorization = "Bearer ${TOKEN}" }
        [mcpServers.b]
        command = "x"
        args = ["--token", "${TOKEN}"]
        env = { TOKEN = "${TOKEN}", PLAIN = "hunter2" }
        """
    config = loaded(text, tmp_path, TOKEN="hunter2")

    assert "hunter2" not in repr(config)
    assert [repr(getattr(server, "env", None)) for server in config.servers] == ["None", "<TOKEN, PLAIN>"]
    assert repr(getattr(config.servers[0], "headers", None)) == "<Authorization>"
    for broken in (
        "[mcpServers.a]\nurl = 'hunter2://x'",
        "[mcpServers.a]\nurl = 'https://x'\nheaders.A = \"hunter2\\n\"",
    ):
        assert "hunter2" not in error_for(broken, tmp_path)
    assert "hunter2" not in error_for("codeact.engine = 'hunter2'", tmp_path)


def test_a_command_on_the_command_line_is_one_stdio_server_named_after_it() -> None:
    config = for_command(["npx", "-y", "@modelcontextprotocol/server-everything", "--x=${HOME}"])

    assert config.servers == (
        StdioServer(
            name="everything", command="npx", args=("-y", "@modelcontextprotocol/server-everything", "--x=${HOME}")
        ),
    )


@pytest.mark.parametrize("argv", [[], [""], ["codeact-mcp", "serve"], ["uvx", "codeact-mcp"], ["x", "a\0b"]])
def test_a_command_line_that_cannot_be_a_server_is_refused(argv: list[str]) -> None:
    with pytest.raises(ConfigError, match=r"^command line: "):
        for_command(argv)


WORDS = """
    mcpServers servers context_servers mcp_servers codeact command args env url serverUrl httpUrl type transport headers
    cwd envFile disabled enabled env_vars bearer_token_env_var env_http_headers startup_timeout_sec settings path engine
    limits pool packages spare deadline_s name a-b a_b git
"""
KEYS = st.sampled_from(WORDS.split()) | st.text(max_size=6)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=10)
    | st.sampled_from(
        ["${A}", "${B:-x}", "${input:x}", "$${", "~", "https://x/sse", "http", "stdio", "codeact-mcp", "."]
    )
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=25
)
ENTRIES = st.dictionaries(KEYS, VALUES, max_size=6)
FILES = st.dictionaries(KEYS, st.dictionaries(KEYS, ENTRIES | VALUES, max_size=3) | VALUES, max_size=4)


def assert_a_configuration_or_one_line(file: Path) -> None:
    try:
        config = load(file, {"A": "a", "HOME": "/home/u"})
    except ConfigError as exc:
        lines = str(exc).splitlines()
        assert len(lines) == 1
        assert lines[0].startswith(f"{file}: ")
        str(exc).encode()
    else:
        assert isinstance(config, Config)
        "\n".join(config.notes).encode()


@pytest.mark.slow
@given(FILES)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_json_gives_a_configuration_or_an_error_of_one_line(tmp_path: Path, data: object) -> None:
    file = tmp_path / "any.json"
    file.write_text(json.dumps(data))

    assert_a_configuration_or_one_line(file)


@given(st.binary(max_size=200) | st.text(alphabet=string.printable, max_size=200).map(str.encode), st.booleans())
@example(b'{"mcpServers":{"\\ud800":{"command":"x"}}}', False)
@example(b'{"mcpServers":{"a":{"command":"x","env":{"\\ud800":"x"}}}}', False)
@example(b'{"codeact":{"\\ud800":1}}', False)
@example(b'{"codeact":' + b'{"a":' * 900 + b"1" + b"}" * 901, False)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_give_a_configuration_or_an_error_of_one_line(tmp_path: Path, data: bytes, toml: bool) -> None:
    file = tmp_path / ("any.toml" if toml else "any.json")
    file.write_bytes(data)

    assert_a_configuration_or_one_line(file)


RULE = "[[codeact.policy.rules]]\naction = 'deny'\ntool = '{}'\n"


@pytest.mark.parametrize("tool", ["my-server.*", "my_server.drop", "off.*", "*.drop", "my*.drop", "m[y]-server.drop"])
def test_a_rule_for_a_server_that_exists_is_disabled_or_has_a_wildcard_is_accepted(tool: str, tmp_path: Path) -> None:
    servers = "[mcpServers.my-server]\ncommand = 'x'\n[mcpServers.off]\ncommand = 'x'\ndisabled = true\n"
    assert loaded(servers + RULE.format(tool), tmp_path).policy.rules[0].tool == tool


def test_a_server_knows_the_tools_that_rules_name_without_a_wildcard(tmp_path: Path) -> None:
    rules = (RULE.format(tool) for tool in ("my_server.drop", "my-server.get_*", "*.find", "my-server.a.b"))
    config = loaded("[mcpServers.my-server]\ncommand = 'x'\n" + "".join(rules), tmp_path)
    assert config.servers[0].policy_tools == ("drop", "a.b")
