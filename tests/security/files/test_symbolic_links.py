"""Symbolic links in a mounted folder. Another process made them: the guest has no operation that creates links."""

import os
from typing import Any

import pytest
from mounted import Mounted

REFUSED_OUTSIDE = "a symbolic link that leads out of the mounted folder is not followed"
NOT_FOLLOWED = "the path contains a symbolic link, which operations that change files do not follow"


@pytest.fixture(params=["absolute", "relative", "through the root", "folder", "chain"])
def leads_out(request: pytest.FixtureRequest, mounted: Mounted) -> str:
    """A guest path that leads to the secret through a link."""
    data, outside = mounted.data, mounted.outside
    match request.param:
        case "absolute":
            (data / "x").symlink_to(outside / "secret.txt")
        case "relative":
            (data / "x").symlink_to("../outside/secret.txt")
        case "through the root":
            (data / "x").symlink_to("/proc/self/root" + str(outside / "secret.txt"))
        case "folder":
            (data / "d").symlink_to("../outside")
            return "/data/d/secret.txt"
        case _:
            (data / "sub").mkdir()
            (data / "sub" / "y").symlink_to("../../outside/secret.txt")
            (data / "x").symlink_to("sub/y")
    return "/data/x"


def test_reading_follows_no_link_that_leads_out(mounted: Mounted, leads_out: str) -> None:
    assert mounted.why_not("files.open", path=leads_out) == ("EACCES", REFUSED_OUTSIDE)
    assert mounted.why_not("files.stat", path=leads_out) == ("EACCES", REFUSED_OUTSIDE)
    assert mounted.why_not("files.list", path=leads_out)[0] in ("EACCES", "ENOTDIR")


@pytest.mark.parametrize("target", ["/somewhere/else", "../somewhere/else", "sub/../../somewhere/else"])
def test_the_target_of_a_link_that_leads_out_is_not_shown(mounted: Mounted, target: str) -> None:
    (mounted.data / "x").symlink_to(target)

    name, sentence = mounted.why_not("files.readlink", path="/data/x")

    assert name == "EACCES"
    assert "somewhere" not in sentence


def test_reading_follows_a_link_that_stays_inside(mounted: Mounted) -> None:
    (mounted.data / "sub").mkdir()
    (mounted.data / "file").write_text("content")
    (mounted.data / "sub" / "link").symlink_to("../file")
    (mounted.data / "round").symlink_to("sub/../sub/link")

    assert mounted.read("/data/sub/link") == mounted.read("/data/round") == b"content"
    assert mounted.call("files.readlink", path="/data/sub/link") == "../file"


def test_a_link_to_itself_is_an_error(mounted: Mounted) -> None:
    (mounted.data / "x").symlink_to("x")

    assert mounted.why_not("files.open", path="/data/x")[0] == "ELOOP"


@pytest.mark.parametrize("mode", [{}, {"create": True}, {"truncate": True}, {"append": True}])
def test_writing_follows_no_link_not_even_one_that_stays_inside(mounted: Mounted, mode: dict[str, Any]) -> None:
    (mounted.out / "file").write_text("content")
    (mounted.out / "link").symlink_to("file")

    assert mounted.why_not("files.open", path="/out/link", access="w", **mode) == ("EACCES", NOT_FOLLOWED)
    assert (mounted.out / "file").read_text() == "content"


def test_writing_through_a_dangling_link_creates_nothing(mounted: Mounted) -> None:
    (mounted.out / "link").symlink_to(mounted.outside / "new")

    assert mounted.why_not("files.open", path="/out/link", access="w", create=True)[0] == "EACCES"
    assert mounted.why_not("files.open", path="/out/link", access="w", create=True, exclusive=True)[0] == "EEXIST"
    assert not (mounted.outside / "new").exists()


def test_nothing_behind_a_linked_folder_is_changed(mounted: Mounted) -> None:
    (mounted.out / "d").symlink_to(mounted.outside)
    refusals = [
        mounted.why_not("files.open", path="/out/d/new", access="w", create=True),
        mounted.why_not("files.open", path="/out/d/secret.txt", access="w", truncate=True),
        mounted.why_not("files.mkdir", path="/out/d/new"),
        mounted.why_not("files.remove", path="/out/d/secret.txt"),
        mounted.why_not("files.rmdir", path="/out/d/new"),
        mounted.why_not("files.rename", path="/out/d/secret.txt", target="/out/stolen"),
        mounted.why_not("files.utime", path="/out/d/secret.txt", accessed_ns=0, modified_ns=0),
    ]

    assert {name for name, _ in refusals} <= {"EACCES", "ENOTDIR"}
    assert os.listdir(mounted.outside) == ["secret.txt"]


def test_removing_or_renaming_a_link_leaves_its_target_alone(mounted: Mounted) -> None:
    (mounted.out / "link").symlink_to(mounted.outside / "secret.txt")

    mounted.call("files.rename", path="/out/link", target="/out/renamed")
    mounted.call("files.remove", path="/out/renamed")

    assert os.listdir(mounted.out) == []
    assert os.listdir(mounted.outside) == ["secret.txt"]


def test_renaming_a_file_onto_a_link_replaces_the_link_and_not_its_target(mounted: Mounted) -> None:
    mounted.write("/out/new", b"mine")
    (mounted.out / "link").symlink_to(mounted.outside / "secret.txt")

    mounted.call("files.rename", path="/out/new", target="/out/link")

    assert (mounted.out / "link").read_text() == "mine"
    assert not (mounted.out / "link").is_symlink()
    assert (mounted.outside / "secret.txt").read_text() != "mine"
