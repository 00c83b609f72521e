"""Hard links to a file outside. Either name may be the original, so such a file is never written to."""

import os
from typing import Any

import pytest
from mounted import SECRET, Mounted

TWO_LINKS = ("EACCES", "the file has more than one hard link, so it cannot be changed")


@pytest.fixture
def linked(mounted: Mounted) -> Mounted:
    os.link(mounted.outside / "secret.txt", mounted.out / "link")
    return mounted


@pytest.mark.parametrize("mode", [{}, {"create": True}, {"truncate": True}, {"append": True}])
def test_a_file_with_two_hard_links_is_not_written_to(linked: Mounted, mode: dict[str, Any]) -> None:
    assert linked.why_not("files.open", path="/out/link", access="rw", **mode) == TWO_LINKS
    assert (linked.outside / "secret.txt").read_text() == SECRET


def test_replacing_or_removing_one_link_leaves_the_other_file_unchanged(linked: Mounted) -> None:
    linked.write("/out/new", b"mine")
    linked.call("files.rename", path="/out/new", target="/out/link")
    assert (linked.outside / "secret.txt").read_text() == SECRET

    os.link(linked.outside / "secret.txt", linked.out / "again")
    linked.call("files.remove", path="/out/again")
    assert (linked.outside / "secret.txt").read_text() == SECRET


def test_no_operation_creates_links(mounted: Mounted) -> None:
    assert {name for name in mounted.operations.names if "link" in name} == {"files.readlink"}
