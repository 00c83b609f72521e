"""The commands on a terminal: what goes to stdout, what to stderr, and the exit code."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE

import anyio
import pytest
from served import COMMAND, EXAMPLES, SERVERS, Commands, descendants, execute, server, until


def test_run_prints_what_the_program_prints_and_then_its_value(commands: Commands) -> None:
    done = commands.run("run", "-", stdin="print('one')\nprint('two')\n[1, 2]")

    assert (done.returncode, done.stdout) == (0, "one\ntwo\n[1, 2]\n")


@pytest.mark.parametrize("source", ["program.py", "-"])
def test_run_takes_a_program_with_a_byte_order_mark_and_line_ends_of_windows(commands: Commands, source: str) -> None:
    program = "\ufeffprint('one')\r\nfor n in (2, 3):\r\n    print(n)\r\n"
    (commands.folder / "program.py").write_bytes(program.encode())

    done = commands.run("run", source, stdin=program)

    assert (done.returncode, done.stdout) == (0, "one\n2\n3\n")


def test_run_keeps_stdout_for_the_program_and_says_the_rest_on_stderr(commands: Commands) -> None:
    done = commands.run("run", "-", stdin="import sys\nprint('out')\nprint('err', file=sys.stderr)\n")

    assert (done.returncode, done.stdout) == (0, "out\n")
    assert "err\n" in done.stderr
    assert "codeact-mcp: engine: " in done.stderr


def test_a_value_begins_on_a_line_of_its_own(commands: Commands) -> None:
    assert commands.run("run", "-", stdin="print('no line end', end='')\n1").stdout == "no line end\n1\n"


def test_run_of_a_program_that_fails_shows_its_traceback_on_stderr_and_exits_1(commands: Commands) -> None:
    program = commands.folder / "program.py"
    program.write_text("print('before')\n1 / 0\n")

    done = commands.run("run", "program.py")

    assert (done.returncode, done.stdout) == (1, "before\n")
    assert "line 2" in done.stderr
    assert done.stderr.endswith("ZeroDivisionError: division by zero\n")


def test_run_ends_a_program_at_its_deadline(commands: Commands) -> None:
    done = commands.run("run", "--timeout-s", "0.5", "-", stdin="print('begun')\nwhile True: pass")

    assert (done.returncode, done.stdout) == (1, "begun\n")
    assert "stopped after 0.5 s" in done.stderr


def test_run_shows_what_was_displayed_the_files_that_were_made_and_after_a_failure_the_calls(
    commands: Commands,
) -> None:
    (commands.folder / "out").mkdir()
    folders = {"/out": {"path": str(commands.folder / "out"), "mode": "rw"}}
    config = commands.config(
        {"orders": {"command": sys.executable, "args": [str(EXAMPLES / "orders_server.py")]}}, files=folders
    )
    program = "print('a', end='')\ndisplay([1])\nopen('/out/f.txt', 'w').write('x')\ncall_tool('list_users')\n1 / 0"

    done = commands.run("run", "--config", config, "-", stdin=program)

    assert (done.returncode, done.stdout) == (1, "a\n[1]\n")
    assert "codeact-mcp: wrote /out/f.txt (1 bytes, text/plain)\n" in done.stderr
    assert "ZeroDivisionError" in done.stderr
    assert "- orders.list_users: done (read-only)\n" in done.stderr


def test_a_reader_that_has_gone_is_no_error(commands: Commands) -> None:
    config = commands.config({"orders": {"command": sys.executable, "args": [str(EXAMPLES / "orders_server.py")]}})
    for words in (["tools", "--config", config], ["run", "-"]):
        with subprocess.Popen(
            [COMMAND, *words],
            env=commands.environment,
            cwd=commands.folder,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            process.stdout.close()
            _, said = process.communicate("for i in range(100): print(i)")
        assert process.returncode == 0
        assert "Traceback" not in said
        assert "Broken" not in said


def test_an_audit_log_that_cannot_be_written_is_known_before_the_first_run(commands: Commands) -> None:
    config = commands.config(audit={"path": str(commands.folder / "nowhere" / "audit.jsonl")})

    done = commands.run("run", "--config", config, "-", stdin="1")

    assert (done.returncode, done.stdout) == (2, "")
    assert "codeact.audit.path: " in done.stderr
    assert "cannot be written: No such file or directory\n" in done.stderr


@pytest.mark.parametrize("wrong", ["0", "-1", "nan", "inf", "soon"])
def test_a_deadline_that_is_none_is_refused(wrong: str, commands: Commands) -> None:
    done = commands.run("run", "--timeout-s", wrong, "-", stdin="1")

    assert (done.returncode, done.stdout) == (2, "")
    assert "--timeout-s" in done.stderr
    assert "Traceback" not in done.stderr


def test_run_of_a_file_that_is_not_there_is_one_line_and_exit_2(commands: Commands) -> None:
    done = commands.run("run", "nowhere.py")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "codeact-mcp: nowhere.py: No such file or directory\n"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_a_signal_stops_a_run_as_shells_expect_and_leaves_no_process(
    number: signal.Signals, code: int, commands: Commands
) -> None:
    mark = commands.folder / "mark"
    program = commands.folder / "program.py"
    program.write_text(f"call_tool('marker.mark', path={str(mark)!r})\nwhile True: pass")
    command = [COMMAND, "run", "--config", commands.config({"marker": server("marker.py")}), str(program)]

    with anyio.fail_after(30):
        async with await anyio.open_process(command, env=commands.environment, stderr=PIPE) as process:
            await until(mark.exists)
            below = descendants(process.pid)
            os.kill(process.pid, number)
            os.kill(process.pid, number)  # an impatient second one must not interrupt the clean-up
            assert await process.wait() == code

    assert not [seen for seen in below if seen.is_there]


def test_tools_prints_each_server_with_its_tools_signatures_and_summaries(commands: Commands) -> None:
    config = commands.config({"everyday": server("everyday.py", "stdio"), "marker": server("marker.py")})

    done = commands.run("tools", "--config", config)

    assert done.returncode == 0
    assert done.stdout.startswith("everyday: ")
    assert " tools\n  everyday.add(a: int, b: int = 2) -> int\n      Add two numbers.\n" in done.stdout
    assert "\nmarker: 3 tools\n  marker.mark(path: str)\n      Make the file `path`.\n" in done.stdout


def test_tools_says_why_a_server_is_missing_and_exits_1(commands: Commands) -> None:
    config = commands.config({"marker": server("marker.py"), "broken": server("hostile.py", "--start", "exit")})

    done = commands.run("tools", "--config", config)

    assert done.returncode == 1
    assert "marker: 3 tools\n" in done.stdout
    assert "broken: failed: " in done.stdout
    assert "no module named 'hostility'" in done.stdout


def test_tools_without_a_configuration_says_where_servers_come_from(commands: Commands) -> None:
    done = commands.run("tools")

    assert (done.returncode, done.stdout) == (0, "")
    assert "codeact-mcp: no MCP server is configured: use --config FILE, with the servers under " in done.stderr


@pytest.mark.parametrize("given", ["an empty file", "a file with ourselves alone", "no file"])
async def test_serve_without_servers_tells_the_client_and_its_programs_what_to_write(
    commands: Commands, given: str
) -> None:
    file = commands.config({"codeact": {"command": "codeact-mcp", "args": ["serve"]}} if "ourselves" in given else {})
    expected = f"{file} contains no servers: write them under mcpServers (or servers, context_servers, mcp_servers)"
    if given == "no file":
        expected = "no MCP server is configured: use --config FILE, with the servers under mcpServers, or -- COMMAND"
    with anyio.fail_after(60):
        arguments = [] if given == "no file" else ["--config", file]
        async with commands.serving("stdio", *arguments) as served, served.client("auto") as client:
            (tool,) = (await client.list_tools()).tools
            instructions = client.instructions
            listed = await execute(client, "list_tools()")
            searched = await execute(client, "search_tools('orders')")
            called = await execute(client, "call_tool('orders.list')")
            caught = await execute(client, "try:\n    call_tool('a.b')\nexcept UnknownTool as e:\n    print(e.reason)")

    assert str(tool.description).startswith(
        f"Run a Python program in a sandbox. It can call no tools, because {expected}"
    )
    assert f"It can call no tools, because {expected}" in str(instructions)
    for name, (failed, text) in {"list_tools": listed, "search_tools": searched, "orders.list": called}.items():
        assert failed
        assert f"UnknownTool: {name}: {expected}" in text
    assert caught[0] is False
    assert caught[1].startswith(expected)
    assert served.stderr.count(expected) == 1


async def test_a_command_after_two_dashes_is_the_one_server(commands: Commands) -> None:
    command = ["--", sys.executable, str(SERVERS / "marker.py")]
    with anyio.fail_after(30):
        async with commands.serving("stdio", *command) as served, served.client("auto") as client:
            failed, text = await execute(client, "[tool['name'] for tool in list_tools()]")

    assert not failed
    assert "marker.mark" in text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '{"codeact": {"limits": {"deadlin_s": 5}}}',
            "codeact.limits.deadlin_s: unknown key; did you mean deadline_s?",
        ),
        ('{"codeact": {"limits": {"deadline_s": "5"}}}', "codeact.limits.deadline_s: must be a number"),
        ('{"mcpServers": {"a": {"command": "${NOT_SET_ANYWHERE}"}}}', "NOT_SET_ANYWHERE"),
        ("{", ""),
    ],
)
@pytest.mark.parametrize("command", [["serve"], ["tools"], ["run", "-"]])
def test_a_bad_configuration_is_one_line_with_file_key_and_reason_and_exit_2(
    text: str, said: str, command: list[str], commands: Commands
) -> None:
    config = commands.folder / "config.json"
    config.write_text(text)

    done = commands.run(*command, "--config", str(config))

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"codeact-mcp: {config}")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_configuration_that_is_not_there_is_one_line_and_exit_2(commands: Commands) -> None:
    done = commands.run("serve", "--config", "nowhere.toml")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "nowhere.toml" in done.stderr


def test_a_file_and_a_command_together_are_refused(commands: Commands) -> None:
    done = commands.run("serve", "--config", commands.config(), "--", "some-server")

    assert done.returncode == 2
    assert done.stderr == "codeact-mcp: use either --config FILE or -- COMMAND, not both\n"


@pytest.mark.parametrize(
    "words", [["serv"], ["serve", "--transport", "carrier-pigeon"], ["serve", "--port", "99999"], ["run"]], ids=" ".join
)
def test_a_slip_on_the_command_line_is_named_without_a_traceback(words: list[str], commands: Commands) -> None:
    done = commands.run(*words)

    assert (done.returncode, done.stdout) == (2, "")
    assert "--help" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["serve", "run", "tools", "demo"])
def test_help_says_what_each_command_does_in_a_whole_sentence(command: str, commands: Commands) -> None:
    overview = commands.run("--help").stdout
    done = commands.run(command, "--help")

    assert done.returncode == 0
    (line,) = (line for line in overview.splitlines() if line.startswith(f"  {command} "))
    assert line.endswith("."), "cut off"
    assert not line.endswith("..."), "cut off"
    assert "--config FILE" in done.stdout
    assert "--engine" in done.stdout


def test_the_version_is_told(commands: Commands) -> None:
    done = commands.run("--version")

    assert done.returncode == 0
    assert done.stdout.startswith("codeact-mcp 0.")


def test_the_demo_gets_the_published_totals(commands: Commands) -> None:
    done = commands.run("demo")

    assert done.returncode == 0
    assert "Diana: 1 lines, 104.40" in done.stdout
    assert "36 tool calls" in done.stdout


def test_the_orders_example_runs_as_its_configuration_says(commands: Commands, tmp_path: Path) -> None:
    # The configuration's git server wants a repository, which what the tests run from need not be.
    config = commands.config({"orders": server("../../examples/orders_server.py")})

    done = commands.run("run", "--config", config, str(EXAMPLES / "orders.py"))

    assert done.returncode == 0
    assert done.stdout.endswith('["Bob", 9.71]]\n')
