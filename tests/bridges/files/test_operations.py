"""Operations that are answered on the event loop: only those that need nothing but the kernel's caches."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from mounted import Mounted, mounted_below

from codeact_bridges.errors import FileRefused
from codeact_bridges.files import safe_open
from codeact_bridges.files.disk_folder import DiskFolder
from codeact_bridges.files.port import WouldBlock
from codeact_bridges.files.safe_open import is_local

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not safe_open.has_openat2(), reason="this kernel cannot open files without blocking"
)

OPEN = json.dumps({"path": "/data/f", "ahead": 1_000})
STAT = json.dumps({"path": "/data/f"})


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Mounted]:
    with mounted_below(tmp_path) as mounted:
        (mounted.data / "f").write_text("content")
        (mounted.out / "f").write_text("content")
        mounted.operations.answer("files.list", '{"path":"/data"}')
        mounted.operations.answer("files.list", '{"path":"/out"}')
        mounted.operations.answer("files.open", OPEN)  # the first read sets the file's access time
        mounted.access_log.drain()
        yield mounted


def test_a_small_file_of_a_read_only_folder_is_answered_as_on_the_thread(mounted: Mounted) -> None:
    for operation, text in (("files.open", OPEN), ("files.stat", STAT)):
        assert mounted.operations.answer_without_blocking(operation, text) == mounted.operations.answer(operation, text)

    one, same, *stats = mounted.access_log.drain()
    assert (one.what, one.decision, one.rule, one.bytes) == (same.what, same.decision, same.rule, same.bytes)
    assert [each.what for each in stats] == ["stat /data/f"] * 2


def test_a_missing_file_is_an_error_without_blocking(mounted: Mounted) -> None:
    mounted.why_not("files.stat", path="/data/none")  # now the kernel has cached that

    with pytest.raises(FileRefused, match="ENOENT"):
        mounted.operations.answer_without_blocking("files.stat", '{"path":"/data/none"}')


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
def test_all_else_is_left_to_the_thread(mounted: Mounted, operation: str, arguments: dict[str, object]) -> None:
    (mounted.data / "out").symlink_to(mounted.outside)

    assert mounted.operations.answer_without_blocking(operation, json.dumps(arguments)) is None
    assert mounted.access_log.drain() == []


def test_a_folder_is_not_opened_on_the_event_loop(tmp_path: Path) -> None:
    with mounted_below(tmp_path) as mounted:
        assert mounted.operations.answer_without_blocking("files.stat", '{"path":"/data"}') is None


def test_a_folder_that_is_not_on_a_local_disk_would_block() -> None:
    folder = DiskFolder(Path("/proc/sys"), None)
    try:
        with pytest.raises(WouldBlock):
            folder.read_without_blocking(("kernel",))
    finally:
        folder.close()
    assert not is_local(-1)
