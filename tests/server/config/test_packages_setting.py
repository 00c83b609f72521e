"""`codeact.packages`, from the command line to the program."""

import pytest
from served import Commands


def test_a_listed_package_can_be_imported(commands: Commands) -> None:
    done = commands.run(
        "run", "-", "--config", commands.config(packages=["PyYAML"]), stdin="import yaml; yaml.safe_load('a: 1')"
    )
    assert (done.returncode, done.stdout) == (0, '{"a": 1}\n'), done.stderr


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("numpy", "codeact.packages: 'numpy' needs its compiled part numpy."),
        (
            "no-such-package",
            "codeact.packages: 'no-such-package' is not installed beside codeact-mcp; install it there",
        ),
    ],
)
@pytest.mark.parametrize("command", [("run", "-"), ("tools",), ("serve",)])
def test_a_package_that_cannot_be_served_is_one_line_and_exit_2(
    commands: Commands, name: str, reason: str, command: tuple[str, ...]
) -> None:
    config = commands.config(packages=["PyYAML", name])
    done = commands.run(*command, "--config", config)
    assert (done.returncode, done.stdout) == (2, "")
    line = done.stderr.splitlines()
    assert len(line) == 1
    assert line[0].startswith(f"codeact-mcp: {config}: {reason}")
