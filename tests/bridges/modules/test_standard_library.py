"""The guest's standard library, served by the host."""

import zipfile
from base64 import b64decode
from pathlib import Path

import pytest

from codeact_bridges.errors import BridgeError
from codeact_bridges.guest.images import RUNTIME, STANDARD_LIBRARY
from codeact_bridges.modules.standard_library import StandardLibrary

MAGIC = "2b0e0d0a"


@pytest.fixture
def library(tmp_path: Path) -> StandardLibrary:
    path = tmp_path / "library.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.comment = MAGIC.encode()
        for name, data in {
            "python/a.py": b"code of a",
            "python/p/__init__.py": b"code of p",
            "python/p/m.py": b"code of m",
            "python/p/zones": b"data",
            "ours.py": b"code of the runtime",
        }.items():
            archive.writestr(name, data)
    return StandardLibrary(path)


async def test_a_module_is_served_as_a_code_object_with_its_path(library: StandardLibrary) -> None:
    assert await library.get("a", MAGIC) == {"path": "/python/a.py", "package": False, "code": "Y29kZSBvZiBh"}
    found = await library.get("p", MAGIC)
    assert isinstance(found, dict)
    assert (found["path"], found["package"]) == ("/python/p/__init__.py", True)
    assert await library.get("p.m", MAGIC) is not None


@pytest.mark.parametrize("name", ["b", "p.b", "", ".", "..a", "p.", "a.py", "p/m", "p.zones", "/etc/passwd", "ours"])
async def test_a_name_that_is_no_module_gives_none(library: StandardLibrary, name: str) -> None:
    assert await library.get(name, MAGIC) is None


async def test_code_for_another_python_is_never_served(library: StandardLibrary) -> None:
    with pytest.raises(
        BridgeError,
        match=r"for another Python \(magic number 2b0e0d0a\) than its guest \(f30d0d0a\); install codeact-mcp again",
    ):
        await library.get("a", "f30d0d0a")


async def test_data_files_are_served_and_code_is_not_data(library: StandardLibrary) -> None:
    assert b64decode(str(await library.data("/python/p/zones"))) == b"data"
    assert [
        await library.data(path)
        for path in ("/python/p/m.py", "/python/x", "p/zones", "/python/../p/zones", "", "/ours.py")
    ] == [None] * 6
    assert await library.list("/python/p") == ["__init__.py", "m.py", "zones"]
    assert await library.list("/python") == ["a.py", "p"]
    assert await library.list("/elsewhere") == []


def test_the_archive_of_this_build_is_complete() -> None:
    with zipfile.ZipFile(STANDARD_LIBRARY) as archive:
        names = set(archive.namelist())
        assert archive.comment.decode() == MAGIC
    library = {name.removeprefix("python/") for name in names if name.startswith("python/")}
    assert library > {"json/__init__.py", "asyncio/base_events.py", "tzdata/zones", "tzdata/zoneinfo/Europe/Berlin"}
    assert not any(name.startswith(("test/", "idlelib/", "tkinter/")) or "/tests/" in name for name in library)
    modules = [RUNTIME / "common_modules.py", *(RUNTIME / "codeact_guest").rglob("*.py")]
    assert {name for name in names if not name.startswith("python/")} == {
        path.relative_to(RUNTIME).as_posix() for path in modules
    }
