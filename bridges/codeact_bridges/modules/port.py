"""What a run needs of the modules bridge."""

from typing import Protocol

from codeact_bridges.values import JsonValue


class ModulesPort(Protocol):
    """Answers the guest's imports."""

    async def get(self, name: str, magic: str) -> JsonValue:
        """`{"path", "package", "code" | "source"}` for a module, or None where there is none of that name.

        Args:
            magic: the magic number of the guest's Python, for which `code` must be.
        """
        ...

    async def data(self, path: str) -> JsonValue:
        """The content of a file of a package, in base64, or None."""
        ...

    async def list(self, path: str) -> JsonValue:
        """The names in a folder of a package."""
        ...
