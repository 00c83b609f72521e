"""The tool calls of one run: budgeted, passed by the policy, recorded whatever becomes of them."""

import hashlib
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio
import anyio.lowlevel
import pytest
from run_handles import a_run

from codeact_bridges.approval.policy import Policy, ToolRule
from codeact_bridges.approval.request import ApprovalChoice, ApprovalRequest, NoApproval
from codeact_bridges.errors import BadGuestCall, BudgetSpent, DownstreamFailed, ToolDenied, ToolError, UnknownTool
from codeact_bridges.limits import Limits
from codeact_bridges.runs.handle import PendingQuestion, RunHandle
from codeact_bridges.runs.observer import RunEvent
from codeact_bridges.runs.tool_calls import ToolCalls
from codeact_bridges.testing import ScriptedTools, echo
from codeact_bridges.values import Data, JsonValue, ToolValue


@asynccontextmanager
async def person(handle: RunHandle, answer: ApprovalChoice | NoApproval) -> AsyncGenerator[list[ApprovalRequest]]:
    """Behind the run's client: gives this answer to every question. Yields the questions."""
    asked: list[ApprovalRequest] = []

    async def answer_all() -> None:
        while isinstance(pending := await handle.next(60), PendingQuestion):
            assert isinstance(pending.question, ApprovalRequest)
            asked.append(pending.question)
            pending.answer(answer)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(answer_all)
        yield asked
        tasks.cancel_scope.cancel()


async def fail(arguments: Mapping[str, JsonValue]) -> ToolValue:
    raise DownstreamFailed("test", "fail", "it is closed")


async def hang(arguments: Mapping[str, JsonValue]) -> ToolValue:
    await anyio.sleep_forever()
    raise AssertionError


async def text(arguments: Mapping[str, JsonValue]) -> ToolValue:
    return Data("x" * 1_000)


async def odd(arguments: Mapping[str, JsonValue]) -> ToolValue:
    return Data(object())  # type: ignore[arg-type]


SCRIPTS = {"test.echo": echo, "test.fail": fail, "test.hang": hang, "test.text": text, "test.odd": odd}


@dataclass
class Run:
    """The tool calls of a run, with what they are made of."""

    handle: RunHandle
    calls: ToolCalls
    tools: ScriptedTools
    events: list[RunEvent]


def a_run_with(*rules: ToolRule, tool_calls: int = 500, tool_bytes: int = 1_000_000) -> Run:
    tools, events = ScriptedTools(SCRIPTS), list[RunEvent]()
    handle = a_run(code="first\nsecond", policy=Policy(rules=rules))
    handle.observers.append(events.append)
    return Run(handle, ToolCalls(tools, handle, Limits(tool_calls=tool_calls, tool_bytes=tool_bytes)), tools, events)


async def call(run: Run, tool: str, line: int | None = 1, **arguments: JsonValue) -> JsonValue:
    request = json.dumps({"tool": tool, "arguments": arguments, "line": line})
    reply: JsonValue = json.loads(await run.calls.handlers()["tools.call"](request))
    return reply


async def test_a_call_is_made_answered_recorded_and_told() -> None:
    run = a_run_with()

    assert await call(run, "echo", a=1) == {"data": {"a": 1}}

    assert run.tools.called == [("test.echo", {"a": 1})]
    (record,) = run.calls.records
    assert run.events == [record]
    assert (record.tool, record.outcome, record.decision, record.sent) == ("test.echo", "ok", "allow", True)
    assert record.sha256 == hashlib.sha256(record.arguments.encode()).hexdigest()
    assert record.bytes == len('{"data":{"a":1}}')


async def test_a_call_that_is_denied_is_not_sent() -> None:
    run = a_run_with(ToolRule(tool="test.echo", action="deny"))

    with pytest.raises(ToolDenied, match=r'the operator\'s policy denies it \(policy.rules: { tool = "test.echo"'):
        await call(run, "test.echo")

    (record,) = run.calls.records
    assert run.tools.called == []
    assert (record.outcome, record.sent) == ("error", False)
    assert record.decision.startswith("deny: the operator's policy denies it")


