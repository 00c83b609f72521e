"""Handles: limited in number, each valid in one run and until it is closed."""

from pathlib import Path

import pytest
from mounted import Mounted, operations_on

from codeact_bridges.errors import FileRefused
from codeact_bridges.files.mounts import mount
from codeact_bridges.files.open_files import MAX_OPEN


def test_a_run_can_have_a_limited_number_of_files_open(mounted: Mounted) -> None:
    (mounted.out / "f").write_text("")
    handles = [mounted.open("/out/f") for _ in range(MAX_OPEN)]

    assert mounted.why_not("files.open", path="/out/f")[0] == "EMFILE"

    mounted.call("files.close", closed=handles[:1])
    mounted.open("/out/f")


def test_all_runs_together_can_have_a_limited_number_of_files_open(tmp_path: Path) -> None:
    with operations_on([mount("/out", "rw", tmp_path)], slots=3) as (operations, _):
        for _ in range(3):
            operations.answer("files.open", '{"path":"/out/f","access":"w","create":true}')
        with pytest.raises(FileRefused, match="ENFILE"):
            operations.answer("files.open", '{"path":"/out/f"}')


def test_a_failed_open_takes_no_slot(mounted: Mounted) -> None:
    for _ in range(2 * MAX_OPEN):
        mounted.why_not("files.open", path="/out/none")

    mounted.open("/out/f")


def test_small_files_of_a_read_only_folder_take_no_handle(mounted: Mounted) -> None:
    (mounted.data / "f").write_text("small")

    answers = [mounted.call("files.open", path="/data/f", ahead=100) for _ in range(2 * MAX_OPEN)]

    assert all(answer["handle"] is None for answer in answers)


@pytest.mark.parametrize("handle", [0, 2, 5, 1 << 40])
def test_an_unknown_handle_is_refused(mounted: Mounted, handle: int) -> None:
    assert mounted.why_not("files.read", handle=handle, at=0, length=1)[0] == "EBADF"
    assert mounted.why_not("files.fstat", handle=handle)[0] == "EBADF"
    assert mounted.why_not("files.truncate", handle=handle, size=0)[0] == "EBADF"
    mounted.call("files.close", closed=[handle])


def test_a_closed_handle_is_refused_and_never_reused(mounted: Mounted) -> None:
    first = mounted.open("/out/f")
    mounted.call("files.close", closed=[first])

    assert mounted.open("/out/g") != first
    assert mounted.why_not("files.read", handle=first, at=0, length=1)[0] == "EBADF"


def test_a_handle_allows_only_what_it_was_opened_for(mounted: Mounted) -> None:
    (mounted.out / "f").write_text("content")
    reading = mounted.open("/out/f", "r", create=False)
    writing = mounted.open("/out/f", "w", create=False)

    assert mounted.why_not("files.write", "ax", handle=reading, at=0)[0] == "EBADF"
    assert mounted.why_not("files.truncate", handle=reading, size=0)[0] == "EBADF"
    assert mounted.why_not("files.read", handle=writing, at=0, length=1)[0] == "EBADF"
    assert (mounted.out / "f").read_text() == "content"
