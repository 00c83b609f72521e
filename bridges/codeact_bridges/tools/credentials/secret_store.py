"""Persistent storage for small secrets: the system's keyring, or files that only their owner can read.

The keyring is used if the package `keyring` is installed and finds one. That package is not a dependency: on Linux it
needs six packages, one of them compiled, and without a desktop there is usually no keyring.
"""

import hashlib
import importlib
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol, cast

import anyio
import anyio.to_thread

from codeact_bridges.system.private_files import read_small, write_private

log = logging.getLogger(__name__)

SERVICE: Final = "codeact-mcp"

KEYRING_TIMEOUT_S = 10.0
"""A locked keyring asks for a password, in a window that the user may not see."""

MAX_BYTES = 1_000_000


class SecretStore(Protocol):
    """Stores texts by name. `name_for` makes the name."""

    async def load(self, name: str) -> str | None: ...

    async def save(self, name: str, text: str) -> None: ...

    async def forget(self, name: str) -> None: ...


class MemorySecretStore:
    """Stores them in memory."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}

    async def load(self, name: str) -> str | None:
        return self.texts.get(name)

    async def save(self, name: str, text: str) -> None:
        self.texts[name] = text

    async def forget(self, name: str) -> None:
        self.texts.pop(name, None)


class FileSecretStore:
    """Stores each in a file of its own in `folder`, mode 0600."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _path(self, name: str) -> Path:
        return self._folder / f"{re.sub(r'[^A-Za-z0-9._-]', '_', name)[:80]}.json"

    async def load(self, name: str) -> str | None:
        return read_small(self._path(name), MAX_BYTES)

    async def save(self, name: str, text: str) -> None:
        write_private(self._path(name), text)

    async def forget(self, name: str) -> None:
        self._path(name).unlink(missing_ok=True)


class _Keyring(Protocol):
    """The functions of the package `keyring` that are used."""

    def get_password(self, service: str, name: str, /) -> str | None: ...

    def set_password(self, service: str, name: str, text: str, /) -> None: ...

    def delete_password(self, service: str, name: str, /) -> None: ...


class KeyringSecretStore:
    """Stores them in the system's keyring, and those that it refuses (on Windows above 2.5 kB) in `fallback`."""

    def __init__(self, keyring: _Keyring, fallback: SecretStore) -> None:
        self._keyring, self._fallback = keyring, fallback

    async def load(self, name: str) -> str | None:
        found = await self._attempt(lambda: self._keyring.get_password(SERVICE, name))
        return found if found is not None else await self._fallback.load(name)

    async def save(self, name: str, text: str) -> None:
        def put() -> bool:
            self._keyring.set_password(SERVICE, name, text)
            return True

        if await self._attempt(put):
            await self._fallback.forget(name)
        else:
            await self.forget(name)
            await self._fallback.save(name, text)

    async def forget(self, name: str) -> None:
        await self._attempt(lambda: self._keyring.delete_password(SERVICE, name))
        await self._fallback.forget(name)

    async def _attempt(self, work: Callable[[], "str | bool | None"]) -> "str | None":
        with anyio.move_on_after(KEYRING_TIMEOUT_S):
            try:
                return cast("str | None", await anyio.to_thread.run_sync(work, abandon_on_cancel=True))
            # Each system's keyring raises its own errors.
            except Exception as exc:  # noqa: BLE001
                log.debug("the keyring failed: %r", exc)
                return None
        log.warning("the system's keyring did not respond within %s s; continuing without it", KEYRING_TIMEOUT_S)
        return None


def open_secret_store(folder: Path) -> SecretStore:
    """The system's keyring if there is one, else files in `folder`."""
    files = FileSecretStore(folder)
    try:
        keyring = importlib.import_module("keyring")
        usable: bool = keyring.get_keyring().priority >= 1
    # The package looks for a keyring when it is imported, and may find a broken one.
    except Exception as exc:  # noqa: BLE001
        log.debug("no keyring: %r", exc)
        return files
    return KeyringSecretStore(cast(_Keyring, keyring), files) if usable else files


def name_for(server: str, url: str) -> str:
    """The name for the tokens of `server`. Contains a hash of `url`: another address is another server."""
    return f"{server}-{hashlib.sha256(url.encode()).hexdigest()[:12]}"
