"""The compiled guest in the cache: only files that we wrote are loaded, any other file is built again.

The component here is the smallest possible one; it compiles in a fraction of a second, in the same way as the real one.
"""

# ruff: noqa: ASYNC240  # small files, in tests

import hashlib
import os
import stat
import sys
from pathlib import Path

import anyio
import pytest

from codeact_bridges.errors import EngineUnavailable
from codeact_bridges.sandbox.component_cache import compiled_component, private_directory

SMALLEST = b"\0asm\x0d\0\x01\0"
"""A Wasm component with nothing in it."""

GUARD_S = 60

posix = pytest.mark.skipif(sys.platform == "win32", reason="owners and modes are POSIX")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "guest.wasm"
    path.write_bytes(SMALLEST)
    return path


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


class Compilations:
    """Counts the compilations."""

    count = 0

    def __call__(self) -> None:
        self.count += 1


@pytest.fixture
def compilations() -> Compilations:
    return Compilations()


async def compiled(source: Path, cache: Path, compilations: Compilations) -> bytes:
    """The content of the file that would be loaded."""
    with anyio.fail_after(GUARD_S):
        async with compiled_component(source, cache, compilations) as path:
            return path.read_bytes()


async def test_a_component_is_compiled_once_and_then_found_in_the_cache(
    source: Path, cache: Path, compilations: Compilations
) -> None:
    first = await compiled(source, cache, compilations)
    second = await compiled(source, cache, compilations)
    assert first == second
    assert compilations.count == 1


async def test_another_component_is_compiled_separately(source: Path, cache: Path, compilations: Compilations) -> None:
    await compiled(source, cache, compilations)
    source.write_bytes(SMALLEST + b"\0\x02\x01x")  # a custom section
    await compiled(source, cache, compilations)
    assert compilations.count == 2


@posix
async def test_the_cached_file_is_private_to_this_user(source: Path, cache: Path, compilations: Compilations) -> None:
    await compiled(source, cache, compilations)
    (cached,) = cache.iterdir()
    assert [stat.S_IMODE(path.stat().st_mode) for path in (cache, cached)] == [0o700, 0o600]


async def test_a_damaged_file_is_never_loaded_but_built_again(
    source: Path, cache: Path, compilations: Compilations, caplog: pytest.LogCaptureFixture
) -> None:
    good = await compiled(source, cache, compilations)
    (cached,) = cache.iterdir()
    cached.write_bytes(good[:-1] + b"!")
    assert await compiled(source, cache, compilations) == good
    assert compilations.count == 2
    assert "is damaged or not ours" in caplog.text


@posix
async def test_a_file_that_others_may_write_to_is_built_again(
    source: Path, cache: Path, compilations: Compilations
) -> None:
    await compiled(source, cache, compilations)
    (cached,) = cache.iterdir()
    cached.chmod(0o666)
    await compiled(source, cache, compilations)
    assert compilations.count == 2


@posix
async def test_a_symlink_in_place_of_the_file_is_not_followed(
    source: Path, cache: Path, tmp_path: Path, compilations: Compilations
) -> None:
    await compiled(source, cache, compilations)
    (cached,) = cache.iterdir()
    elsewhere = tmp_path / "elsewhere"
    cached.rename(elsewhere)
    cached.symlink_to(elsewhere)
    await compiled(source, cache, compilations)
    assert compilations.count == 2
    assert not cached.is_symlink()


@posix
async def test_a_file_of_another_user_with_the_right_digest_is_built_again(
    source: Path, cache: Path, compilations: Compilations
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    await compiled(source, cache, compilations)
    (cached,) = cache.iterdir()
    os.chown(cached, 65534, 65534)
    await compiled(source, cache, compilations)
    assert compilations.count == 2
    assert cached.stat().st_uid == 0


@posix
def test_a_directory_that_others_can_enter_is_made_private(cache: Path) -> None:
    cache.mkdir(mode=0o755)
    assert private_directory(cache)
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700


@posix
@pytest.mark.parametrize("what", ["a file", "a link"])
def test_a_file_or_symlink_is_not_used_as_the_directory(cache: Path, tmp_path: Path, what: str) -> None:
    if what == "a file":
        cache.write_text("")
    else:
        (tmp_path / "real").mkdir(mode=0o700)
        cache.symlink_to(tmp_path / "real")
    assert not private_directory(cache)


async def test_without_a_cache_directory_the_guest_is_compiled_for_this_process_only(
    source: Path, tmp_path: Path, compilations: Compilations, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = tmp_path / "a file"
    blocked.write_text("")
    with anyio.fail_after(GUARD_S):
        async with compiled_component(source, blocked / "cache", compilations) as path:
            assert path.exists()
    assert not path.exists()
    assert "compiled again for this process only" in caplog.text


async def test_concurrent_compilations_all_get_a_complete_file(
    source: Path, cache: Path, compilations: Compilations
) -> None:
    got: list[bytes] = []

    async def one() -> None:
        got.append(await compiled(source, cache, compilations))

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(one)
    assert len(got) == 3
    for cached in cache.iterdir():
        assert cached.stem.rpartition("-")[2] == hashlib.sha256(cached.read_bytes()).hexdigest()


async def test_a_missing_component_says_what_to_do(cache: Path, tmp_path: Path, compilations: Compilations) -> None:
    with pytest.raises(EngineUnavailable, match="install it again"):
        await compiled(tmp_path / "none.wasm", cache, compilations)


async def test_a_component_that_cannot_be_compiled_says_why(
    source: Path, cache: Path, compilations: Compilations
) -> None:
    source.write_bytes(b"this is no WebAssembly")
    with pytest.raises(EngineUnavailable, match=r"cannot be compiled here: .+"):
        await compiled(source, cache, compilations)
    assert list(cache.iterdir()) == []
