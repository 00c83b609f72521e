"""Devices, FIFOs and sockets in a mounted folder: examined but never opened, because opening may block for ever."""

import os
import socket
import stat
from functools import partial
from typing import Any

import anyio
import anyio.to_thread
import pytest
from mounted import Mounted

SPECIAL = ("EACCES", "this is a device, a pipe or a socket; only regular files can be opened")


@pytest.fixture(params=["fifo", "socket", "device"])
def special(request: pytest.FixtureRequest, mounted: Mounted) -> str:
    path = mounted.out / "special"
    match request.param:
        case "fifo":
            os.mkfifo(path)
        case "socket":
            here = os.getcwd()
            os.chdir(mounted.out)  # a socket's path is at most 107 bytes long
            try:
                with socket.socket(socket.AF_UNIX) as listening:
                    listening.bind("special")
            finally:
                os.chdir(here)
        case _:
            try:
                os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5))
            except PermissionError:
                pytest.skip("only root makes devices")
    return "/out/special"


async def test_a_special_file_is_never_opened_and_nothing_blocks(mounted: Mounted, special: str) -> None:
    with anyio.fail_after(5):
        modes: list[dict[str, Any]] = [
            {},
            {"access": "w"},
            {"access": "rw"},
            {"access": "w", "create": True, "truncate": True},
        ]
        for mode in modes:
            refused = await anyio.to_thread.run_sync(partial(mounted.why_not, "files.open", path=special, **mode))
            assert refused == SPECIAL


def test_a_special_file_can_be_listed_and_removed(mounted: Mounted, special: str) -> None:
    mode = mounted.call("files.stat", path=special)[0]
    assert not stat.S_ISREG(mode)
    assert not stat.S_ISDIR(mode)
    assert mounted.call("files.list", path="/out")["entries"] == ["special", "o"]

    mounted.call("files.remove", path=special)

    assert mounted.names("/out") == []


def test_a_link_to_a_device_outside_is_not_followed(mounted: Mounted) -> None:
    (mounted.data / "zero").symlink_to("/dev/zero")

    assert mounted.why_not("files.open", path="/data/zero")[0] == "EACCES"


def test_a_folder_cannot_be_opened_as_a_file(mounted: Mounted) -> None:
    (mounted.out / "d").mkdir()

    assert mounted.why_not("files.open", path="/out/d")[0] == "EISDIR"
    assert mounted.why_not("files.open", path="/out/d", access="w", create=True)[0] == "EISDIR"
    assert mounted.why_not("files.open", path="/out")[0] == "EISDIR"
