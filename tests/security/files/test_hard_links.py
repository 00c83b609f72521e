"""A second name for a file that lies outside. Nobody can tell them apart, so it is not written to."""

import os
from typing import Any

import pytest
from mounted import SECRET, Mounted

TWO_NAMES = ("EACCES", "the file has a second name (a hard link), so it is not changed")


@pytest.fixture
def linked(mounted: Mounted) -> Mounted:
    os.link(mounted.outside / "secret.txt", mounted.out / "link")
    return mounted


@pytest.mark.parametrize("how", [{}, {"create": True}, {"truncate": True}, {"append": True}])
def test_a_file_with_a_second_name_is_not_written_to(linked: Mounted, how: dict[str, Any]) -> None:
    assert linked.why_not("files.open", path="/out/link", access="rw", **how) == TWO_NAMES
    assert (linked.outside / "secret.txt").read_text() == SECRET


def test_replacing_or_removing_the_name_leaves_the_other_alone(linked: Mounted) -> None:
    linked.write("/out/new", b"mine")
    linked.call("files.rename", path="/out/new", target="/out/link")
    assert (linked.outside / "secret.txt").read_text() == SECRET

    os.link(linked.outside / "secret.txt", linked.out / "again")
    linked.call("files.remove", path="/out/again")
    assert (linked.outside / "secret.txt").read_text() == SECRET


def test_a_guest_has_no_operation_that_makes_links(mounted: Mounted) -> None:
    assert {name for name in mounted.session.operations if "link" in name} == {"files.readlink"}
