"""Folders on this machine and in memory behave alike."""

import errno
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from codeact_bridges.files import safe_open
from codeact_bridges.files.disk_folder import DiskFolder
from codeact_bridges.files.memory_folder import MemoryFolder
from codeact_bridges.files.port import Folder, OpenMode, WouldBlock
from codeact_bridges.files.quota import Quota

WRITE = OpenMode(writes=True, creates=True)


@pytest.fixture(params=["machine", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Folder]:
    opened: Folder
    if request.param == "machine":
        opened = DiskFolder(tmp_path, Quota("/out", 10_000, 100))
    else:
        opened = MemoryFolder("/out", 10_000, 100)
    yield opened
    opened.close()


def put(folder: Folder, *parts: str, data: bytes = b"") -> None:
    file, _ = folder.open(parts, WRITE)
    file.write(0, data)
    file.close()


def content(folder: Folder, *parts: str) -> bytes:
    file, _ = folder.open(parts, OpenMode())
    try:
        return file.read(0, 10_000)
    finally:
        file.close()


def number(act: Callable[[], object]) -> str:
    with pytest.raises(OSError) as caught:  # noqa: PT011  # the number is what is asserted
        act()
    return errno.errorcode[caught.value.errno or 0]


def test_opening_says_whether_it_created_the_file(folder: Folder) -> None:
    first, created = folder.open(("f",), WRITE)
    again, created_again = folder.open(("f",), WRITE)
    first.close()
    again.close()

    assert (created, created_again) == (True, False)


def test_writing_reading_and_truncating_anywhere(folder: Folder) -> None:
    file, _ = folder.open(("f",), WRITE)

    assert file.write(3, b"abc") == 6
    assert file.write(None, b"de") == 8
    assert file.write(1, b"") == 1
    assert file.read(0, 100) == b"\0\0\0abcde"
    assert file.read(7, 100) == b"e"
    assert file.read(100, 1) == b""
    file.truncate(4)
    file.truncate(6)
    assert file.read(0, 100) == b"\0\0\0a\0\0"
    assert file.stat().size == 6
    file.close()
    file.close()


def test_an_empty_write_far_beyond_the_end_changes_nothing(folder: Folder) -> None:
    file, _ = folder.open(("f",), WRITE)
    file.write(5_000, b"")

    assert file.stat().size == 0
    file.close()


ERRORS: list[tuple[str, Callable[[Folder], object]]] = [
    ("ENOENT", lambda folder: folder.open(("none",), OpenMode())),
    ("ENOENT", lambda folder: folder.open(("none", "f"), WRITE)),
    ("ENOENT", lambda folder: folder.stat(("none",), follow=True)),
    ("ENOENT", lambda folder: folder.remove(("none",))),
    ("ENOENT", lambda folder: folder.remove_folder(("none",))),
    ("ENOENT", lambda folder: folder.rename(("none",), ("x",))),
    ("ENOENT", lambda folder: folder.set_times(("none",), 0, 0)),
    ("ENOENT", lambda folder: list(folder.list(("none",)))),
    ("ENOTDIR", lambda folder: folder.open(("f", "x"), OpenMode())),
    ("ENOTDIR", lambda folder: folder.open(("f", "x"), WRITE)),
    ("ENOTDIR", lambda folder: list(folder.list(("f",)))),
    ("ENOTDIR", lambda folder: folder.remove_folder(("f",))),
    ("ENOTDIR", lambda folder: folder.rename(("d",), ("f",))),
    ("EISDIR", lambda folder: folder.open(("d",), OpenMode())),
    ("EISDIR", lambda folder: folder.open(("d",), WRITE)),
    ("EISDIR", lambda folder: folder.remove(("d",))),
    ("EISDIR", lambda folder: folder.rename(("f",), ("d",))),
    ("EEXIST", lambda folder: folder.open(("f",), OpenMode(writes=True, creates=True, exclusively=True))),
    ("EEXIST", lambda folder: folder.open(("d",), OpenMode(writes=True, creates=True, exclusively=True))),
    ("EEXIST", lambda folder: folder.make_folder(("f",))),
    ("EEXIST", lambda folder: folder.make_folder(("d",))),
    ("ENOTEMPTY", lambda folder: folder.remove_folder(("d",))),
    ("ENOTEMPTY", lambda folder: folder.rename(("e",), ("d",))),
    ("EINVAL", lambda folder: folder.rename(("d",), ("d", "e"))),
    ("EINVAL", lambda folder: folder.read_link(("f",))),
    ("EBUSY", lambda folder: folder.remove_folder(())),
    ("EBUSY", lambda folder: folder.rename((), ("x",))),
]


@pytest.mark.parametrize(("name", "act"), ERRORS)
def test_both_folders_raise_the_same_errors(folder: Folder, name: str, act: Callable[[Folder], object]) -> None:
    put(folder, "f")
    folder.make_folder(("d",))
    put(folder, "d", "g")
    folder.make_folder(("e",))

    assert number(lambda: act(folder)) == name


def test_renaming_replaces_a_file_or_an_empty_folder(folder: Folder) -> None:
    put(folder, "a", data=b"a")
    put(folder, "b", data=b"b")
    folder.make_folder(("d",))
    put(folder, "d", "f")
    folder.make_folder(("e",))

    folder.rename(("a",), ("b",))
    folder.rename(("d",), ("e",))
    folder.rename(("b",), ("b",))

    assert content(folder, "b") == b"a"
    assert sorted(folder.list(())) == [("b", "f"), ("e", "d")]
    assert list(folder.list(("e",))) == [("f", "f")]


def test_an_open_file_keeps_its_content_after_its_name_is_removed(folder: Folder) -> None:
    file, _ = folder.open(("f",), WRITE)
    file.write(0, b"content")
    folder.remove(("f",))
    put(folder, "f", data=b"another")

    assert file.read(0, 100) == b"content"
    assert file.stat().links == 0
    file.close()
    assert content(folder, "f") == b"another"


def test_times_are_set_to_the_nanosecond(folder: Folder) -> None:
    put(folder, "f")
    folder.set_times(("f",), 1, 1_500_000_000_123_456_789)

    seen = folder.stat(("f",), follow=True)
    assert (seen.accessed_ns, seen.modified_ns) == (1, 1_500_000_000_123_456_789)


def test_reading_without_blocking_gives_what_a_read_gives_or_says_that_it_would_block(folder: Folder) -> None:
    put(folder, "f", data=b"content")
    expected = content(folder, "f"), folder.stat(("f",), follow=True).size

    try:
        seen, read = folder.read_without_blocking(("f",), 1_000)
    except WouldBlock:
        assert isinstance(folder, MemoryFolder) or not can_read_without_blocking()
    else:
        assert (read, seen.size) == expected


def can_read_without_blocking() -> bool:
    return sys.platform == "linux" and safe_open.has_openat2()
