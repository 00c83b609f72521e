"""One run, with a guest that is a function: whatever it asks is answered or refused, whatever it does has an end."""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import anyio
import pytest
from run_handles import a_run

from codeact_bridges.errors import BridgeError, GuestDied
from codeact_bridges.guest.images import STANDARD_LIBRARY
from codeact_bridges.limits import Limits
from codeact_bridges.modules.standard_library import StandardLibrary
from codeact_bridges.runs.execute import run_program
from codeact_bridges.runs.guest_host import Bridges
from codeact_bridges.sandbox.pool import Pool, PoolSize, open_pool
from codeact_bridges.sandbox.port import GuestHost, Worker
from codeact_bridges.testing import GuestScript, ScriptedTools, ScriptedWorker, echo
from codeact_bridges.values import Data, JsonValue, RunResult, ToolValue

RETURNED = '{"kind":"returned"}'
GUARD_S = 5


@asynccontextmanager
async def pool_of(script: GuestScript) -> AsyncGenerator[Pool]:
    async def launch() -> Worker:
        return ScriptedWorker(script)

    async with open_pool(launch, PoolSize(spare=0, max_workers=1)) as pool:
        yield pool


async def run(
    script: Callable[[GuestHost], Awaitable[str]],
    tools: ScriptedTools | None = None,
    *,
    deadline_s: float = 60,
    limits: Limits | None = None,
) -> RunResult:
    async def guest(_: str, host: GuestHost) -> str:
        return await script(host)

    with anyio.fail_after(GUARD_S):
        async with pool_of(guest) as pool:
            bridges = Bridges(tools or ScriptedTools({"t.echo": echo}), StandardLibrary(STANDARD_LIBRARY))
            limits = limits or Limits()
            return await run_program(a_run(code="code", timeout_s=deadline_s, limits=limits), pool, bridges, limits)


async def refusal(host: GuestHost, operation: str, text: str) -> str:
    with pytest.raises(BridgeError) as refused:
        await host.call(operation, text)
    return str(refused.value)


async def test_an_operation_that_does_not_exist_is_refused_and_the_run_goes_on() -> None:
    async def guest(host: GuestHost) -> str:
        assert (
            await refusal(host, "nothing.such" * 100, "{}") == f"there is no operation {('nothing.such' * 100)[:100]!r}"
        )
        return RETURNED

    assert (await run(guest)).failure is None


@pytest.mark.parametrize(
    "outcome",
    [
        "",
        "null",
        "{}",
        '{"kind":"won"}',
        '{"kind":"returned","extra":1}',
        '{"kind":"exited","code":"x"}',
        "[" * 100_000,
    ],
)
async def test_a_guest_that_ends_with_something_else_than_an_outcome_has_died(outcome: str) -> None:
    async def guest(_: GuestHost) -> str:
        return outcome

    failure = (await run(guest)).failure
    assert failure is not None
    assert (failure.kind, failure.message) == ("died", "the guest ended with something that is not an outcome")


async def test_a_guest_that_dies_leaves_its_output_and_its_calls() -> None:
    async def guest(host: GuestHost) -> str:
        host.printed(1, "out")
        host.printed(2, "err")
        await host.call("tools.call", '{"tool":"echo","arguments":{"a":1}}')
        raise GuestDied("it was too much")

    result = await run(guest)
    assert [(piece.stream, piece.text) for piece in result.output.pieces] == [("stdout", "out"), ("stderr", "err")]
    assert [(call.tool, call.outcome) for call in result.calls] == [("t.echo", "ok")]
    assert result.failure is not None
    assert (result.failure.kind, result.failure.message) == ("died", "it was too much")


async def test_a_call_in_flight_at_the_deadline_is_cancelled_and_recorded_as_unfinished() -> None:
    cancelled = anyio.Event()

    async def never(_: Mapping[str, JsonValue]) -> ToolValue:
        try:
            await anyio.sleep_forever()
        finally:
            cancelled.set()
        raise AssertionError

    async def guest(host: GuestHost) -> str:
        await host.call("async.submit", '1 tools.call\n{"tool":"never","arguments":{}}')
        await anyio.sleep_forever()
        raise AssertionError

    result = await run(guest, ScriptedTools({"t.never": never}), deadline_s=0.1)
    assert cancelled.is_set()
    assert [(call.tool, call.outcome) for call in result.calls] == [("t.never", "unfinished")]
    assert result.failure is not None
    assert result.failure.kind == "deadline"


