"""The port through which a run uses the modules bridge."""

from typing import Protocol

from codeact_bridges.values import JsonValue


class ModulesPort(Protocol):
    """Answers the guest's imports."""

    async def get(self, name: str, magic: str) -> JsonValue:
        """`{"path", "package", "code" | "source"}` for a module, or None if there is no module of that name.

        Args:
            magic: the magic number of the guest's Python, which `code` must match.
        """
        ...

    async def data(self, path: str) -> JsonValue:
        """The content of a package's data file in base64, or None."""
        ...

    async def list(self, path: str) -> JsonValue:
        """The names in a package's folder."""
        ...
