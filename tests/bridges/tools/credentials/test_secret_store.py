"""Where the access to servers is kept."""

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
    """A system's keyring, with the one way that the package `keyring` has to each."""

    def __init__(self, most: int = 1_000) -> None:
        self.kept: dict[tuple[str, str], str] = {}
        self._most = most

    def get_password(self, service: str, name: str) -> str | None:
        return self.kept.get((service, name))

    def set_password(self, service: str, name: str, text: str) -> None:
        if len(text) > self._most:
            raise ValueError("the stub received bad data")
        self.kept[service, name] = text

    def delete_password(self, service: str, name: str) -> None:
        del self.kept[service, name]


@pytest.fixture(params=["memory", "files", "keyring"])
def secret_store(request: pytest.FixtureRequest, tmp_path: Path) -> SecretStore:
    keepers: dict[str, SecretStore] = {
        "memory": MemorySecretStore(),
        "files": FileSecretStore(tmp_path / "access"),
        "keyring": KeyringSecretStore(Keyring(), MemorySecretStore()),
    }
    return keepers[request.param]


async def test_what_is_kept_is_there_until_it_is_forgotten(secret_store: SecretStore) -> None:
    assert await secret_store.load("one") is None
    await secret_store.save("one", "first")
    await secret_store.save("one", "second")
    await secret_store.save("other", "text")
    assert await secret_store.load("one") == "second"
    await secret_store.forget("one")
    await secret_store.forget("one")
    assert (await secret_store.load("one"), await secret_store.load("other")) == (None, "text")


async def test_what_the_keyring_does_not_take_is_kept_in_a_file(tmp_path: Path) -> None:
    keyring = Keyring(most=10)
    secret_store = KeyringSecretStore(keyring, FileSecretStore(tmp_path))
    await secret_store.save("one", "short")
    await secret_store.save("one", "x" * 11)
    assert keyring.kept == {}
    assert await secret_store.load("one") == "x" * 11


async def test_a_file_and_its_folder_are_their_owners(tmp_path: Path) -> None:
    await FileSecretStore(folder := tmp_path / "access").save("../a server/", "text")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.iterdir())}
    assert modes == {"access": 0o700, ".._a_server_.json": 0o600}


async def test_without_a_keyring_there_are_files(tmp_path: Path) -> None:
    secret_store = open_secret_store(tmp_path)
    await secret_store.save("one", "text")
    assert await open_secret_store(tmp_path).load("one") == "text"


def test_two_addresses_are_two_names() -> None:
    assert name_for("hub", "https://a.example/mcp") != name_for("hub", "https://b.example/mcp")
