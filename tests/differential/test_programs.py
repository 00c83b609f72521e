"""Each program in `programs/` prints the same in the guest as on the Python that runs this test.

They are plain programs over the standard library, true of CPython 3.11 to 3.14, and take some milliseconds each.
"""

import sys
from pathlib import Path

import anyio
import pytest
from lab import Lab, stdout

PROGRAMS = sorted((Path(__file__).parent / "programs").glob("*.py"))


async def on_the_host(program: Path) -> str:
    done = await anyio.run_process([sys.executable, "-X", "utf8", "-I", str(program)], check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().replace("\r\n", "\n") if sys.platform == "win32" else done.stdout.decode()


def test_there_are_enough_of_them() -> None:
    assert len(PROGRAMS) >= 150


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.stem)
async def test_a_program_prints_in_the_guest_what_it_prints_on_the_host(lab: Lab, program: Path) -> None:
    expected = await on_the_host(program)
    result = await lab.run(await anyio.Path(program).read_text(encoding="utf-8"))
    assert result.failure is None, result.failure.message
    assert stdout(result) == expected
