"""The modules bridge of a run: the standard library first, then the operator's packages."""

from codeact_bridges.modules.packages import Packages
from codeact_bridges.modules.standard_library import StandardLibrary
from codeact_bridges.values import JsonValue


class ModulesBridge:
    """See `port.ModulesPort`."""

    def __init__(self, library: StandardLibrary, packages: Packages) -> None:
        self._library, self._packages = library, packages

    async def get(self, name: str, magic: str) -> JsonValue:
        return await self._library.get(name, magic) or await self._packages.get(name, magic)

    async def data(self, path: str) -> JsonValue:
        return await self._library.data(path) or await self._packages.data(path)

    async def list(self, path: str) -> JsonValue:
        return await self._library.list(path) or await self._packages.list(path)
