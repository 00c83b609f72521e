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


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A directory for links to point to."""
    path = tmp_path / "elsewhere"
    path.mkdir(mode=0o700)
    return path


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
def test_a_file_is_not_used_as_the_directory(cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache.write_text("")
    assert private_directory(cache) is None
    assert "(File exists)" in caplog.text


@posix
@pytest.mark.parametrize("mode", [0o700, 0o755])
async def test_a_symlink_to_a_directory_of_our_own_is_followed_and_its_target_left_as_it_is(
    source: Path, cache: Path, elsewhere: Path, compilations: Compilations, mode: int
) -> None:
    elsewhere.chmod(mode)
    cache.symlink_to(elsewhere)
    first = await compiled(source, cache, compilations)
    second = await compiled(source, cache, compilations)
    assert first == second
    assert compilations.count == 1
    assert len(list(elsewhere.iterdir())) == 1
    assert stat.S_IMODE(elsewhere.stat().st_mode) == mode
    assert private_directory(cache) == elsewhere.resolve()


@posix
@pytest.mark.parametrize("mode", [0o770, 0o777, 0o1777, 0o720, 0o702])
async def test_a_symlink_to_a_directory_that_others_can_write_to_is_refused(
    source: Path,
    cache: Path,
    elsewhere: Path,
    compilations: Compilations,
    mode: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    cache.symlink_to(elsewhere)
    await compiled(source, cache, compilations)
    elsewhere.chmod(mode)
    await compiled(source, cache, compilations)
    assert compilations.count == 2
    assert (
        f"{cache} is not private to this user (others can write to it): the guest is compiled again for this process"
    ) in caplog.text
    assert stat.S_IMODE(elsewhere.stat().st_mode) == mode


@posix
def test_a_symlink_to_a_directory_that_others_can_replace_is_refused(
    cache: Path, elsewhere: Path, caplog: pytest.LogCaptureFixture
) -> None:
    inner = elsewhere / "inner"
    inner.mkdir(mode=0o700)
    cache.symlink_to(inner)
    elsewhere.chmod(0o777)
    assert private_directory(cache) is None
    assert f"(others can replace it, because they can write to {elsewhere.resolve()})" in caplog.text
    elsewhere.chmod(0o1777)
    assert private_directory(cache) == inner.resolve()


@posix
def test_a_symlink_to_a_directory_of_another_user_is_refused(
    cache: Path, elsewhere: Path, caplog: pytest.LogCaptureFixture
) -> None:
    if os.geteuid() == 0:
        os.chown(elsewhere, 65534, 65534)
        cache.symlink_to(elsewhere)
    else:
        cache.symlink_to("/usr")
    assert private_directory(cache) is None
    assert "(it belongs to another user)" in caplog.text


@posix
@pytest.mark.parametrize("to", ["gone", "cache", "a file"])
def test_a_symlink_to_no_directory_is_refused(
    cache: Path, tmp_path: Path, to: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a file").write_text("")
    cache.symlink_to(tmp_path / to)
    assert private_directory(cache) is None
    assert "is compiled again for this process only" in caplog.text
    assert not (tmp_path / "gone").exists()


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
