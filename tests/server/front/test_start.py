"""The first step of the process: it costs little, and touches nothing that it does not answer on."""

import subprocess
import sys
from pathlib import Path

from codeact_server.front.recording import Recording

DEAR = "anyio asyncio dataclasses importlib.metadata inspect logging mcp pathlib platformdirs pydantic tempfile typer"
"""Modules that take longer to import than the whole front."""

BEGIN = """
import os, sys
from codeact_server.front.start import Start
start = Start.begin({arguments!r}, {environ!r})
print(start.recording is not None, start.opening is not None)
"""


def begun(tmp_path: Path, *arguments: str) -> tuple[str, str]:
    """What a process that begins with these arguments prints to stdout and to stderr."""
    code = BEGIN.format(arguments=arguments, environ={"XDG_STATE_HOME": str(tmp_path)})
    done = subprocess.run([sys.executable, "-c", code], input="", capture_output=True, text=True, check=True)
    return done.stdout.strip(), done.stderr.strip()


def record(tmp_path: Path) -> None:
    recording = Recording.of(["serve"], {"XDG_STATE_HOME": str(tmp_path)})
    assert recording is not None
    recording.write({})


def test_it_loads_little() -> None:
    code = f"import codeact_server.cli.main, sys; print(*[name for name in {DEAR.split()} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_without_a_recording_stdout_stays_as_it_is(tmp_path: Path) -> None:
    assert begun(tmp_path, "serve") == ("True False", "")


def test_with_a_recording_it_answers_on_stdout_and_what_is_printed_goes_to_stderr(tmp_path: Path) -> None:
    record(tmp_path)
    assert begun(tmp_path, "serve") == ("", "True True")


def test_other_commands_keep_their_stdout(tmp_path: Path) -> None:
    record(tmp_path)
    assert begun(tmp_path, "serve", "--help") == ("True False", "")
    assert begun(tmp_path, "run", "-") == ("False False", "")


def test_a_terminal_or_a_file_as_stdin_is_left_alone(tmp_path: Path) -> None:
    record(tmp_path)
    code = BEGIN.format(arguments=["serve"], environ={"XDG_STATE_HOME": str(tmp_path)})
    done = subprocess.run(
        [sys.executable, "-c", code], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "True False"
