"""Handles: a bounded number, each of one run, none that outlives its file's use."""

from pathlib import Path

import pytest
from mounted import Mounted, session_of

from codeact_bridges.errors import FileRefused
from codeact_bridges.files.mounts import mount
from codeact_bridges.files.operations import MAX_OPEN


def test_a_run_has_a_bounded_number_of_files_open(mounted: Mounted) -> None:
    (mounted.out / "f").write_text("")
    handles = [mounted.open("/out/f") for _ in range(MAX_OPEN)]

    assert mounted.why_not("files.open", path="/out/f")[0] == "EMFILE"

    mounted.call("files.close", closed=handles[:1])
    mounted.open("/out/f")


def test_all_runs_together_have_a_bounded_number_of_files_open(tmp_path: Path) -> None:
    with session_of([mount("/out", "rw", tmp_path)], slots=3) as (session, _):
        for _ in range(3):
            session.answer("files.open", '{"path":"/out/f","access":"w","create":true}')
        with pytest.raises(FileRefused, match="ENFILE"):
            session.answer("files.open", '{"path":"/out/f"}')


def test_failing_to_open_costs_no_place(mounted: Mounted) -> None:
    for _ in range(2 * MAX_OPEN):
        mounted.why_not("files.open", path="/out/none")

    mounted.open("/out/f")


def test_small_files_of_a_read_only_folder_take_no_handle_at_all(mounted: Mounted) -> None:
    (mounted.data / "f").write_text("small")

    answers = [mounted.call("files.open", path="/data/f", ahead=100) for _ in range(2 * MAX_OPEN)]

    assert all(answer["handle"] is None for answer in answers)


@pytest.mark.parametrize("handle", [0, 2, 5, 1 << 40])
def test_a_handle_that_was_never_given_is_none(mounted: Mounted, handle: int) -> None:
    assert mounted.why_not("files.read", handle=handle, at=0, length=1)[0] == "EBADF"
    assert mounted.why_not("files.fstat", handle=handle)[0] == "EBADF"
    assert mounted.why_not("files.truncate", handle=handle, size=0)[0] == "EBADF"
    mounted.call("files.close", closed=[handle])


def test_a_closed_handle_is_none_and_its_number_is_not_given_again(mounted: Mounted) -> None:
    first = mounted.open("/out/f")
    mounted.call("files.close", closed=[first])

    assert mounted.open("/out/g") != first
    assert mounted.why_not("files.read", handle=first, at=0, length=1)[0] == "EBADF"


def test_a_handle_does_what_it_was_opened_for(mounted: Mounted) -> None:
    (mounted.out / "f").write_text("content")
    reading = mounted.open("/out/f", "r", create=False)
    writing = mounted.open("/out/f", "w", create=False)

    assert mounted.why_not("files.write", "ax", handle=reading, at=0)[0] == "EBADF"
    assert mounted.why_not("files.truncate", handle=reading, size=0)[0] == "EBADF"
    assert mounted.why_not("files.read", handle=writing, at=0, length=1)[0] == "EBADF"
    assert (mounted.out / "f").read_text() == "content"
