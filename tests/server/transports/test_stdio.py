"""The stdio transport over pipes, sockets and files, with clients that write in pieces, do not read, or disconnect."""

import json
import os
import socket
from collections.abc import AsyncGenerator
from pathlib import Path

import anyio
import pytest

from codeact_server.transports import stdio
from codeact_server.transports.stdio import StdoutWriter, lines_of, messages_of

GUARD_S = 20
LARGE = "x" * 1_000_000 + "\n"


def pipe(kind: str) -> tuple[int, int]:
    """Descriptors to read from and to write to."""
    if kind == "pipe":
        return os.pipe()
    ours, theirs = socket.socketpair()
    return ours.detach(), theirs.detach()


async def all_of(fd: int) -> list[str]:
    return [line async for line in lines_of(fd)]


@pytest.mark.parametrize("kind", ["pipe", "socket"])
async def test_lines_arrive_whole_however_they_were_split_into_writes(kind: str) -> None:
    out, into = pipe(kind)
    came: list[list[str]] = []

    async def read() -> None:
        came.append(await all_of(out))

    with anyio.fail_after(GUARD_S):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            for piece in (b"on", b"e\ntwo\nthr", b"ee\n\n", b"\xff no UTF-8\n", b"and the rest"):
                os.write(into, piece)
                await anyio.wait_all_tasks_blocked()
            os.close(into)

    assert came == [["one\n", "two\n", "three\n", "\n", "\ufffd no UTF-8\n", "and the rest"]]


@pytest.mark.parametrize("kind", ["pipe", "socket"])
async def test_a_line_that_is_too_long_is_cut(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stdio, "MAX_LINE_BYTES", 4)
    out, into = pipe(kind)
    lines = lines_of(out)
    with anyio.fail_after(GUARD_S):
        os.write(into, b"12345")
        assert await anext(lines) == "12345"
        os.write(into, b"678\n")
        os.close(into)
        assert [line async for line in lines] == ["678\n"]


async def test_a_file_is_read_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "in").write_bytes(b"one\ntwo")

    with anyio.fail_after(GUARD_S):
        assert await all_of(os.open(tmp_path / "in", os.O_RDONLY)) == ["one\n", "two"]


@pytest.mark.parametrize("kind", ["pipe", "socket"])
async def test_all_data_arrives_although_the_reader_is_slow(kind: str) -> None:
    out, into = pipe(kind)
    came: list[list[str]] = []

    async def read() -> None:
        await anyio.wait_all_tasks_blocked()  # until the pipe is full and the writer waits
        came.append(await all_of(out))

    with anyio.fail_after(GUARD_S):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            writer = StdoutWriter(into)
            await writer.write(LARGE)
            await writer.write("ä\n")
            await writer.flush()
            os.close(into)

    assert came == [[LARGE, "ä\n"]]


async def test_a_file_is_written_to(tmp_path: Path) -> None:
    fd = os.open(tmp_path / "out", os.O_CREAT | os.O_WRONLY)
    with anyio.fail_after(GUARD_S):
        writer = StdoutWriter(fd)
        await writer.write("one\n")
        await writer.flush()
    os.close(fd)

    assert (tmp_path / "out").read_text() == "one\n"


@pytest.mark.parametrize("kind", ["pipe", "socket"])
async def test_a_write_to_a_reader_that_does_not_read_can_be_cancelled(kind: str) -> None:
    out, into = pipe(kind)
    with anyio.fail_after(GUARD_S):
        async with anyio.create_task_group() as tasks:
            writer = StdoutWriter(into)
            await writer.write(LARGE)
            tasks.start_soon(writer.flush)
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
    os.close(out)
    os.close(into)


@pytest.mark.parametrize("kind", ["pipe", "socket"])
async def test_writing_to_a_closed_reader_raises_closed_resource_error(kind: str) -> None:
    out, into = pipe(kind)
    os.close(out)
    writer = StdoutWriter(into)
    await writer.write("one\n")
    with anyio.fail_after(GUARD_S), pytest.raises(anyio.ClosedResourceError):
        await writer.flush()
    os.close(into)


@pytest.mark.parametrize(("version", "batches"), [("2025-03-26", True), ("2025-11-25", False)])
async def test_lines_become_messages_and_what_is_none_is_answered(version: str, batches: bool) -> None:
    initialize = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {"protocolVersion": version}}
    pings = [{"jsonrpc": "2.0", "id": n, "method": "ping"} for n in (1, 2)]

    async def lines() -> AsyncGenerator[str]:
        for line in (pings, initialize, "\n", pings, pings[0] | {"id": None}, pings[0]):
            yield line if isinstance(line, str) else json.dumps(line) + "\n"

    out, into = os.pipe()
    with anyio.fail_after(GUARD_S):
        passed = [json.loads(line) async for line in messages_of(lines(), StdoutWriter(into))]
        os.close(into)
        answers = [json.loads(line) for line in await all_of(out)]

    assert passed == [initialize, *(pings if batches else []), pings[0]]
    assert [answer["id"] for answer in answers] == [1, 2, *([] if batches else [1, 2]), None]
    assert {answer["error"]["code"] for answer in answers} == {-32600}


async def test_answers_that_are_written_at_once_do_not_mix() -> None:
    out, into = os.pipe()
    writer = StdoutWriter(into)
    came: list[list[str]] = []

    async def read() -> None:
        came.append(await all_of(out))

    async def write(text: str) -> None:
        await writer.write(text)
        await writer.flush()

    with anyio.fail_after(GUARD_S):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            async with anyio.create_task_group() as writers:
                for letter in "ab":
                    writers.start_soon(write, letter * 1_000_000 + "\n")
            os.close(into)

    assert sorted(came[0]) == ["a" * 1_000_000 + "\n", "b" * 1_000_000 + "\n"]
