"""Recorded answers: which start they belong to, and files that are damaged or foreign."""

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import platformdirs
import pytest

import codeact_bridges
import codeact_server
from codeact_server.front.recording import MAX_FILES, Answers, Recording

ANSWERS: Answers = {
    "initialize other": {"protocolVersion": "2025-11-25"},
    "tools/list 2025-11-25": {"tools": [{"name": "ä"}]},
}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "servers.json"
    path.write_text('{"mcpServers": {"a": {"command": "${TOOL}", "args": ["$OTHER", "${env:THIRD}"]}}}')
    return path


def recording(tmp_path: Path, *arguments: str, **environ: str) -> Recording:
    found = Recording.of(["serve", *arguments], {"XDG_STATE_HOME": str(tmp_path / "state"), **environ})
    assert found is not None
    return found


def written(tmp_path: Path) -> Recording:
    found = recording(tmp_path)
    found.write(ANSWERS)
    return found


def test_what_was_written_is_read_by_the_next_start(tmp_path: Path) -> None:
    written(tmp_path)
    assert recording(tmp_path).read() == ANSWERS


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    path = Path(written(tmp_path).path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_it_lies_where_our_other_state_lies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for environ in ({"XDG_STATE_HOME": str(tmp_path)}, {"XDG_STATE_HOME": " "}, {}):
        monkeypatch.delenv("XDG_STATE_HOME", raising=False)
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        found = Recording.of(["serve"], os.environ)
        assert found is not None
        assert Path(found.path).parent == platformdirs.user_state_path("codeact-mcp", appauthor=False) / "openings"


@pytest.mark.parametrize("arguments", [[], ["run"], ["--version"], ["doctor", "serve"]])
def test_other_commands_have_none(arguments: list[str]) -> None:
    assert Recording.of(arguments, {}) is None


def test_each_command_line_has_its_own(tmp_path: Path) -> None:
    lines = [[], ["--engine", "wasmtime"], ["--engine=wasmtime"], ["--", "a", "b"], ["--", "a b"]]
    assert len({recording(tmp_path, *line).path for line in lines}) == len(lines)


@pytest.mark.parametrize("form", [["--config", "{}"], ["--config={}"]])
def test_a_changed_configuration_has_another(tmp_path: Path, config: Path, form: list[str]) -> None:
    arguments = [part.format(config) for part in form]
    before = recording(tmp_path, *arguments).path
    assert recording(tmp_path, *arguments).path == before
    config.write_text(config.read_text() + " ")
    assert recording(tmp_path, *arguments).path != before


@pytest.mark.parametrize("name", ["TOOL", "OTHER", "THIRD"])
def test_a_variable_that_the_configuration_names_belongs_to_it(tmp_path: Path, config: Path, name: str) -> None:
    one = recording(tmp_path, "--config", str(config), **{name: "one"}).path
    assert recording(tmp_path, "--config", str(config), **{name: "other"}).path != one
    assert recording(tmp_path, "--config", str(config), **{name: "one", "UNNAMED": "x"}).path == one


def test_a_command_belongs_to_the_folder_it_starts_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = recording(tmp_path, "--", "python", "server.py").path
    monkeypatch.chdir(tmp_path)
    assert recording(tmp_path, "--", "python", "server.py").path != here


def test_each_state_of_our_code_has_its_own(tmp_path: Path) -> None:
    for package in (codeact_server, codeact_bridges):
        source = Path(package.__path__[0])
        shutil.copytree(
            source, tmp_path / source.name, ignore=lambda _, names: [name for name in names if name == "built"]
        )
    changed = tmp_path / "codeact_server" / "protocol" / "description.py"
    code = "from codeact_server.front.recording import Recording; print(Recording.of(['serve'], {}).path)"

    def path() -> str:
        environment = {"PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-c", code]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    before = path()
    assert path() == before
    changed.write_text(changed.read_text() + "#")
    assert path() != before


def test_a_configuration_that_cannot_be_read_has_none(tmp_path: Path) -> None:
    for argument in (str(tmp_path / "missing"), str(tmp_path), "\0"):
        assert Recording.of(["serve", "--config", argument], {}) is None
    assert Recording.of(["serve", "--config"], {}) is None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_configuration_from_a_pipe_has_none_and_stays_unread(tmp_path: Path) -> None:
    pipe = tmp_path / "servers.json"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with open(pipe, "wb") as writer:
        writer.write(b"{}")
    assert Recording.of(["serve", "--config", str(pipe)], {}) is None
    assert os.read(reader, 9) == b"{}"
    os.close(reader)


@pytest.mark.parametrize("answers", [[], "x", None, {"initialize other": "x"}, {"tools/list 2025-11-25": []}])
def test_a_file_of_another_shape_is_ignored(tmp_path: Path, answers: Any) -> None:
    found = recording(tmp_path)
    found.write(answers)
    assert found.read() is None


def test_there_is_none_at_first(tmp_path: Path) -> None:
    assert recording(tmp_path).read() is None


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda data: data[:-1],
    "cut in its digest": lambda data: data[:40],
    "empty": lambda data: b"",
    "changed": lambda data: data.replace(b"2025", b"2024"),
    "longer": lambda data: data.replace(b"\n", b"\n\n"),
    "no text": lambda data: b"\xff" + data,
    "nested": lambda data: b"[" * 100_000,
    "too long": lambda data: data + b" " * 1_000_000,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_ignored(tmp_path: Path, damage: str) -> None:
    found = written(tmp_path)
    path = Path(found.path)
    path.write_bytes(DAMAGE[damage](path.read_bytes()))
    assert found.read() is None


def test_another_starts_file_is_ignored(tmp_path: Path) -> None:
    other = recording(tmp_path, "--engine", "wasmtime")
    shutil.copy(written(tmp_path).path, other.path)
    assert other.read() is None


def test_a_file_that_others_may_write_is_ignored(tmp_path: Path) -> None:
    found = written(tmp_path)
    os.chmod(found.path, 0o620)
    assert found.read() is None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_named_pipe_in_its_place_does_not_block(tmp_path: Path) -> None:
    found = written(tmp_path)
    os.unlink(found.path)
    os.mkfifo(found.path)
    assert found.read() is None


def test_old_recordings_make_room(tmp_path: Path) -> None:
    folder = Path(written(tmp_path).path).parent
    for number in range(MAX_FILES):
        (folder / f"{number}.json").touch()
        os.utime(folder / f"{number}.json", (number, number))
    written(tmp_path)
    assert len(list(folder.iterdir())) == MAX_FILES
    assert not (folder / "0.json").exists()
    assert recording(tmp_path).read() == ANSWERS
