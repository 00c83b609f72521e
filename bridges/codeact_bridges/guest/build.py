"""Builds the guest: a hatchling hook, and `python build.py` for a working copy.

It writes two files to `built/`: `guest.wasm` (10 s) and `stdlib.zip` (30 s), each only if its sources have changed.
Built files are not committed.
"""

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from functools import partial
from importlib.metadata import distribution, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

HERE = Path(__file__).parent
BUILT = HERE / "built"
MADE_WITH = ("componentize-py", "wasmtime", "tzdata")
BUILD_TIMEOUT_S = 600
"""Far more than the slowest measured machine needs (40 s)."""


class GuestBuildHook(BuildHookInterface[Any]):
    """Adds the guest to every wheel and every editable install."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name == "wheel":
            build()


def build() -> None:
    """Bring `built/` up to date."""
    BUILT.mkdir(exist_ok=True)
    wit = sorted((HERE / "wit").glob("*.wit"))
    runtime = HERE / "runtime"
    sources = [*sorted((runtime / "codeact_guest").rglob("*.py")), runtime / "common_modules.py", *wit]
    _make(BUILT / "stdlib.zip", [runtime / "archive.py", *sources], _archive)
    _make(BUILT / "guest.wasm", [runtime / "component.py", *sources], partial(_componentize, "guest", "component"))


def _make(target: Path, sources: Iterable[Path], make: Callable[[Path], None]) -> None:
    digest = hashlib.sha256(" ".join(version(name) for name in MADE_WITH).encode())
    for source in sources:
        digest.update(source.relative_to(HERE).as_posix().encode() + b"\0" + source.read_bytes() + b"\0")
    stamp = target.with_suffix(target.suffix + ".made-of")
    if target.exists() and stamp.exists() and stamp.read_text() == digest.hexdigest():
        return
    with tempfile.TemporaryDirectory(dir=BUILT) as folder:
        made = Path(folder) / target.name
        make(made)
        made.replace(target)
    stamp.write_text(digest.hexdigest())


def _componentize(world: str, app: str, target: Path, *also: Path) -> None:
    # Not the command `componentize-py`: in pip's isolated build environment only this process can find the package.
    spec = find_spec("componentize_py")
    if spec is None or spec.origin is None:
        raise RuntimeError("componentize-py is not installed")
    place = str(Path(spec.origin).parents[1])
    boot = f"import sys; sys.path.insert(0, {place!r}); import componentize_py; componentize_py.script()"
    command = [sys.executable, "-c", boot, "--wit-path", str(HERE / "wit"), "--world", world]
    command += ["componentize", app, "--output", str(target)]
    for path in (HERE / "runtime", *also):
        command += ["--python-path", str(path)]
    # These variables would put the packages of an active virtual environment into the component.
    environment = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=BUILD_TIMEOUT_S, check=False
    )
    if done.returncode:
        raise RuntimeError(f"componentize-py failed on {app}.py:\n{done.stdout}{done.stderr}")


def _archive(target: Path) -> None:
    import wasmtime
    from wasmtime import component

    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "archive.wasm"
        packages = Path(folder) / "packages"
        tzdata = Path(str(distribution("tzdata").locate_file("tzdata")))
        shutil.copytree(tzdata, packages / "tzdata", ignore=shutil.ignore_patterns("__pycache__"))
        _componentize("archive", "archive", made, packages)
        config = wasmtime.Config()
        config.wasm_component_model = True
        config.cranelift_opt_level = "none"
        engine = wasmtime.Engine(config)
        linker = component.Linker(engine)
        linker.add_wasip2()
        store = wasmtime.Store(engine)
        store.set_wasi(wasmtime.WasiConfig())
        instance = linker.instantiate(store, component.Component(engine, made.read_bytes()))
        index = instance.get_export_index(store, "make")
        function = instance.get_func(store, index) if index is not None else None
        if function is None:
            raise RuntimeError("the archive component has no function `make`")
        target.write_bytes(base64.b64decode(function(store)))


if __name__ == "__main__":
    build()
