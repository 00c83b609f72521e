"""Renames across mounts, and changes to a mount itself."""

import os

import pytest
from mounted import Mounted

ITSELF = ("EBUSY", "the mounted folder itself cannot be changed")


@pytest.mark.parametrize("root", ["/out", "/out/", "/out/.", "/out/x/..", "/scratch", "/scratch/a/../"])
def test_a_mount_itself_cannot_be_removed_renamed_or_replaced(mounted: Mounted, root: str) -> None:
    mount = "/" + root.split("/")[1]
    mounted.write(f"{mount}/f", b"")
    mounted.call("files.mkdir", path=f"{mount}/d")

    assert mounted.why_not("files.rmdir", path=root) == ITSELF
    assert mounted.why_not("files.rename", path=root, target=f"{mount}/g") == ITSELF
    assert mounted.why_not("files.rename", path=f"{mount}/d", target=root) == ITSELF
    assert mounted.why_not("files.mkdir", path=root)[0] == "EEXIST"
    assert mounted.why_not("files.remove", path=root)[0] in ("EBUSY", "ENOTDIR", "EISDIR")
    assert mounted.why_not("files.open", path=root, access="w", create=True, truncate=True)[0] == "EISDIR"


def test_the_guests_root_can_only_be_listed(mounted: Mounted) -> None:
    assert mounted.why_not("files.rmdir", path="/")[0] == "EACCES"
    assert mounted.why_not("files.rename", path="/", target="/out/x")[0] == "EACCES"
    assert mounted.why_not("files.open", path="/new", access="w", create=True)[0] == "EACCES"
    assert mounted.why_not("files.mkdir", path="/new")[0] == "EACCES"


@pytest.mark.parametrize(("source", "target"), [("/out/f", "/scratch/f"), ("/scratch/f", "/out/f")])
def test_a_rename_from_one_mount_to_another_is_refused(mounted: Mounted, source: str, target: str) -> None:
    mounted.write(source, b"content")

    assert mounted.why_not("files.rename", path=source, target=target)[0] == "EXDEV"
    assert mounted.read(source) == b"content"


def test_a_rename_out_of_or_into_a_read_only_mount_is_refused(mounted: Mounted) -> None:
    (mounted.data / "f").write_text("content")
    mounted.write("/out/f", b"mine")

    assert mounted.why_not("files.rename", path="/data/f", target="/out/g")[0] == "EACCES"
    assert mounted.why_not("files.rename", path="/out/f", target="/data/f")[0] == "EACCES"
    assert (mounted.data / "f").read_text() == "content"


def test_the_refusal_of_a_read_only_mount_names_the_writable_mounts(mounted: Mounted) -> None:
    (mounted.data / "f").write_text("content")
    (mounted.data / "d").mkdir()
    refusals = {
        mounted.why_not("files.open", path="/data/f", access="rw"),
        mounted.why_not("files.open", path="/data/f", access="w", truncate=True),
        mounted.why_not("files.open", path="/data/new", create=True),
        mounted.why_not("files.mkdir", path="/data/new"),
        mounted.why_not("files.rmdir", path="/data/d"),
        mounted.why_not("files.remove", path="/data/f"),
        mounted.why_not("files.utime", path="/data/f", accessed_ns=0, modified_ns=0),
    }

    assert refusals == {("EACCES", "/data is mounted read-only; write below /out (rw) or /scratch (temp)")}
    assert sorted(os.listdir(mounted.data)) == ["d", "f"]
    assert (mounted.data / "f").read_text() == "content"


def test_a_folder_cannot_be_moved_into_itself(mounted: Mounted) -> None:
    for folder in ("/out", "/scratch"):
        mounted.call("files.mkdir", path=f"{folder}/d")
        assert mounted.why_not("files.rename", path=f"{folder}/d", target=f"{folder}/d/e")[0] == "EINVAL"


def test_a_mount_whose_folder_was_removed_or_replaced_is_an_error(mounted: Mounted) -> None:
    mounted.data.rmdir()

    assert mounted.why_not("files.list", path="/data")[0] == "ENOENT"

    mounted.data.symlink_to(mounted.outside)
    assert mounted.why_not("files.open", path="/data/secret.txt")[0] in ("EACCES", "ENOTDIR")
