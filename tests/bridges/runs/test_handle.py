"""One run as its client's requests see it: its output, its questions and the answers to them."""

from collections.abc import Awaitable, Callable
from typing import Literal

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from run_handles import QUESTION, a_run
from virtual_clock import on_virtual_clock, pass_time

from codeact_bridges.approval.request import ApprovalChoice, NoApproval
from codeact_bridges.errors import ToolError
from codeact_bridges.limits import Limits
from codeact_bridges.runs.handle import MAX_CLIENT_REQUESTS, PendingQuestion, RunHandle, RunOrder
from codeact_bridges.runs.observer import RunEvent
from codeact_bridges.tools.port import ClientRequest, ClientRequestKind
from codeact_bridges.values import CallProgress, CallRecord, Output, Preparing, Printed, RunResult

GUARD_S = 5


async def test_output_is_handed_over_once() -> None:
    handle = a_run()
    handle.printed("stdout", "a")
    first = handle.read()
    handle.printed("stdout", "b")

    assert first == Output((Printed("stdout", "a"),))
    assert handle.output() == Output((Printed("stdout", "ab"),))
    assert handle.take_unread() == Output((Printed("stdout", "b"),))
    assert handle.read() == Output()


@given(st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), st.text(max_size=9), st.booleans()), max_size=20))
async def test_reads_and_the_result_together_have_every_character_once_and_in_order(
    steps: list[tuple[Literal["stdout", "stderr"], str, bool]],
) -> None:
    handle = a_run()
    outputs: list[Output] = []
    for stream, text, read in steps:
        handle.printed(stream, text)
        outputs += [handle.read()] if read else []
    outputs.append(handle.take_unread())

    handed_over = [(piece.stream, letter) for output in outputs for piece in output.pieces for letter in piece.text]
    assert handed_over == [(stream, letter) for stream, text, _ in steps for letter in text]


async def test_a_long_output_is_read_without_its_middle_and_what_follows_it_is_not_lost() -> None:
    handle = a_run(limits=Limits(output_bytes=1_000))
    lines = [f"line {number:04}\n" for number in range(1_000)]
    handle.printed("stdout", "".join(lines))
    read = handle.read()
    handle.printed("stdout", "the end\n")

    assert read == Output((Printed("stdout", "".join(lines[:50])),), 9_000, (Printed("stdout", "".join(lines[-50:])),))
    assert handle.take_unread() == Output((Printed("stdout", "the end\n"),))


@pytest.mark.parametrize(("set_by_operator", "shown"), [(None, 5_000), (2_000, 2_000)])
async def test_what_the_operator_sets_is_shown_whatever_is_known_of_the_client(
    set_by_operator: int | None, shown: int
) -> None:
    order = RunOrder(owner="me", code="", shown_bytes=5_000)

    assert RunHandle(order, Limits(output_bytes=set_by_operator)).shown_bytes == shown


async def test_every_observer_gets_every_event() -> None:
    handle = a_run()
    events: list[RunEvent] = []
    handle.observers += [events.append, events.append]
    call = CallRecord("shop.look", "ok", 0, 0)
    handle.notify(Printed("stdout", "a"))
    progress = CallProgress("shop.look", 1, None, "looking")
    handle.notify(progress)
    handle.notify(call)

    assert events == [Printed("stdout", "a")] * 2 + [progress] * 2 + [call] * 2
    assert handle.calls == 1


async def test_a_run_prepares_from_the_event_until_its_program_begins() -> None:
    handle = a_run()
    assert not handle.is_preparing
    handle.notify(Preparing())
    assert handle.is_preparing
    handle.begin()
    assert not handle.is_preparing


async def ask_and(
    handle: RunHandle, act: Callable[[PendingQuestion], Awaitable[None] | None], guard_s: float = GUARD_S
) -> ApprovalChoice | NoApproval:
    """Let the run ask, and `act` handle the question. Returns the answer that the run gets."""
    given: list[ApprovalChoice | NoApproval] = []

    async def ask() -> None:
        given.append(await handle.ask(QUESTION))

    with anyio.fail_after(guard_s):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            pending = await handle.next(60)
            assert isinstance(pending, PendingQuestion)
            done = act(pending)
            if done is not None:
                await done
    return given[0]


async def test_a_question_waits_for_the_answer_that_is_meant_for_it() -> None:
    handle = a_run()

    def act(pending: PendingQuestion) -> None:
        assert handle.pending_question("an old question") is None
        assert handle.pending_question(pending.id) is pending
        pending.answer("once")
        pending.answer("session")

    assert await ask_and(handle, act) == "once"
    assert not handle.is_asking


@on_virtual_clock
async def test_a_question_without_an_answer_is_over_after_its_time() -> None:
    async def let_it_pass(pending: PendingQuestion) -> None:
        await pass_time(299)
        assert not pending.over.is_set()
        await pass_time(1)
        assert pending.over.is_set()

    handle = a_run(ask_timeout_s=300)
    assert await ask_and(handle, let_it_pass, guard_s=1_000) is NoApproval.TIMED_OUT
    assert not handle.is_asking


@on_virtual_clock
async def test_the_time_of_an_answer_counts_from_when_the_question_first_went_to_the_client() -> None:
    pending = PendingQuestion(QUESTION)
    await pass_time(10)
    assert pending.sent_for_s() == 0
    pending.send()
    await pass_time(0.25)
    pending.send()

    assert pending.sent_for_s() == 0.25


@pytest.mark.parametrize("why", NoApproval)
async def test_the_run_is_told_why_there_is_no_approval(why: NoApproval) -> None:
    assert await ask_and(a_run(), lambda pending: pending.answer(why)) is why


async def test_a_client_that_cannot_ask_its_user_is_not_asked() -> None:
    assert await a_run(serves=frozenset()).ask(QUESTION) is NoApproval.CANNOT_ASK


async def test_servers_requests_to_the_client_are_limited_in_one_run() -> None:
    handle = a_run(ask_timeout_s=0.001)
    question = ClientRequest("shop", "drop", "form", {})
    for _ in range(MAX_CLIENT_REQUESTS):
        await handle.forward(question)
    with pytest.raises(ToolError, match="20 questions in this run"):
        await handle.forward(question)


@pytest.mark.parametrize(
    ("kind", "given"),
    [("form", {"action": "cancel"}), ("url", {"action": "cancel"}), ("sampling", None), ("roots", None)],
)
async def test_a_servers_request_without_an_answer_in_time_ends(kind: ClientRequestKind, given: object) -> None:
    handle = a_run(ask_timeout_s=0.01)
    question = ClientRequest("shop", "drop", kind, {})
    if given is not None:
        assert await handle.forward(question) == given
    else:
        with pytest.raises(ToolError, match=r"shop\.drop: the client did not answer its question"):
            await handle.forward(question)


async def test_the_question_about_a_cancelled_call_is_withdrawn() -> None:
    handle = a_run()
    pending: RunResult | PendingQuestion | None = None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(handle.ask, QUESTION)
        pending = await handle.next(60)
        tasks.cancel_scope.cancel()

    assert isinstance(pending, PendingQuestion)
    assert pending.over.is_set()
    assert not handle.is_asking


async def test_the_first_stop_says_why() -> None:
    handle = a_run()
    handle.stop("stopped: the first reason")
    handle.stop()

    assert handle.stopped_because == "stopped: the first reason"
