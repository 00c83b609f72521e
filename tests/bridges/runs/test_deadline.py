"""The deadline: what ends the block, and when it stands still. The clock is the event loop's, which the test turns."""

import math
from collections.abc import Mapping
from contextlib import nullcontext

import anyio
import pytest
from run_handles import a_run
from virtual_clock import on_virtual_clock, pass_time

from codeact_bridges.limits import Limits
from codeact_bridges.runs.deadline import Deadline
from codeact_bridges.runs.handle import PendingQuestion
from codeact_bridges.runs.tool_calls import ToolCalls
from codeact_bridges.testing import ScriptedTools, echo
from codeact_bridges.tools.catalog.catalog import CatalogTool
from codeact_bridges.tools.port import ClientRequest, ClientRequests, Progress
from codeact_bridges.values import Data, JsonValue, ToolValue


class Asking(ScriptedTools):
    """Tools whose server makes a request to the client in the middle of each call."""

    async def call(
        self,
        tool: CatalogTool,
        arguments: Mapping[str, JsonValue],
        *,
        on_progress: Progress | None = None,
        client_requests: ClientRequests | None = None,
    ) -> ToolValue:
        assert client_requests is not None
        await client_requests.forward(ClientRequest(tool.server, tool.name, "form", {}))
        await pass_time(3)
        return Data(None)


@on_virtual_clock
async def test_a_block_within_its_time_ends_by_itself() -> None:
    deadline = Deadline()
    with deadline.running(10, 100):
        await pass_time(9.9)

    assert deadline.ended_by is None


@pytest.mark.parametrize(("own_s", "total_s", "by"), [(10, 100, "guest time"), (100, 10, "wall time")])
@on_virtual_clock
async def test_what_runs_out_first_ends_the_block(own_s: float, total_s: float, by: str) -> None:
    deadline = Deadline()
    with deadline.running(own_s, total_s):
        await pass_time(10.1)
        pytest.fail("it went on")

    assert deadline.ended_by == by


@pytest.mark.parametrize("paused", [True, False])
@pytest.mark.parametrize("waits", [True, False])
@on_virtual_clock
async def test_it_stands_still_while_the_guest_waits_for_what_is_not_its_own(paused: bool, waits: bool) -> None:
    deadline = Deadline()
    with deadline.running(10, 1_000):
        await pass_time(6)
        with deadline.paused() if paused else nullcontext(), deadline.blocked_on_host() if waits else nullcontext():
            await pass_time(500)
        await pass_time(3.9)

    assert (deadline.ended_by is None) is (paused and waits)


@on_virtual_clock
async def test_what_was_left_is_left_afterwards_however_many_waits_overlap() -> None:
    deadline = Deadline()
    with deadline.running(10, 1_000):
        await pass_time(6)
        with deadline.blocked_on_host():
            with deadline.paused():
                await pass_time(100)
                with deadline.paused():
                    await pass_time(100)
                await pass_time(100)
            await pass_time(3)
            with deadline.paused():
                await pass_time(100)
        await pass_time(0.9)
        assert not anyio.get_current_task().has_pending_cancellation()
        await pass_time(0.2)
        pytest.fail("it went on")

    assert deadline.ended_by == "guest time"


@on_virtual_clock
async def test_the_bound_in_all_does_not_stand_still() -> None:
    deadline = Deadline()
    with deadline.running(10, 20):
        with deadline.blocked_on_host(), deadline.paused():
            await pass_time(20.1)
        pytest.fail("it went on")

    assert deadline.ended_by == "wall time"


@on_virtual_clock
async def test_a_stop_ends_the_block() -> None:
    deadline = Deadline()
    with deadline.running(10, 20):
        deadline.stop()
        await pass_time(0)
        pytest.fail("it went on")

    assert deadline.ended_by == "stop"


@on_virtual_clock
async def test_a_stop_before_the_block_ends_what_leads_to_it_and_the_block() -> None:
    deadline = Deadline()
    reached = False
    with deadline.before():
        deadline.stop()
        await pass_time(0)
        reached = True
    with deadline.running(10, 20):
        await pass_time(0)
        reached = True

    assert not reached
    assert deadline.ended_by == "stop"


@on_virtual_clock
async def test_a_stop_in_the_block_or_after_it_leaves_alone_what_is_around_it() -> None:
    deadline = Deadline()
    cleaned_up = False
    with deadline.before():
        with deadline.running(10, 20):
            deadline.stop()
            await pass_time(0)
        deadline.stop()
        await pass_time(0)
        cleaned_up = True

    assert cleaned_up


@on_virtual_clock
async def test_it_is_paused_while_a_server_waits_for_the_user() -> None:
    handle = a_run()
    calls = ToolCalls(Asking({"test.ask": echo}), handle, Limits())

    async def answer_slowly() -> None:
        while isinstance(pending := await handle.next(math.inf), PendingQuestion):
            await pass_time(200)  # of the 300 that a person has
            pending.answer({"action": "cancel"})

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(answer_slowly)
        with handle.deadline.running(10, 1_000_000):
            for _ in range(10):
                with handle.deadline.blocked_on_host():
                    await calls.handlers()["tools.call"]('{"tool": "ask", "arguments": {}}')
        tasks.cancel_scope.cancel()

    assert handle.deadline.ended_by == "guest time"
    assert len(calls.records) == 4, "three seconds of ten are each call's own"
