"""The guest's standard library and time zone data, from the archive that `guest/runtime/archive.py` builds.

Each `.py` in it is a marshalled code object for the guest's CPython, whose magic number is the archive's comment.
"""

import zipfile
from base64 import b64encode
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import anyio.to_thread

from codeact_bridges.errors import BridgeError
from codeact_bridges.values import JsonValue

ROOT = "/python/"
"""The library's folder, as the guest sees it."""


class StandardLibrary:
    """See `port.ModulesPort`."""

    def __init__(self, archive: Path) -> None:
        self._archive = archive
        self._read_cached = lru_cache(maxsize=256)(self._read)

    async def get(self, name: str, magic: str) -> JsonValue:
        return await anyio.to_thread.run_sync(self._find, name, magic)

    async def data(self, path: str) -> JsonValue:
        name = path.removeprefix("/")
        if not path.startswith(ROOT) or name.endswith(".py") or name not in self._index.names:
            return None
        return await anyio.to_thread.run_sync(self._read_cached, name)

    async def list(self, path: str) -> JsonValue:
        if not f"{path}/".startswith(ROOT):
            return []
        inside = f"{path}/".removeprefix("/")
        names = (name.removeprefix(inside) for name in self._index.names if name.startswith(inside))
        return [*sorted({name.partition("/")[0] for name in names})]

    def _find(self, name: str, magic: str) -> JsonValue:
        if magic != self._index.magic:
            raise BridgeError(
                f"this build of codeact-mcp is incomplete: its standard library is for another Python (magic number "
                f"{self._index.magic}) than its guest ({magic}); install codeact-mcp again"
            )
        if "/" in name:
            return None
        stem = name.replace(".", "/")
        for path, package in ((f"{stem}/__init__.py", True), (f"{stem}.py", False)):
            file = f"{ROOT}{path}".removeprefix("/")
            if file in self._index.names:
                return {"path": f"/{file}", "package": package, "code": self._read_cached(file)}
        return None

    @cached_property
    def _index(self) -> "_Index":
        with zipfile.ZipFile(self._archive) as archive:
            return _Index(frozenset(archive.namelist()), archive.comment.decode())

    def _read(self, path: str) -> str:
        with zipfile.ZipFile(self._archive) as archive:
            return b64encode(archive.read(path)).decode()


@dataclass(frozen=True, slots=True)
class _Index:
    """The names in the archive, and the magic number of its Python."""

    names: frozenset[str]
    magic: str
