"""The project's checks, one step each: `python -m tests.check [lint|format|types|unit|slow|clients|coverage|all]`.

A step runs its commands from the project's top folder and shows them. The first command that fails ends the check with
its exit code. Further arguments go to the step's last command: `python -m tests.check unit tests/bridges -x`.
"""

import argparse
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]

STEPS = {
    "lint": ["ruff check .", "ruff format --check ."],
    "format": ["ruff check --fix .", "ruff format ."],
    "types": ["mypy", f"pyright --pythonpath {shlex.quote(sys.executable)}"],
    "unit": ["pytest"],
    "slow": ["pytest -m slow"],
    "clients": ["pytest -m clients"],
    "coverage": ["pytest --cov --cov-fail-under=0 --cov-report=", "pytest -m slow --cov --cov-append"],
}
"""Modules that this Python runs, with their arguments."""

ALL = ("lint", "types", "coverage")
"""`coverage` runs the tests of `unit` and of `slow`; `format` changes files; `clients` drives all clients,
`slow` four of them."""


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.check", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("step", nargs="?", choices=[*STEPS, "all"], default="all", help="default: all")
    chosen, more = parser.parse_known_args()
    commands = [command for step in (ALL if chosen.step == "all" else [chosen.step]) for command in STEPS[step]]
    for number, command in enumerate(commands, 1):
        words = [*shlex.split(command), *(more if number == len(commands) else [])]
        print(f"== {shlex.join(words)}", flush=True)  # noqa: T201
        code = subprocess.run([sys.executable, "-m", *words], cwd=ROOT, check=False).returncode
        if code:
            print(f"== failed, with exit code {code}: {shlex.join(words)}", file=sys.stderr)  # noqa: T201
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