async def test_a_wait_gives_what_has_finished_and_an_error_as_an_object() -> None:
    async def guest(host: GuestHost) -> str:
        await host.call("async.submit", '1 tools.call\n{"tool":"echo","arguments":{"n":1}}')
        first = json.loads(await host.call("async.wait", '{"timeout_s":null}'))
        await host.call("async.submit", '2 tools.call\n{"tool":"nope","arguments":{}}')
        second = json.loads(await host.call("async.wait", '{"timeout_s":null}'))
        assert first == [[1, True, {"data": {"n": 1}}]]
        assert [second[0][0], second[0][1], second[0][2]["type"], second[0][2]["facts"]["tool"]] == [
            2,
            False,
            "UnknownTool",
            "nope",
        ]
        return RETURNED

    assert (await run(guest)).failure is None


async def test_a_wait_ends_at_its_time_and_a_wait_for_nothing_is_refused() -> None:
    async def guest(host: GuestHost) -> str:
        assert await host.call("async.wait", '{"timeout_s":0}') == "[]"
        assert await host.call("async.wait", '{"timeout_s":0.01}') == "[]"
        assert "nothing is in flight" in await refusal(host, "async.wait", '{"timeout_s":null}')
        return RETURNED

    assert (await run(guest)).failure is None


async def test_what_is_cancelled_is_not_reported_and_releases_its_slot() -> None:
    started = anyio.Event()

    async def never(_: Mapping[str, JsonValue]) -> ToolValue:
        started.set()
        await anyio.sleep_forever()
        raise AssertionError

    async def guest(host: GuestHost) -> str:
        await host.call("async.submit", '1 tools.call\n{"tool":"never","arguments":{}}')
        await started.wait()
        await host.call("async.cancel", '{"id":1}')
        await host.call("async.cancel", '{"id":1}')
        await host.call("async.submit", '2 tools.call\n{"tool":"echo","arguments":{}}')
        assert json.loads(await host.call("async.wait", '{"timeout_s":null}')) == [[2, True, {"data": {}}]]
        return RETURNED

    result = await run(guest, ScriptedTools({"t.never": never, "t.echo": echo}), limits=Limits(concurrent_calls=1))
    assert result.failure is None, result.failure


async def test_a_number_cannot_be_used_twice_and_only_what_may_wait_can_be_submitted() -> None:
    async def guest(host: GuestHost) -> str:
        await host.call("async.submit", '1 tools.call\n{"tool":"echo","arguments":{}}')
        assert "is in flight already" in await refusal(
            host, "async.submit", '1 tools.call\n{"tool":"echo","arguments":{}}'
        )
        assert "cannot be submitted" in await refusal(host, "async.submit", "2 run.end\n{}")
        return RETURNED

    assert (await run(guest)).failure is None


async def test_a_result_that_is_not_json_serializable_is_a_tool_error() -> None:
    async def bad(_: Mapping[str, JsonValue]) -> ToolValue:
        return Data("half \ud800")

    async def guest(host: GuestHost) -> str:
        assert "is not JSON-serializable" in await refusal(host, "tools.call", '{"tool":"bad","arguments":{}}')
        return RETURNED

    result = await run(guest, ScriptedTools({"t.bad": bad}))
    assert result.failure is None, result.failure
    assert [call.outcome for call in result.calls] == ["error"]


async def test_a_program_that_is_not_text_is_refused_without_a_worker() -> None:
    async def launch() -> Worker:
        raise AssertionError

    async with open_pool(launch, PoolSize(spare=0, max_workers=1)) as pool:
        bridges = Bridges(ScriptedTools(), StandardLibrary(STANDARD_LIBRARY))
        result = await run_program(a_run(code="x = '\ud800'"), pool, bridges, Limits())
    assert result.failure is not None
    assert (result.failure.kind, result.engine) == ("refused", "none")


async def test_too_many_displayed_values_are_refused() -> None:
    async def guest(host: GuestHost) -> str:
        for _ in range(50):
            await host.call("display.value", '{"form":"json","text":"1"}')
        assert "at most 50 values" in await refusal(host, "display.value", '{"form":"json","text":"1"}')
        return RETURNED

    assert len((await run(guest)).displayed) == 50
