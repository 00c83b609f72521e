"""Published servers from npm and PyPI, installed once, outside the repository, when a test first needs them."""

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import platformdirs
import pytest

INSTALL_TIMEOUT_S = 240
"""For the first installation; later tests use the cache."""

NPM_PACKAGES = (
    "@modelcontextprotocol/server-everything@2026.8.31",
    "@modelcontextprotocol/server-filesystem@2026.8.31",
    "@modelcontextprotocol/server-memory@2026.8.31",
)


def npm_server(name: str) -> list[str]:
    """The command line of an npm package's server. Skips the test, loudly, if there is no npm."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("NOT TESTED against the published npm servers: there is no npm here")

    def install(folder: Path) -> None:
        options = ["--prefix", str(folder), "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        _run(["npm", "install", *options, *NPM_PACKAGES])

    folder = _once("npm", NPM_PACKAGES, install)
    return ["node", str(folder / "node_modules" / "@modelcontextprotocol" / name / "dist" / "index.js")]


def pypi_server(command: str, *requirements: str) -> list[str]:
    """The command line of a PyPI package's server, in an environment of its own."""

    def install(folder: Path) -> None:
        venv.create(folder, with_pip=True)
        _run([str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", *requirements])

    return [str(_once(command, (*requirements, sys.version), install) / "bin" / command)]


def _once(name: str, contents: tuple[str, ...], install: Callable[[Path], None]) -> Path:
    """The folder that `install` filled, now or earlier. An unfinished installation starts again."""
    cache = Path(os.environ.get("CODEACT_TEST_CACHE") or platformdirs.user_cache_path("codeact-mcp-tests"))
    folder = cache / f"{name}-{hashlib.sha256(repr(contents).encode()).hexdigest()[:12]}"
    done = folder / ".installed"
    if not done.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        install(folder)
        done.write_text("")
    return folder


def _run(command: list[str]) -> None:
    ran = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S, check=False)
    if ran.returncode != 0:
        pytest.fail(f"{' '.join(command)} failed:\n{ran.stdout[-2_000:]}{ran.stderr[-2_000:]}")
