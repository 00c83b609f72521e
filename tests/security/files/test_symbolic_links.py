"""Links that somebody has put into a mounted folder. A guest makes none itself: there is no operation for it."""

import os
from typing import Any

import pytest
from mounted import Mounted

LEADS_OUT = "a link that leads out of the mounted folder is not followed"
NOT_FOLLOWED = "this is, or lies behind, a symbolic link: what changes something follows none"


@pytest.fixture(params=["absolute", "relative", "through the root", "folder", "chain"])
def outwards(request: pytest.FixtureRequest, mounted: Mounted) -> str:
    """The path of the secret through one link."""
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


def test_reading_follows_no_link_that_leads_out(mounted: Mounted, outwards: str) -> None:
    assert mounted.why_not("files.open", path=outwards) == ("EACCES", LEADS_OUT)
    assert mounted.why_not("files.stat", path=outwards) == ("EACCES", LEADS_OUT)
    assert mounted.why_not("files.list", path=outwards)[0] in ("EACCES", "ENOTDIR")


@pytest.mark.parametrize("target", ["/somewhere/else", "../somewhere/else", "sub/../../somewhere/else"])
def test_where_a_link_leads_that_leads_out_is_not_told(mounted: Mounted, target: str) -> None:
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


def test_a_link_that_leads_to_itself_is_an_error(mounted: Mounted) -> None:
    (mounted.data / "x").symlink_to("x")

    assert mounted.why_not("files.open", path="/data/x")[0] == "ELOOP"


@pytest.mark.parametrize("how", [{}, {"create": True}, {"truncate": True}, {"append": True}])
def test_writing_follows_no_link_even_inside(mounted: Mounted, how: dict[str, Any]) -> None:
    (mounted.out / "file").write_text("content")
    (mounted.out / "link").symlink_to("file")

    assert mounted.why_not("files.open", path="/out/link", access="w", **how) == ("EACCES", NOT_FOLLOWED)
    assert (mounted.out / "file").read_text() == "content"


def test_writing_through_a_dangling_link_makes_nothing(mounted: Mounted) -> None:
    (mounted.out / "link").symlink_to(mounted.outside / "new")

    assert mounted.why_not("files.open", path="/out/link", access="w", create=True)[0] == "EACCES"
    assert mounted.why_not("files.open", path="/out/link", access="w", create=True, exclusive=True)[0] == "EEXIST"
    assert not (mounted.outside / "new").exists()


def test_nothing_is_changed_behind_a_linked_folder(mounted: Mounted) -> None:
    (mounted.out / "d").symlink_to(mounted.outside)
    asked = [
        mounted.why_not("files.open", path="/out/d/new", access="w", create=True),
        mounted.why_not("files.open", path="/out/d/secret.txt", access="w", truncate=True),
        mounted.why_not("files.mkdir", path="/out/d/new"),
        mounted.why_not("files.remove", path="/out/d/secret.txt"),
        mounted.why_not("files.rmdir", path="/out/d/new"),
        mounted.why_not("files.rename", path="/out/d/secret.txt", target="/out/stolen"),
        mounted.why_not("files.utime", path="/out/d/secret.txt", accessed_ns=0, modified_ns=0),
    ]

    assert {name for name, _ in asked} <= {"EACCES", "ENOTDIR"}
    assert os.listdir(mounted.outside) == ["secret.txt"]


def test_a_link_itself_can_be_removed_and_renamed_and_what_it_leads_to_stays(mounted: Mounted) -> None:
    (mounted.out / "link").symlink_to(mounted.outside / "secret.txt")

    mounted.call("files.rename", path="/out/link", target="/out/renamed")
    mounted.call("files.remove", path="/out/renamed")

    assert os.listdir(mounted.out) == []
    assert os.listdir(mounted.outside) == ["secret.txt"]


def test_a_file_replaces_a_link_and_not_what_it_leads_to(mounted: Mounted) -> None:
    mounted.write("/out/new", b"mine")
    (mounted.out / "link").symlink_to(mounted.outside / "secret.txt")

    mounted.call("files.rename", path="/out/new", target="/out/link")

    assert (mounted.out / "link").read_text() == "mine"
    assert not (mounted.out / "link").is_symlink()
    assert (mounted.outside / "secret.txt").read_text() != "mine"
