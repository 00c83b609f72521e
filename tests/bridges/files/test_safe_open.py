"""Opening below a folder and never outside it, by the system call and by the walk that stands in for it."""

import errno
import os
from collections.abc import Generator
from pathlib import Path

import pytest

from codeact_bridges.files import safe_open
from codeact_bridges.files.paths import PathParts
from codeact_bridges.files.safe_open import has_openat2, open_beneath, walk


@pytest.fixture(params=["openat2", "walk"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[int]:
    """A folder with links, as a descriptor. Beside it lies a file that nobody may reach."""
    if request.param == "walk":
        monkeypatch.setattr(safe_open, "has_openat2", lambda: False)
    elif not has_openat2():
        pytest.skip("this kernel has no openat2, or does not permit it")
    inside = tmp_path / "inside"
    (inside / "a" / "b").mkdir(parents=True)
    (inside / "a" / "file").write_text("inside")
    (tmp_path / "secret").write_text("secret")
    for name, target in {
        "to file": "a/file",
        "a/b/up": "../file",
        "absolute": str(tmp_path / "secret"),
        "out": "../secret",
        "out by folders": "a/../../secret",
        "parent": "..",
        "loop": "loop",
    }.items():
        (inside / name).symlink_to(target)
    root = os.open(inside, os.O_RDONLY)
    try:
        yield root
    finally:
        os.close(root)


def read(root: int, *parts: str, follow: bool = True) -> str:
    with open(open_beneath(root, parts, os.O_RDONLY, follow=follow)) as file:
        return file.read()


@pytest.mark.parametrize("parts", [("a", "file"), ("to file",), ("a", "b", "up")])
def test_a_file_below_is_opened_also_through_links_that_stay_below(folder: int, parts: PathParts) -> None:
    assert read(folder, *parts) == "inside"


@pytest.mark.parametrize("parts", [("absolute",), ("out",), ("out by folders",), ("parent", "secret"), ("parent",)])
def test_a_link_that_leads_out_is_refused(folder: int, parts: PathParts) -> None:
    with pytest.raises(PermissionError):
        read(folder, *parts)


def test_a_link_is_refused_where_links_are_not_followed(folder: int) -> None:
    with pytest.raises(PermissionError):
        read(folder, "to file", follow=False)


def test_links_in_a_circle_have_an_end(folder: int) -> None:
    with pytest.raises(OSError) as caught:  # noqa: PT011  # its number is what counts
        read(folder, "loop")

    assert caught.value.errno == errno.ELOOP


def test_a_missing_name_is_missing_and_a_file_is_no_folder(folder: int) -> None:
    with pytest.raises(FileNotFoundError):
        read(folder, "a", "missing")
    with pytest.raises(NotADirectoryError):
        read(folder, "a", "file", "below")


@pytest.mark.parametrize("parts", [("a", "new"), ("out", "new")])
def test_nothing_is_created_outside(folder: int, tmp_path: Path, parts: PathParts) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        os.close(open_beneath(folder, parts, flags, follow=True))
    except OSError:
        assert parts != ("a", "new")

    assert sorted(os.listdir(tmp_path)) == ["inside", "secret"]
    assert (tmp_path / "inside" / "a" / "new").exists() == (parts == ("a", "new"))


def test_opening_a_pipe_does_not_wait_for_its_other_end(folder: int, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "inside" / "pipe")

    os.close(open_beneath(folder, ("pipe",), os.O_RDONLY, follow=True))


def test_a_descriptor_is_not_inherited(folder: int) -> None:
    opened = open_beneath(folder, ("a", "file"), os.O_RDONLY, follow=True)
    try:
        assert not os.get_inheritable(opened)
    finally:
        os.close(opened)


def test_the_walk_leaves_no_descriptor_behind(folder: int) -> None:
    before = os.listdir("/dev/fd")
    os.close(walk(folder, ("a", "b", "up"), os.O_RDONLY, True, 0))
    with pytest.raises(PermissionError):
        walk(folder, ("out by folders",), os.O_RDONLY, True, 0)

    assert len(os.listdir("/dev/fd")) == len(before)
