"""What a guest has begun and asks about later: its places, its arguments, its ends."""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

import anyio
import anyio.lowlevel
import pytest

from codeact_bridges.bridge import Handler
from codeact_bridges.errors import BadGuestCall
from codeact_bridges.runs.async_operations import AsyncOperations

GUARD_S = 5


@asynccontextmanager
async def opened(
    answer: Handler, at_once: int = 2, message_bytes: int = 1_000
) -> AsyncGenerator[Mapping[str, Handler]]:
    with anyio.fail_after(GUARD_S):
        async with anyio.create_task_group() as tasks:
            yield AsyncOperations(tasks, {"do": answer}, at_once=at_once, message_bytes=message_bytes).handlers()
            tasks.cancel_scope.cancel()


async def echo(text: str) -> str:
    return json.dumps(text)


async def never(_: str) -> str:
    await anyio.sleep_forever()
    raise AssertionError


async def test_what_has_finished_is_told_once_with_its_number() -> None:
    async with opened(echo) as handlers:
        assert await handlers["async.submit"]("7 do\nhello") == "null"
        assert json.loads(await handlers["async.wait"]('{"timeout_s":null}')) == [[7, True, "hello"]]
        assert json.loads(await handlers["async.wait"]('{"timeout_s":0}')) == []


async def test_a_place_is_free_again_whenever_what_had_it_is_cancelled() -> None:
    for turns in range(5):
        started, may_end = anyio.Event(), anyio.Event()

        async def gated(text: str) -> str:
            if text == "first":
                started.set()  # noqa: B023
                await may_end.wait()  # noqa: B023
            return json.dumps(text)

        async with opened(gated, at_once=1) as handlers:
            await handlers["async.submit"]("1 do\nfirst")
            await started.wait()
            may_end.set()
            for _ in range(turns):  # with each turn of the loop it is nearer to its end
                await anyio.lowlevel.checkpoint()
            await handlers["async.cancel"]('{"id":1}')
            await handlers["async.submit"]("2 do\nsecond")
            assert json.loads(await handlers["async.wait"]('{"timeout_s":null}')) == [[2, True, "second"]]


async def test_a_number_may_be_used_again_as_soon_as_it_is_cancelled() -> None:
    async with opened(echo) as handlers:
        for text in ("a", "b", "c"):
            await handlers["async.submit"](f"1 do\n{text}")
            if text != "c":
                await handlers["async.cancel"]('{"id":1}')
        assert json.loads(await handlers["async.wait"]('{"timeout_s":null}')) == [[1, True, "c"]]


async def test_arguments_that_wait_are_bounded_and_there_is_room_again_when_they_are_used() -> None:
    async with opened(never, message_bytes=1_000) as handlers:
        await handlers["async.submit"](f"1 do\n{'x' * 1_500}")
        with pytest.raises(
            BadGuestCall,
            match=r"1,500 characters .* are in flight, and at most 2,000 may .*: await some calls",
        ):
            await handlers["async.submit"](f"2 do\n{'x' * 600}")
        await handlers["async.submit"](f"2 do\n{'x' * 500}")
        await handlers["async.cancel"]('{"id":1}')
        await anyio.wait_all_tasks_blocked()
        await handlers["async.submit"](f"3 do\n{'x' * 1_500}")
