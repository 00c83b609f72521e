"""A server's log file: complete, private, bounded, and written off the event loop."""

import logging
import os
import re
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import anyio
import pytest
from tool_calls import call

from codeact_bridges.tools.bridge import ToolsBridge
from codeact_bridges.tools.spec import StdioServer
from codeact_bridges.tools.transports.server_log import LOG_FILE_BYTES, ServerLog
from codeact_bridges.values import Data

Hostile: TypeAlias = Callable[..., StdioServer]

WRITTEN_BY_CRY = 3_000_000


@pytest.fixture
def slow_disk(tmp_path: Path) -> Iterator[Path]:
    """A log file that accepts nothing until a reader opens it: a FIFO."""
    os.mkfifo(path := tmp_path / "hostile.log")
    yield path
    reader = os.open(path, os.O_RDWR | os.O_NONBLOCK)  # lets a thread that still waits in `open` end
    for thread in threading.enumerate():
        if thread.name == f"log {path.name}":
            thread.join(5)
    os.close(reader)


async def test_the_stderr_of_a_real_child_arrives_in_a_file_for_its_owner_only(
    hostile: Hostile, tmp_path: Path
) -> None:
    path = tmp_path / "new" / "hostile.log"
    with anyio.fail_after(10):
        async with ToolsBridge([hostile("--start", "exit")], log_dir=path.parent) as tools:
            await tools.wait_settled()
    assert "ModuleNotFoundError: no module named 'hostility'\n" in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_rotation_holds_the_bound_and_loses_only_the_oldest(tmp_path: Path) -> None:
    path = tmp_path / "it.log"
    everything = b""
    for number in range(25):
        log = ServerLog(path)
        piece = b"%05d \xc3\xa9 \xff\r\n" % number * 8_000
        log.write(piece)
        await log.aclose()
        everything += piece
    older, newer = tmp_path / "it.old.log", path
    assert sorted(os.listdir(tmp_path)) == [newer.name, older.name]
    assert older.stat().st_size <= LOG_FILE_BYTES
    assert newer.stat().st_size <= LOG_FILE_BYTES
    left = older.read_bytes() + newer.read_bytes()
    assert len(left) > LOG_FILE_BYTES
    assert everything.endswith(left)
    assert {stat.S_IMODE(one.stat().st_mode) for one in (older, newer)} == {0o600}


async def test_a_disk_that_accepts_nothing_blocks_no_call_and_dropped_bytes_are_counted(
    hostile: Hostile, slow_disk: Path
) -> None:
    with anyio.fail_after(20):
        async with ToolsBridge([hostile("--start", "cry")], log_dir=slow_disk.parent) as tools:
            assert await call(tools, "echo", {"text": "hello"}) == Data("hello")
            reader = os.open(slow_disk, os.O_RDWR | os.O_NONBLOCK)
            received = b""
            while received.count(b"x") + dropped_in(received) < WRITTEN_BY_CRY:
                await anyio.wait_readable(reader)
                received += os.read(reader, 1_000_000)
            os.close(reader)
    assert received.count(b"x") + dropped_in(received) == WRITTEN_BY_CRY
    assert dropped_in(received) > 0


def dropped_in(received: bytes) -> int:
    return sum(map(int, re.findall(rb"\n\[codeact-mcp\] ([0-9]+) bytes dropped", received)))


async def test_closing_gives_up_on_a_disk_that_hangs(slow_disk: Path, caplog: pytest.LogCaptureFixture) -> None:
    log = ServerLog(slow_disk)
    log.write(b"never read\n")
    with anyio.fail_after(5), caplog.at_level(logging.WARNING):
        await log.aclose()
    assert f"still writing {slow_disk}" in caplog.text


async def test_a_process_ends_though_the_disk_hangs_in_the_middle_of_a_write(slow_disk: Path) -> None:
    program = (
        "import os, sys, anyio\n"
        "from pathlib import Path\n"
        "from codeact_bridges.tools.transports.server_log import ServerLog\n"
        "never_reads = os.open(sys.argv[1], os.O_RDWR)\n"
        "log = ServerLog(Path(sys.argv[1]))\n"
        "log.write(b'x' * 1_000_000)\n"
        "anyio.run(log.aclose)\n"
    )
    with anyio.fail_after(20):
        done = await anyio.run_process([sys.executable, "-c", program, str(slow_disk)])
    assert b"given up" in done.stderr


async def test_a_file_that_cannot_be_written_is_one_warning_and_the_server_works(
    hostile: Hostile, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (not_a_folder := tmp_path / "file").write_text("")
    with anyio.fail_after(10), caplog.at_level(logging.WARNING):
        async with ToolsBridge([hostile("--start", "cry")], log_dir=not_a_folder) as tools:
            assert await call(tools, "echo", {"text": "hello"}) == Data("hello")
    assert caplog.text.count(f"no longer writing {not_a_folder / 'hostile.log'}") == 1


async def test_a_log_message_of_a_server_is_one_line(tmp_path: Path) -> None:
    log = ServerLog(tmp_path / "it.log")
    log.write_message("info", "shop", "open\nuntil 6")
    log.write_message("error", None, {"a": [1]})
    await log.aclose()
    assert (tmp_path / "it.log").read_text() == '[info shop] open until 6\n[error] {"a": [1]}\n'
