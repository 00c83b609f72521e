"""What the README says is so."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from codeact_bridges.limits import Limits
from codeact_server.config.load import load

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
RUN_TIMEOUT_S = 120
"""A first start compiles the guest."""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def test_every_limit_stands_in_the_readme_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| ([\d.]+) \|", README, re.MULTILINE))
    assert {name: float(default) for name, default in rows.items()} == {
        name: float(default) for name, default in Limits().model_dump().items() if not isinstance(default, bool)
    }


@pytest.mark.parametrize("text", blocks("toml"))
def test_the_configurations_in_the_readme_load(text: str, tmp_path: Path) -> None:
    (tmp_path / "reports").mkdir()
    (tmp_path / "out").mkdir()
    file = tmp_path / "codeact.toml"
    # A block on its own has no servers; one of them has a rule for this one.
    servers = "" if "mcpServers" in text else "\n[mcpServers.github]\ncommand = 'x'\n"
    file.write_text(text + servers, encoding="utf-8")
    assert load(file, {"HOME": str(tmp_path), "GITHUB_TOKEN": "t"}).notes == ()


def test_the_entry_for_claude_desktop_is_one_that_we_recognise_as_ours(tmp_path: Path) -> None:
    file = tmp_path / "claude_desktop_config.json"
    file.write_text(blocks("json")[0], encoding="utf-8")
    config = load(file, {"HOME": str(tmp_path)})
    assert config.servers == ()
    assert any("codeact" in note for note in config.notes)


def test_the_program_in_the_readme_runs(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(blocks("python")[0], encoding="utf-8")
    config = tmp_path / "codeact.toml"
    server = ROOT / "examples" / "orders_server.py"
    config.write_text(f"mcpServers.orders = {{ command = '{sys.executable}', args = ['{server}'] }}", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "codeact_server", "run", str(program), "--config", str(config)],
        capture_output=True,
        text=True,
        env=os.environ.copy(),
        timeout=RUN_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "asked for 8 rates"
    assert done.stdout.splitlines()[1].startswith('{"Alice": 0.2, "Bob": 0.1, ')


def test_each_command_in_the_readme_does_all_of_its_own_set_up() -> None:
    commands = blocks("sh")
    assert len(commands) == 2
    assert all(re.match(r"python3 -m venv \S+ && \S+/pip install ", command) for command in commands)
