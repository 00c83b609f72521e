"""The tool calls of one run: budgeted, passed by the policy, recorded whatever becomes of them."""

import hashlib
import json
from collections.abc import Mapping

import anyio
import anyio.lowlevel
import pytest

from codeact_bridges.approval.gate import ApprovalGate
from codeact_bridges.approval.policy import Grants, Policy, ToolRule
from codeact_bridges.approval.request import ApprovalChoice, ApprovalRequest
from codeact_bridges.errors import BadGuestCall, BudgetSpent, DownstreamFailed, ToolDenied, ToolError, UnknownTool
from codeact_bridges.limits import Limits
from codeact_bridges.runs.deadline import Deadline
from codeact_bridges.runs.observer import NullObserver
from codeact_bridges.runs.tool_calls import ToolCalls
from codeact_bridges.testing import ScriptedTools, echo
from codeact_bridges.values import CallRecord, Data, JsonValue, ToolValue


class Heard(NullObserver):
    """Watches."""

    def __init__(self) -> None:
        self.calls: list[CallRecord] = []

    def called(self, call: CallRecord) -> None:
        self.calls.append(call)


class Person:
    """Answers always the same."""

    def __init__(self, answer: ApprovalChoice) -> None:
        self.answer: ApprovalChoice = answer
        self.asked: list[ApprovalRequest] = []

    async def ask(self, question: ApprovalRequest) -> ApprovalChoice | None:
        self.asked.append(question)
        return self.answer


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


def made(
    *rules: ToolRule, person: Person | None = None, tool_calls: int = 500, tool_bytes: int = 1_000_000
) -> tuple[ToolCalls, ScriptedTools, Heard]:
    tools, heard = ScriptedTools(SCRIPTS), Heard()
    limits = Limits(tool_calls=tool_calls, tool_bytes=tool_bytes)
    gate = ApprovalGate(Policy(rules=rules), Grants(), person)
    calls = ToolCalls(tools, code="first\nsecond", limits=limits, gate=gate, deadline=Deadline(), observer=heard)
    return calls, tools, heard


async def call(calls: ToolCalls, tool: str, line: int | None = 1, **arguments: JsonValue) -> JsonValue:
    asked = json.dumps({"tool": tool, "arguments": arguments, "line": line})
    answer: JsonValue = json.loads(await calls.handlers()["tools.call"](asked))
    return answer


async def test_a_call_is_made_answered_recorded_and_told() -> None:
    calls, tools, heard = made()

    assert await call(calls, "echo", a=1) == {"data": {"a": 1}}

    assert tools.called == [("test.echo", {"a": 1})]
    (record,) = calls.records
    assert heard.calls == [record]
    assert (record.tool, record.outcome, record.decision, record.sent) == ("test.echo", "ok", "allow", True)
    assert record.sha256 == hashlib.sha256(record.arguments.encode()).hexdigest()
    assert record.bytes == len('{"data":{"a":1}}')


async def test_a_call_that_is_denied_is_not_sent() -> None:
    calls, tools, _ = made(ToolRule(tool="test.echo", action="deny"))

    with pytest.raises(ToolDenied, match=r'the operator\'s policy denies it \(policy.rules: { tool = "test.echo"'):
        await call(calls, "test.echo")

    (record,) = calls.records
    assert tools.called == []
    assert (record.outcome, record.sent) == ("error", False)
    assert record.decision.startswith("deny: the operator's policy denies it")


@pytest.mark.parametrize(("answer", "decision"), [("once", "ask: once"), ("run", "ask: run"), ("no", "deny: the user")])
async def test_a_call_that_is_asked_for_says_what_was_answered(answer: ApprovalChoice, decision: str) -> None:
    person = Person(answer)
    calls, tools, _ = made(ToolRule(tool="*", action="ask"), person=person)
    try:
        await call(calls, "test.echo", line=2, password="hunter2")
    except ToolDenied:
        assert answer == "no"

    assert calls.records[0].decision.startswith(decision)
    assert calls.records[0].sent is bool(tools.called) is (answer != "no")
    assert person.asked[0].line == "2: second"
    assert "hunter2" not in person.asked[0].text()


@pytest.mark.parametrize(
    ("tool", "raised", "sent"), [("test.fail", DownstreamFailed, True), ("test.none", UnknownTool, False)]
)
async def test_a_call_that_fails_is_recorded_with_whether_it_was_sent(
    tool: str, raised: type[ToolError], sent: bool
) -> None:
    calls, _, heard = made()

    with pytest.raises(raised):
        await call(calls, tool)

    assert (heard.calls[0].outcome, heard.calls[0].sent) == ("error", sent)
    assert heard.calls[0].error is not None


async def test_a_call_that_is_cut_off_stays_unfinished() -> None:
    calls, _, heard = made()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call, calls, "test.hang")
        for _ in range(5):
            await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()

    assert (heard.calls[0].outcome, heard.calls[0].sent) == ("unfinished", True)


async def test_calls_are_counted_those_that_fail_included() -> None:
    calls, tools, _ = made(tool_calls=2)
    await call(calls, "test.echo")
    with pytest.raises(UnknownTool):
        await call(calls, "test.none")
    with pytest.raises(
        BudgetSpent, match=r"this run has used its 2 tool calls \(setting codeact\.limits\.tool_calls\)"
    ):
        await call(calls, "test.echo")

    assert len(tools.called) == 1
    assert len(calls.records) == 2


async def test_bytes_from_tools_are_counted_and_what_is_over_was_sent_all_the_same() -> None:
    calls, _, _ = made(tool_bytes=1_500)
    await call(calls, "test.text")
    with pytest.raises(BudgetSpent, match="bytes from tools"):
        await call(calls, "test.text")
    assert await call(calls, "test.echo") == {"data": {}}

    assert [(record.outcome, record.sent) for record in calls.records] == [("ok", True), ("error", True), ("ok", True)]


async def test_a_result_that_json_cannot_say_is_the_tools_failure() -> None:
    calls, _, _ = made()

    with pytest.raises(ToolError, match="its result cannot be said in JSON"):
        await call(calls, "test.odd")


@pytest.mark.parametrize("asked", ["", "[]", '{"tool": 1, "arguments": {}}', '{"tool": "a"}', '{"tool":"a","x":1}'])
async def test_what_is_no_call_is_refused_and_leaves_no_record_but_uses_up_a_call(asked: str) -> None:
    calls, _, _ = made(tool_calls=1)

    with pytest.raises(BadGuestCall):
        await calls.handlers()["tools.call"](asked)

    assert calls.records == ()
    with pytest.raises(BudgetSpent):
        await calls.handlers()["tools.call"](asked)


async def test_a_link_that_no_tool_gave_is_not_read() -> None:
    calls, tools, _ = made()

    with pytest.raises(ToolDenied, match="no tool has given this link"):
        await calls.handlers()["tools.read_resource"]('{"server": "test", "uri": "file:///etc/passwd"}')

    assert tools.called == []
