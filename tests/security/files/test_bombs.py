"""More than the quota allows: sparse files, files without names, many small files, writes by others meanwhile."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from mounted import Mounted, mounted_below, operations_on, quotas_of

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
def test_a_file_cannot_grow_beyond_the_quota(small: Mounted, folder: str) -> None:
    small.write(f"{folder}/a", bytes(6_000))
    handle = small.open(f"{folder}/b")
    small.put(handle, bytes(4_000))

    name, sentence = small.why_not("files.write", "ax", handle=handle, at=None)

    assert name == "EDQUOT"
    assert "max_bytes = 10,000" in sentence


@FOLDERS
def test_a_hole_in_a_sparse_file_counts_as_bytes(small: Mounted, folder: str) -> None:
    handle = small.open(f"{folder}/f")

    assert small.why_not("files.write", "ax", handle=handle, at=1 << 40)[0] == "EDQUOT"
    assert small.why_not("files.truncate", handle=handle, size=1 << 50)[0] == "EDQUOT"
    assert small.why_not("files.truncate", handle=handle, size=MAX_BYTES + 1)[0] == "EDQUOT"
    small.call("files.truncate", handle=handle, size=MAX_BYTES)
    assert small.why_not("files.write", "ax", handle=handle, at=None)[0] == "EDQUOT"


@FOLDERS
def test_appending_counts_against_the_quota_whatever_offset_the_guest_names(small: Mounted, folder: str) -> None:
    handle = small.open(f"{folder}/f", append=True)
    small.put(handle, bytes(6_000), at=0)

    for _ in range(3):
        with pytest.raises(FileRefused, match="EDQUOT"):
            small.put(handle, bytes(6_000), at=0)

    assert small.call("files.fstat", handle=handle)[4] <= MAX_BYTES


@FOLDERS
def test_overwriting_takes_no_more_quota(small: Mounted, folder: str) -> None:
    small.write(f"{folder}/f", bytes(MAX_BYTES))
    small.write(f"{folder}/f", b"x" * MAX_BYTES)


@FOLDERS
def test_removing_truncating_and_replacing_give_quota_back(small: Mounted, folder: str) -> None:
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
def test_a_removed_file_counts_as_long_as_it_is_open(small: Mounted, folder: str) -> None:
    handle = small.open(f"{folder}/f")
    small.put(handle, bytes(8_000))
    small.call("files.remove", path=f"{folder}/f")

    other = small.open(f"{folder}/g")
    assert small.why_not("files.write", f"a{'x' * 8_000}", handle=other, at=0)[0] == "EDQUOT"
    assert small.why_not("files.write", f"a{'x' * 8_000}", handle=handle, at=None)[0] == "EDQUOT"

    small.call("files.close", closed=[handle])
    small.put(other, bytes(8_000))


def test_a_removed_file_that_is_open_for_reading_counts_too(small: Mounted) -> None:
    small.write("/out/f", bytes(8_000))
    handle = small.open("/out/f", "r", create=False)
    small.call("files.remove", path="/out/f")

    other = small.open("/out/g")
    assert small.why_not("files.write", f"a{'x' * 8_000}", handle=other, at=0)[0] == "EDQUOT"

    small.call("files.close", closed=[handle])
    small.put(other, bytes(8_000))


@FOLDERS
def test_empty_files_and_folders_count_against_max_files(small: Mounted, folder: str) -> None:
    for number in range(MAX_FILES // 2):
        small.write(f"{folder}/{number}", b"")
        small.call("files.mkdir", path=f"{folder}/d{number}")

    assert small.why_not("files.open", path=f"{folder}/more", access="w", create=True)[0] == "EDQUOT"
    assert "max_files = 10" in small.why_not("files.mkdir", path=f"{folder}/more")[1]

    small.call("files.rmdir", path=f"{folder}/d0")
    small.write(f"{folder}/more", b"")


def test_existing_files_count_and_files_removed_by_others_no_longer_do(small: Mounted) -> None:
    (small.out / "sub").mkdir()
    (small.out / "sub" / "old").write_bytes(bytes(9_000))
    handle = small.open("/out/f")
    assert small.why_not("files.write", f"a{'x' * 2_000}", handle=handle, at=0)[0] == "EDQUOT"

    os.remove(small.out / "sub" / "old")

    small.put(handle, bytes(2_000))


def test_files_added_by_others_are_counted_before_a_refusal(small: Mounted) -> None:
    small.write("/out/f", bytes(2_000))
    (small.out / "theirs").write_bytes(bytes(9_000))

    small.operations.answer("files.close", "{}")
    handle = small.open("/out/g")
    assert small.why_not("files.write", f"a{'x' * 9_000}", handle=handle, at=0)[0] == "EDQUOT"


def test_two_runs_share_one_quota(tmp_path: Path) -> None:
    mounts = [mount("/out", "rw", tmp_path, MAX_BYTES, MAX_FILES)]
    quotas = quotas_of(mounts)
    with operations_on(mounts, quotas=quotas) as (first, _), operations_on(mounts, quotas=quotas) as (second, _):
        first.answer("files.open", '{"path":"/out/a","access":"w","create":true}')
        second.answer("files.open", '{"path":"/out/b","access":"w","create":true}')
        first.answer("files.write", '{"handle":1,"at":0}\na' + "x" * 6_000)
        with pytest.raises(FileRefused, match="EDQUOT"):
            second.answer("files.write", '{"handle":1,"at":0}\na' + "x" * 6_000)


def test_no_hostile_pattern_exceeds_the_quota(small: Mounted) -> None:
    """Every way of writing, repeatedly, with files that are removed or replaced while open."""
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
