"""Third-party packages for the guest: only the files of the distributions that the operator listed.

The files that may be served are collected once, at start, from each distribution's RECORD. The guest can only name an
entry of that table: no path of the host is ever built from the guest's text.
"""

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from importlib.util import decode_source
from pathlib import Path, PurePosixPath

import anyio.to_thread
from packaging.requirements import InvalidRequirement, Requirement

from codeact_bridges.modules.extension_check import SUFFIXES, needed_extension
from codeact_bridges.values import JsonValue

ROOT = "/packages/"
"""The packages' folder, as the guest sees it."""

GUEST = {
    "implementation_name": "cpython",
    "implementation_version": "3.14.0",
    "os_name": "posix",
    "platform_machine": "wasm32",
    "platform_python_implementation": "CPython",
    "platform_release": "",
    "platform_system": "wasi",
    "platform_version": "",
    "python_full_version": "3.14.0",
    "python_version": "3.14",
    "sys_platform": "wasi",
    "extra": "",
}
"""The guest's environment, for the markers of requirements."""

_METADATA = {"METADATA", "entry_points.txt", "top_level.txt"}


class PackageRefused(Exception):
    """A package of `codeact.packages` cannot be served."""

    def __init__(self, package: str, reason: str) -> None:
        super().__init__(f"codeact.packages: {package!r} {reason}")
        self.package, self.reason = package, reason


class Packages:
    """See `port.ModulesPort`. Made by `find_packages`."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._files = files
        folders = {parent.as_posix() for name in files for parent in PurePosixPath(name).parents}
        self._folders = folders - {"."}
        self._read_cached = lru_cache(maxsize=512)(self._read)

    async def get(self, name: str, magic: str) -> JsonValue:
        if "/" in name:
            return None
        stem = name.replace(".", "/")
        for path, package in ((f"{stem}/__init__.py", True), (f"{stem}.py", False)):
            if path in self._files:
                source = await anyio.to_thread.run_sync(self._read_cached, path)
                return {"path": ROOT + path, "package": package, "source": source}
        if stem in self._folders:
            return {"path": f"{ROOT}{stem}/__init__.py", "package": True, "source": ""}
        return None

    async def data(self, path: str) -> JsonValue:
        file = self._files.get(path.removeprefix(ROOT)) if path.startswith(ROOT) else None
        if file is None:
            return None
        return b64encode(await anyio.to_thread.run_sync(file.read_bytes)).decode()

    async def list(self, path: str) -> JsonValue:
        inside = f"{path}/".removeprefix(ROOT)
        names = (
            name.removeprefix(inside) for name in self._files if f"{path}/".startswith(ROOT) and name.startswith(inside)
        )
        return [*sorted({name.partition("/")[0] for name in names})]

    def _read(self, path: str) -> str:
        return decode_source(self._files[path].read_bytes())


def find_packages(names: Iterable[str]) -> Packages:
    """The packages of these names and their requirements.

    Raises:
        PackageRefused: one is not installed, has nothing to serve, or cannot work without compiled code.
    """
    files: dict[str, Path] = {}
    seen: set[str] = set()
    for name in names:
        _add(name, (), files, seen)
    return Packages(files)


def _add(name: str, needed_by: tuple[str, ...], files: dict[str, Path], seen: set[str]) -> None:
    normal = re.sub(r"[-_.]+", "-", name).lower()
    if normal in seen:
        return
    seen.add(normal)
    listed = needed_by[0] if needed_by else name
    chain = "".join(f"needs {each}, which " for each in (*needed_by[1:], name)) if needed_by else ""
    try:
        found = distribution(name)
    except PackageNotFoundError:
        advice = (
            f"is not installed beside codeact-mcp; install it there (`pip install {name}`) or remove it from the list"
        )
        raise PackageRefused(listed, chain + advice) from None
    installed = _installed(found)
    compiled = needed_extension(installed)
    if compiled is not None:
        raise PackageRefused(
            listed, f"{chain}needs its compiled part {compiled}; only pure Python can run in the guest"
        )
    served = {path: file for path, file in installed.items() if not path.endswith(SUFFIXES)}
    if not any(path.endswith(".py") for path in served):
        raise PackageRefused(listed, f"{chain}has no Python files of its own (is it installed in editable mode?)")
    for path, file in served.items():
        files.setdefault(path, file)
    for requirement in _required(found):
        _add(requirement, (*needed_by, name), files, seen)


def _installed(found: Distribution) -> dict[str, Path]:
    """Its files below `site-packages`, without bytecode and the installer's own records."""
    installed: dict[str, Path] = {}
    for path in found.files or ():
        if path.is_absolute() or ".." in path.parts or "__pycache__" in path.parts or path.suffix in (".pyc", ".pth"):
            continue
        if path.parts[0].endswith(".dist-info") and path.name not in _METADATA:
            continue
        installed[path.as_posix()] = Path(str(found.locate_file(path)))
    return installed


def _required(found: Distribution) -> Iterable[str]:
    for text in found.requires or ():
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue
        if requirement.marker is None or requirement.marker.evaluate({**GUEST}):
            yield requirement.name
