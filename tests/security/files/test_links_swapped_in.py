"""Races: names that another process or run switches between folder, file and link during calls."""

import os
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import Any

from mounted import SECRET, Mounted

from codeact_bridges.errors import FileRefused

DURATION_S = 0.6


@contextmanager
def repeating(act: Callable[[], None]) -> Generator[None]:
    """Repeat `act` in another thread during the block."""
    stop = threading.Event()

    def repeat() -> None:
        while not stop.is_set():
            act()

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def exchange(name: str, other: str) -> Callable[[], None]:
    """A function that swaps the entries `name` and `other` in three renames."""

    def act() -> None:
        os.rename(name, name + ".away")
        os.rename(other, name)
        os.rename(name + ".away", other)

    return act


def test_reading_through_a_folder_replaced_by_a_link_stays_inside(mounted: Mounted) -> None:
    (mounted.data / "d").mkdir()
    (mounted.data / "d" / "secret.txt").write_text("harmless")
    (mounted.data / "link").symlink_to(mounted.outside)
    read: set[bytes] = set()
    refused: set[str] = set()

    with repeating(exchange(str(mounted.data / "d"), str(mounted.data / "link"))):
        end = time.monotonic() + DURATION_S
        while time.monotonic() < end:
            try:
                read.add(mounted.read("/data/d/secret.txt"))
            except FileRefused as exc:
                refused.add(exc.errno_name)

    assert SECRET.encode() not in read
    assert read <= {b"harmless"}
    assert refused <= {"EACCES", "ENOENT", "EAGAIN", "ENOTDIR"}


def test_a_file_replaced_by_a_link_is_not_written_through(mounted: Mounted) -> None:
    (mounted.out / "f").write_text("")
    (mounted.out / "link").symlink_to(mounted.outside / "secret.txt")
    written = 0

    with repeating(exchange(str(mounted.out / "f"), str(mounted.out / "link"))):
        end = time.monotonic() + DURATION_S
        while time.monotonic() < end:
            try:
                mounted.write("/out/f", b"overwritten by a guest")
                written += 1
            except FileRefused:
                continue

    assert (mounted.outside / "secret.txt").read_text() == SECRET


def test_nothing_is_created_or_removed_in_a_folder_outside(mounted: Mounted) -> None:
    (mounted.out / "d").mkdir()
    (mounted.out / "link").symlink_to(mounted.outside)
    before = set(os.listdir(mounted.outside))
    seen: set[str] = set()

    with repeating(exchange(str(mounted.out / "d"), str(mounted.out / "link"))):
        end = time.monotonic() + DURATION_S
        while time.monotonic() < end:
            calls: list[tuple[str, dict[str, Any]]] = [
                ("files.open", {"path": "/out/d/new", "access": "w", "create": True}),
                ("files.mkdir", {"path": "/out/d/folder"}),
                ("files.remove", {"path": "/out/d/secret.txt"}),
                ("files.remove", {"path": "/out/d/new"}),
                ("files.rmdir", {"path": "/out/d/folder"}),
            ]
            for operation, arguments in calls:
                try:
                    answer = mounted.call(operation, **arguments)
                except FileRefused:
                    continue
                if isinstance(answer, dict):
                    mounted.call("files.close", closed=[answer["handle"]])
            seen |= set(os.listdir(mounted.outside))

    assert seen <= before
    assert set(os.listdir(mounted.outside)) == before


def test_a_folder_that_the_operator_moves_out_gives_no_way_outside(mounted: Mounted) -> None:
    """A folder below the mount moves out and back while the guest creates files in it."""
    (mounted.out / "d").mkdir()
    place, elsewhere = str(mounted.out / "d"), str(mounted.outside / "d")

    def act() -> None:
        os.rename(place, elsewhere)
        os.rename(elsewhere, place)

    with repeating(act):
        end = time.monotonic() + DURATION_S
        while time.monotonic() < end:
            with suppress(FileRefused):
                mounted.write("/out/d/../../outside/new", b"")
            try:
                mounted.write("/out/d/f", b"mine")
            except FileRefused:
                continue

    assert not (mounted.outside / "new").exists()
    assert (mounted.outside / "secret.txt").read_text() == SECRET