@pytest.mark.parametrize(
    ("answer", "decision", "asked_again"),
    [
        ("once", "ask: once", False),
        ("run", "ask: run", False),
        (
            NoApproval.DECLINED,
            'deny: it needs approval (policy.rules: { tool = "*", action = "ask" }), and the user',
            True,
        ),
        (NoApproval.AUTOMATIC, "deny: it needs approval", False),
    ],
)
async def test_a_call_that_is_asked_for_says_what_was_answered(
    answer: ApprovalChoice | NoApproval, decision: str, asked_again: bool
) -> None:
    run = a_run_with(ToolRule(tool="*", action="ask"))
    async with person(run.handle, answer) as asked:
        try:
            await call(run, "test.echo", line=2, password="hunter2")
        except ToolDenied:
            assert isinstance(answer, NoApproval)

    (record,) = run.calls.records
    assert record.decision.startswith(decision)
    assert "allow" not in record.decision, "the advice is for the program, not for the record"
    assert record.asked_again is asked_again
    assert record.sent is bool(run.tools.called) is not isinstance(answer, NoApproval)
    assert asked[0].line == "2: second"
    assert "hunter2" not in asked[0].text()


@pytest.mark.parametrize(
    ("tool", "raised", "sent"), [("test.fail", DownstreamFailed, True), ("test.none", UnknownTool, False)]
)
async def test_a_call_that_fails_is_recorded_with_whether_it_was_sent(
    tool: str, raised: type[ToolError], sent: bool
) -> None:
    run = a_run_with()

    with pytest.raises(raised):
        await call(run, tool)

    (record,) = run.calls.records
    assert run.events == [record]
    assert (record.outcome, record.sent) == ("error", sent)
    assert record.error is not None


async def test_a_call_that_is_cut_off_stays_unfinished() -> None:
    run = a_run_with()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call, run, "test.hang")
        for _ in range(5):
            await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()

    (record,) = run.calls.records
    assert run.events == [record]
    assert (record.outcome, record.sent) == ("unfinished", True)


async def test_calls_are_counted_those_that_fail_included() -> None:
    run = a_run_with(tool_calls=2)
    await call(run, "test.echo")
    with pytest.raises(UnknownTool):
        await call(run, "test.none")
    with pytest.raises(
        BudgetSpent, match=r"this run has used its 2 tool calls \(setting codeact\.limits\.tool_calls\)"
    ):
        await call(run, "test.echo")

    assert len(run.tools.called) == 1
    assert len(run.calls.records) == 2


async def test_bytes_from_tools_are_counted_and_what_is_over_was_sent_all_the_same() -> None:
    run = a_run_with(tool_bytes=1_500)
    await call(run, "test.text")
    with pytest.raises(BudgetSpent, match="bytes from tools"):
        await call(run, "test.text")
    assert await call(run, "test.echo") == {"data": {}}

    assert [(record.outcome, record.sent) for record in run.calls.records] == [
        ("ok", True),
        ("error", True),
        ("ok", True),
    ]


async def test_a_result_that_is_not_json_serializable_is_the_tools_failure() -> None:
    run = a_run_with()

    with pytest.raises(ToolError, match="its result is not JSON-serializable"):
        await call(run, "test.odd")


@pytest.mark.parametrize("asked", ["", "[]", '{"tool": 1, "arguments": {}}', '{"tool": "a"}', '{"tool":"a","x":1}'])
async def test_what_is_no_call_is_refused_and_leaves_no_record_but_uses_up_a_call(asked: str) -> None:
    run = a_run_with(tool_calls=1)

    with pytest.raises(BadGuestCall):
        await run.calls.handlers()["tools.call"](asked)

    assert run.calls.records == ()
    with pytest.raises(BudgetSpent):
        await run.calls.handlers()["tools.call"](asked)


async def test_a_link_that_no_tool_gave_is_not_read() -> None:
    run = a_run_with()

    with pytest.raises(ToolDenied, match="no tool has given this link"):
        await run.calls.handlers()["tools.read_resource"]('{"server": "test", "uri": "file:///etc/passwd"}')

    assert run.tools.called == []
