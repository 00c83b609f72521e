"""What is answered without a change of threads: only what the kernel is sure to have in memory."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mounted import Mounted, mounted_below

from codeact_bridges.errors import FileRefused
from codeact_bridges.files import safe_open as beneath
from codeact_bridges.files.disk_folder import DiskFolder
from codeact_bridges.files.safe_open import WouldWait, is_local

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not beneath.has_openat2(), reason="this kernel cannot promise not to wait"
)

OPEN = json.dumps({"path": "/data/f", "ahead": 1_000})
STAT = json.dumps({"path": "/data/f"})


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Mounted]:
    with mounted_below(tmp_path) as mounted:
        (mounted.data / "f").write_text("content")
        (mounted.out / "f").write_text("content")
        mounted.session.answer("files.list", '{"path":"/data"}')
        mounted.session.answer("files.list", '{"path":"/out"}')
        mounted.session.answer("files.open", OPEN)  # the first reading sets the file's time of access
        mounted.records.told()
        yield mounted


def test_a_small_file_of_a_read_only_folder_is_answered_as_it_would_be_otherwise(mounted: Mounted) -> None:
    for operation, text in (("files.open", OPEN), ("files.stat", STAT)):
        assert mounted.session.answer_at_once(operation, text) == mounted.session.answer(operation, text)

    one, same, *stats = mounted.records.told()
    assert (one.what, one.decision, one.rule, one.bytes) == (same.what, same.decision, same.rule, same.bytes)
    assert [each.what for each in stats] == ["stat /data/f"] * 2


def test_what_does_not_exist_is_an_error_at_once(mounted: Mounted) -> None:
    mounted.why_not("files.stat", path="/data/none")  # now the kernel remembers that

    with pytest.raises(FileRefused, match="ENOENT"):
        mounted.session.answer_at_once("files.stat", '{"path":"/data/none"}')


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("files.open", {"path": "/out/f", "ahead": 1_000}),
        ("files.open", {"path": "/data/f", "ahead": 7}),
        ("files.open", {"path": "/data/f", "ahead": 1_000, "closed": [1]}),
        ("files.open", {"path": "/data/f", "ahead": 1_000, "access": "w"}),
        ("files.open", {"path": "/data/f/", "ahead": 1_000}),
        ("files.open", {"path": "/etc/passwd", "ahead": 1_000}),
        ("files.open", {"path": "/scratch/f", "ahead": 1_000}),
        ("files.stat", {"path": "/data/f", "follow": False}),
        ("files.stat", {"path": "/data/out"}),
        ("files.list", {"path": "/data"}),
        ("files.mkdir", {"path": "/out/d"}),
    ],
)
def test_everything_else_is_left_to_the_thread(mounted: Mounted, operation: str, arguments: dict[str, object]) -> None:
    (mounted.data / "out").symlink_to(mounted.outside)

    assert mounted.session.answer_at_once(operation, json.dumps(arguments)) is None
    assert mounted.records.told() == []


def test_a_folder_that_nobody_has_used_yet_is_not_opened_on_the_event_loop(tmp_path: Path) -> None:
    with mounted_below(tmp_path) as mounted:
        assert mounted.session.answer_at_once("files.stat", '{"path":"/data"}') is None


def test_what_is_not_a_disk_of_this_machine_may_have_to_wait() -> None:
    folder = DiskFolder(Path("/proc/sys"), None)
    try:
        with pytest.raises(WouldWait):
            folder.at_once(("kernel",))
    finally:
        folder.close()
    assert not is_local(-1)
