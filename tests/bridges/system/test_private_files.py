"""Small files that only their owner can read."""

import os
import stat
from pathlib import Path

import pytest

from codeact_bridges.system.private_files import read_small, write_private


def test_nobody_else_can_read_the_file_or_enter_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "secret"
    write_private(path, "hunter2")

    assert path.read_text() == "hunter2"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_file_that_others_could_read_is_replaced_and_not_written_to(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o644)
    with path.open() as reader:
        write_private(path, "hunter2")
        assert reader.read() == "old"

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_failure_leaves_the_old_file_and_no_draft(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    write_private(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_private(path, "\ud800")

    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["secret"]


@pytest.mark.parametrize("content", [b"12345", b"\xff"])
def test_a_file_that_is_too_large_or_no_text_is_not_read(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)

    assert read_small(path, 4) is None


def test_a_file_within_its_limit_is_read_and_a_missing_one_is_not(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("1234")

    assert read_small(tmp_path / "file", 4) == "1234"
    assert read_small(tmp_path / "missing", 4) is None
