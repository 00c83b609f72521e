"""The limits of a writable mount: what is counted, refused, and given back."""

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from codeact_bridges.files.quota import RECOUNT_AFTER, Count, Quota, count


@dataclass
class Folder:
    """The content that a recount finds."""

    content: Count = field(default_factory=Count)
    recounts: int = 0

    def count(self) -> Count:
        self.recounts += 1
        return self.content


@dataclass
class Deleted:
    """An open file without a name."""

    size: int

    def key(self) -> tuple[int, int]:
        return (0, 1)

    def nameless_bytes(self) -> int:
        return self.size


def take(quota: Quota, counted: Callable[[], Count], bytes_: int = 0, entries: int = 0) -> None:
    with quota.change(counted) as change:
        change.take(bytes_, entries)


def is_full(quota: Quota, folder: Folder, bytes_: int = 0, entries: int = 0) -> bool:
    """Whether there is no room for so much. Takes nothing."""
    with quota.change(folder.count) as change:
        try:
            change.take(bytes_, entries)
        except OSError as exc:
            if exc.errno != errno.EDQUOT:
                raise
            return True
        change.take(-bytes_, -entries)
        return False


@pytest.mark.parametrize(("bytes_", "entries"), [(101, 0), (0, 11), (101, 11)])
def test_what_goes_beyond_a_limit_is_refused(bytes_: int, entries: int) -> None:
    quota, folder = Quota("/out", 100, 10), Folder()
    take(quota, folder.count, 0, 0)

    assert is_full(quota, folder, bytes_, entries)
    assert not is_full(quota, folder, 100, 10)


def test_a_change_that_fails_gives_back_what_it_took() -> None:
    quota, folder = Quota("/out", 100, 10), Folder()

    def fail() -> None:
        with quota.change(folder.count) as change:
            change.take(100, 10)
            raise InterruptedError

    with pytest.raises(InterruptedError):
        fail()

    assert not is_full(quota, folder, 100, 10)


def test_a_folder_is_recounted_before_anything_is_refused() -> None:
    quota, folder = Quota("/out", 100, 10), Folder(Count(bytes=90))
    take(quota, folder.count)
    folder.content = Count(bytes=0)

    assert not is_full(quota, folder, 100)


def test_a_folder_is_recounted_after_many_changes_and_when_a_run_begins() -> None:
    quota, folder = Quota("/out", 100, 10), Folder()
    for _ in range(RECOUNT_AFTER + 1):
        take(quota, folder.count)
    assert folder.recounts == 1

    take(quota, folder.count)
    assert folder.recounts == 2

    quota.expire()
    take(quota, folder.count)
    assert folder.recounts == 3


def test_an_open_file_without_a_name_counts_until_it_is_closed() -> None:
    quota, folder, deleted = Quota("/out", 100, 10), Folder(), Deleted(60)
    quota.opened(deleted)
    take(quota, folder.count)
    assert is_full(quota, folder, 50)

    quota.closing(deleted)
    assert not is_full(quota, folder, 50)


def test_a_file_that_is_open_twice_counts_once() -> None:
    quota, folder, one, other = Quota("/out", 100, 10), Folder(), Deleted(60), Deleted(60)
    quota.opened(one)
    quota.opened(other)
    take(quota, folder.count)
    assert not is_full(quota, folder, 40)

    quota.closing(one)
    assert is_full(quota, folder, 50)


def test_a_folder_is_counted_without_following_its_links(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "folder"
    (folder / "a" / "b").mkdir(parents=True)
    outside.mkdir()
    (outside / "large").write_bytes(b"x" * 1_000)
    (folder / "a" / "b" / "file").write_bytes(b"x" * 10)
    (folder / "link").symlink_to(outside)
    (folder / "to a file").symlink_to(outside / "large")
    root = os.open(folder, os.O_RDONLY)
    try:
        assert count(root) == Count(bytes=10, entries=5, depth=2)
    finally:
        os.close(root)
