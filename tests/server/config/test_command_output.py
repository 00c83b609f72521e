"""`${cmd:…}`: the output of a command."""

import shlex
import sys
from pathlib import Path

import pytest

from codeact_server.config.command_output import CommandFailedError, CommandRunner


def python(program: str) -> str:
    return f"{sys.executable} -c {shlex.quote(program)}"


def test_the_output_is_stdout_without_its_last_line_break() -> None:
    assert CommandRunner({"NAME": "Ada"}).output_of(python("import os; print(os.environ['NAME'] + chr(10))")) == "Ada"


def test_a_command_runs_once_however_often_it_is_written(tmp_path: Path) -> None:
    commands, count = CommandRunner({}), tmp_path / "count"
    program = python(f"open({str(count)!r}, 'a').write('x'); print('token')")
    assert [commands.output_of(program) for _ in range(3)] == ["token"] * 3
    assert count.read_text() == "x"


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("/no/such/program hush", "'/no/such/program': no such file or directory"),
        (python("print('hush'); raise SystemExit(3)"), "failed with exit code 3"),
        (python("pass #hush"), "printed nothing"),
        (python("print('hush' * 50_000)"), "over 64,000 bytes"),
        (python("import sys; sys.stdout.buffer.write(b'hush\\xff')"), "not UTF-8"),
        ("echo 'hush", "an unclosed quote"),
        ("", "contains no command"),
    ],
)
def test_a_command_without_usable_output_is_named_and_its_output_is_not_shown(command: str, reason: str) -> None:
    with pytest.raises(CommandFailedError) as caught:
        CommandRunner({}).output_of(command)
    assert reason in str(caught.value)
    assert "hush" not in str(caught.value)


def test_a_command_that_hangs_is_killed_with_its_children() -> None:
    child = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import signal; signal.pause()'])"
    with pytest.raises(CommandFailedError, match=r"did not finish within 0\.3 s"):
        CommandRunner({}, timeout_s=0.3).output_of(python(child))
