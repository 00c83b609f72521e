"""More than there may be: sparse files, files without names, many small ones, at the wrong moment."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from mounted import Mounted, mounted_below, quotas_of, session_of

from codeact_bridges.errors import FileRefused
from codeact_bridges.files.mounts import mount

MAX_BYTES, MAX_FILES = 10_000, 10


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Mounted]:
    with mounted_below(tmp_path / "small", MAX_BYTES, MAX_FILES) as mounted:
        yield mounted


FOLDERS = pytest.mark.parametrize("folder", ["/out", "/scratch"])


def used(mounted: Mounted) -> int:
    return sum(path.stat().st_size for path in mounted.out.rglob("*") if path.is_file())


@FOLDERS
def test_a_file_grows_as_far_as_there_is_room_and_no_further(small: Mounted, folder: str) -> None:
    small.write(f"{folder}/a", bytes(6_000))
    handle = small.open(f"{folder}/b")
    small.put(handle, bytes(4_000))

    name, sentence = small.why_not("files.write", "ax", handle=handle, at=None)

    assert name == "EDQUOT"
    assert "max_bytes = 10,000" in sentence


@FOLDERS
def test_a_hole_counts_as_if_it_were_full(small: Mounted, folder: str) -> None:
    handle = small.open(f"{folder}/f")

    assert small.why_not("files.write", "ax", handle=handle, at=1 << 40)[0] == "EDQUOT"
    assert small.why_not("files.truncate", handle=handle, size=1 << 50)[0] == "EDQUOT"
    assert small.why_not("files.truncate", handle=handle, size=MAX_BYTES + 1)[0] == "EDQUOT"
    small.call("files.truncate", handle=handle, size=MAX_BYTES)
    assert small.why_not("files.write", "ax", handle=handle, at=None)[0] == "EDQUOT"


@FOLDERS
def test_appending_takes_room_wherever_the_guest_says_it_writes(small: Mounted, folder: str) -> None:
    handle = small.open(f"{folder}/f", append=True)
    small.put(handle, bytes(6_000), at=0)

    for _ in range(3):
        with pytest.raises(FileRefused, match="EDQUOT"):
            small.put(handle, bytes(6_000), at=0)

    assert small.call("files.fstat", handle=handle)[4] <= MAX_BYTES


@FOLDERS
def test_writing_over_what_is_there_takes_no_room(small: Mounted, folder: str) -> None:
    small.write(f"{folder}/f", bytes(MAX_BYTES))
    small.write(f"{folder}/f", b"x" * MAX_BYTES)


@FOLDERS
def test_what_is_removed_or_cut_off_or_replaced_makes_room(small: Mounted, folder: str) -> None:
    for _ in range(5):
        small.write(f"{folder}/f", bytes(MAX_BYTES))
        small.call("files.remove", path=f"{folder}/f")
        handle = small.open(f"{folder}/g")
        small.put(handle, bytes(MAX_BYTES))
        small.call("files.truncate", handle=handle, size=0, closed=[])
        small.call("files.close", closed=[handle])
        small.write(f"{folder}/h", bytes(MAX_BYTES))
        small.call("files.rename", path=f"{folder}/g", target=f"{folder}/h")


@FOLDERS
def test_a_file_without_a_name_takes_room_as_long_as_it_is_open(small: Mounted, folder: str) -> None:
    handle = small.open(f"{folder}/f")
    small.put(handle, bytes(8_000))
    small.call("files.remove", path=f"{folder}/f")

    other = small.open(f"{folder}/g")
    assert small.why_not("files.write", f"a{'x' * 8_000}", handle=other, at=0)[0] == "EDQUOT"
    assert small.why_not("files.write", f"a{'x' * 8_000}", handle=handle, at=None)[0] == "EDQUOT"

    small.call("files.close", closed=[handle])
    small.put(other, bytes(8_000))


def test_a_file_that_is_only_read_takes_room_without_its_name_too(small: Mounted) -> None:
    small.write("/out/f", bytes(8_000))
    handle = small.open("/out/f", "r", create=False)
    small.call("files.remove", path="/out/f")

    other = small.open("/out/g")
    assert small.why_not("files.write", f"a{'x' * 8_000}", handle=other, at=0)[0] == "EDQUOT"

    small.call("files.close", closed=[handle])
    small.put(other, bytes(8_000))


@FOLDERS
def test_files_and_folders_are_counted_whatever_is_in_them(small: Mounted, folder: str) -> None:
    for number in range(MAX_FILES // 2):
        small.write(f"{folder}/{number}", b"")
        small.call("files.mkdir", path=f"{folder}/d{number}")

    assert small.why_not("files.open", path=f"{folder}/more", access="w", create=True)[0] == "EDQUOT"
    assert "max_files = 10" in small.why_not("files.mkdir", path=f"{folder}/more")[1]

    small.call("files.rmdir", path=f"{folder}/d0")
    small.write(f"{folder}/more", b"")


def test_what_was_there_before_counts_and_what_people_remove_meanwhile_no_longer(small: Mounted) -> None:
    (small.out / "sub").mkdir()
    (small.out / "sub" / "old").write_bytes(bytes(9_000))
    handle = small.open("/out/f")
    assert small.why_not("files.write", f"a{'x' * 2_000}", handle=handle, at=0)[0] == "EDQUOT"

    os.remove(small.out / "sub" / "old")

    small.put(handle, bytes(2_000))


def test_what_others_add_meanwhile_is_seen_before_long(small: Mounted) -> None:
    small.write("/out/f", bytes(2_000))
    (small.out / "theirs").write_bytes(bytes(9_000))

    small.session.answer("files.close", "{}")
    handle = small.open("/out/g")
    assert small.why_not("files.write", f"a{'x' * 9_000}", handle=handle, at=0)[0] == "EDQUOT"


def test_two_runs_share_what_there_may_be(tmp_path: Path) -> None:
    mounts = [mount("/out", "rw", tmp_path, MAX_BYTES, MAX_FILES)]
    quotas = quotas_of(mounts)
    with session_of(mounts, quotas=quotas) as (first, _), session_of(mounts, quotas=quotas) as (second, _):
        first.answer("files.open", '{"path":"/out/a","access":"w","create":true}')
        second.answer("files.open", '{"path":"/out/b","access":"w","create":true}')
        first.answer("files.write", '{"handle":1,"at":0}\na' + "x" * 6_000)
        with pytest.raises(FileRefused, match="EDQUOT"):
            second.answer("files.write", '{"handle":1,"at":0}\na' + "x" * 6_000)


def test_hostile_patterns_never_leave_more_than_there_may_be(small: Mounted) -> None:
    """Every way of writing, over and over, with files that lose their names or are replaced."""
    for round_ in range(200):
        try:
            handle = small.open(f"/out/{round_ % 7}")
            try:
                small.put(handle, bytes(3_000), None if round_ % 3 else round_ * 10)
                if round_ % 2:
                    small.call("files.rename", path=f"/out/{round_ % 7}", target=f"/out/{round_ % 5}")
                if round_ % 5 == 0:
                    small.call("files.remove", path=f"/out/{round_ % 5}")
                    small.put(handle, bytes(3_000), None)
            finally:
                if round_ % 4:
                    small.call("files.close", closed=[handle])
        except FileRefused as exc:
            assert exc.errno_name in ("EDQUOT", "ENOENT", "EMFILE")  # noqa: PT017  # some rounds are refused, some not
        assert used(small) <= MAX_BYTES
        assert len(list(small.out.rglob("*"))) <= MAX_FILES
