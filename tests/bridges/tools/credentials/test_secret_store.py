"""The stores for secrets."""

import stat
from pathlib import Path

import pytest

from codeact_bridges.tools.credentials.secret_store import (
    FileSecretStore,
    KeyringSecretStore,
    MemorySecretStore,
    SecretStore,
    name_for,
    open_secret_store,
)


class Keyring:
    """A system's keyring with the interface of the package `keyring`."""

    def __init__(self, most: int = 1_000) -> None:
        self.texts: dict[tuple[str, str], str] = {}
        self._most = most

    def get_password(self, service: str, name: str) -> str | None:
        return self.texts.get((service, name))

    def set_password(self, service: str, name: str, text: str) -> None:
        if len(text) > self._most:
            raise ValueError("the stub received bad data")
        self.texts[service, name] = text

    def delete_password(self, service: str, name: str) -> None:
        del self.texts[service, name]


@pytest.fixture(params=["memory", "files", "keyring"])
def secret_store(request: pytest.FixtureRequest, tmp_path: Path) -> SecretStore:
    stores: dict[str, SecretStore] = {
        "memory": MemorySecretStore(),
        "files": FileSecretStore(tmp_path / "access"),
        "keyring": KeyringSecretStore(Keyring(), MemorySecretStore()),
    }
    return stores[request.param]


async def test_a_secret_is_stored_until_it_is_forgotten(secret_store: SecretStore) -> None:
    assert await secret_store.load("one") is None
    await secret_store.save("one", "first")
    await secret_store.save("one", "second")
    await secret_store.save("other", "text")
    assert await secret_store.load("one") == "second"
    await secret_store.forget("one")
    await secret_store.forget("one")
    assert (await secret_store.load("one"), await secret_store.load("other")) == (None, "text")


async def test_a_secret_that_the_keyring_refuses_is_stored_in_a_file(tmp_path: Path) -> None:
    keyring = Keyring(most=10)
    secret_store = KeyringSecretStore(keyring, FileSecretStore(tmp_path))
    await secret_store.save("one", "short")
    await secret_store.save("one", "x" * 11)
    assert keyring.texts == {}
    assert await secret_store.load("one") == "x" * 11


async def test_a_file_and_its_folder_are_accessible_to_their_owner_only(tmp_path: Path) -> None:
    await FileSecretStore(folder := tmp_path / "access").save("../a server/", "text")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.iterdir())}
    assert modes == {"access": 0o700, ".._a_server_.json": 0o600}


async def test_without_a_keyring_secrets_are_stored_in_files(tmp_path: Path) -> None:
    secret_store = open_secret_store(tmp_path)
    await secret_store.save("one", "text")
    assert await open_secret_store(tmp_path).load("one") == "text"


def test_two_addresses_have_different_names() -> None:
    assert name_for("github", "https://a.example/mcp") != name_for("github", "https://b.example/mcp")
