"""The files bridge, opened for a run, and what it adds to the run's usage."""

import base64
import json
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from codeact_bridges.bridge import OpenBridge, Usage
from codeact_bridges.errors import FileRefused
from codeact_bridges.files.access_log import MAX_ALLOWED, MAX_DENIED
from codeact_bridges.files.bridge import FilesBridge
from codeact_bridges.files.changed_files import MAX_FILES, MAX_IMAGE_BYTES, MAX_TEXT_BYTES
from codeact_bridges.files.encoding import pack
from codeact_bridges.files.mounts import mount
from codeact_bridges.values import ProducedFile

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


class Run:
    """A run for which the bridge is open."""

    def __init__(self, opened: OpenBridge, usage: Usage) -> None:
        self.opened, self.usage = opened, usage

    async def call(self, operation: str, **arguments: Any) -> Any:
        with anyio.fail_after(10):
            answer = await self.opened.handlers[operation](json.dumps(arguments))
        return json.loads(answer.partition("\n")[0])

    async def write(self, path: str, data: bytes) -> None:
        opened = await self.call("files.open", path=path, access="w", create=True, truncate=True)
        with anyio.fail_after(10):
            request = json.dumps({"handle": opened["handle"], "at": 0})
            await self.opened.handlers["files.write"](f"{request}\n{pack(data)}")
        await self.call("files.close", closed=[opened["handle"]])


@asynccontextmanager
async def run_of(bridge: FilesBridge) -> AsyncGenerator[Run]:
    usage = Usage()
    async with bridge.open(usage) as opened:
        yield Run(opened, usage)


@pytest.fixture
def bridge(tmp_path: Path) -> FilesBridge:
    return FilesBridge([mount("/out", "rw", tmp_path), mount("/scratch", "temp")], 16_000_000)


async def produced(bridge: FilesBridge, files: dict[str, bytes]) -> dict[str, ProducedFile]:
    async with run_of(bridge) as run:
        for path, data in files.items():
            await run.write(path, data)
    return {file.path: file for file in run.usage.produced}


async def test_the_guest_learns_the_mounts_and_its_first_working_folder(bridge: FilesBridge) -> None:
    async with run_of(bridge) as run:
        assert run.opened.init["files"] == {
            "mounts": [{"path": "/out", "mode": "rw"}, {"path": "/scratch", "mode": "temp"}],
            "folder": "/out",
            "chunk_bytes": 2 << 20,
        }


async def test_created_files_are_reported_with_their_place_on_this_machine(bridge: FilesBridge, tmp_path: Path) -> None:
    files = await produced(bridge, {"/out/a b.csv": b"x,y\n", "/scratch/gone.csv": b"x"})

    (file,) = files.values()
    assert (file.path, file.size_bytes, file.mime_type) == ("/out/a b.csv", 4, "text/csv")
    assert file.uri == (tmp_path / "a b.csv").as_uri()


async def test_only_images_and_small_texts_are_included_as_content(bridge: FilesBridge) -> None:
    files = await produced(
        bridge,
        {
            "/out/plot.dat": PNG,
            "/out/note.txt": "ü".encode(),
            "/out/long.txt": b"x" * (MAX_TEXT_BYTES + 1),
            "/out/huge.png": PNG + bytes(MAX_IMAGE_BYTES),
            "/out/not.png": b"text that says it is a picture",
            "/out/bytes": b"\xff\x00",
            "/out/page.html": b"<p>",
        },
    )

    included = {path: file.mime_type for path, file in files.items() if file.base64 is not None}
    assert included == {"/out/plot.dat": "image/png", "/out/note.txt": "text/plain", "/out/page.html": "text/html"}
    assert base64.b64decode(files["/out/plot.dat"].base64 or "") == PNG
    assert len(files) == 7


async def test_a_file_is_reported_under_its_last_name_and_a_removed_one_is_not(bridge: FilesBridge) -> None:
    async with run_of(bridge) as run:
        await run.call("files.mkdir", path="/out/d")
        for name in ("a", "b", "d/c"):
            await run.write(f"/out/{name}", b"x")
        await run.call("files.rename", path="/out/a", target="/out/z")
        await run.call("files.remove", path="/out/b")
        await run.call("files.rename", path="/out/d", target="/out/e")

    assert {file.path for file in run.usage.produced} == {"/out/z", "/out/e/c"}


async def test_a_file_that_was_only_opened_or_read_is_not_reported(bridge: FilesBridge, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("old")
    async with run_of(bridge) as run:
        await run.call("files.open", path="/out/f")
        await run.call("files.open", path="/out/f", access="rw")

    assert run.usage.produced == []


async def test_a_limited_number_of_files_is_reported(bridge: FilesBridge) -> None:
    assert len(await produced(bridge, {f"/out/{number}": b"" for number in range(MAX_FILES + 20)})) == MAX_FILES


async def test_access_records_are_limited_and_one_record_sums_up_the_rest(bridge: FilesBridge) -> None:
    async with run_of(bridge) as run:
        for _ in range(MAX_ALLOWED + 5):
            await run.call("files.stat", path="/out")
        for _ in range(MAX_DENIED + 5):
            with pytest.raises(FileRefused):
                await run.call("files.stat", path="/etc")

    whats = [access.what for access in run.usage.accesses]
    assert len(whats) == MAX_ALLOWED + MAX_DENIED + 2
    assert whats.count("5 more accesses") == 2


async def test_every_program_of_a_session_has_its_own_usage(bridge: FilesBridge) -> None:
    async with run_of(bridge) as run:
        opened = await run.call("files.open", path="/out/f", access="w", create=True)
        assert run.opened.flush is not None
        await run.opened.flush()
        first = [access.what for access in run.usage.accesses], [file.path for file in run.usage.produced]
        run.usage.accesses.clear()
        run.usage.produced.clear()

        request = json.dumps({"handle": opened["handle"], "at": 0})
        await run.opened.handlers["files.write"](f"{request}\n{pack(b'later')}")
        await run.opened.flush()

    assert first == (["write /out/f"], ["/out/f"])
    assert [(access.what, access.bytes) for access in run.usage.accesses] == [("write /out/f", 5)]
    assert [file.size_bytes for file in run.usage.produced] == [5]


async def test_no_descriptor_stays_open_after_a_run(bridge: FilesBridge) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        async with run_of(bridge) as run:
            for number in range(20):
                await run.call("files.open", path=f"/out/{number}", access="w", create=True)
    with anyio.fail_after(5):
        while len(os.listdir("/proc/self/fd")) > before:
            await anyio.lowlevel.checkpoint()


async def test_two_runs_do_not_share_a_temp_folder(bridge: FilesBridge) -> None:
    async with run_of(bridge) as one, run_of(bridge) as other:
        await one.write("/scratch/f", b"x")
        assert (await one.call("files.list", path="/scratch"))["entries"] == ["f", "f"]
        assert (await other.call("files.list", path="/scratch"))["entries"] == []
