"""Who decides about a call: the policy, then a person, and what the person said before."""

from dataclasses import dataclass, field

import anyio
import anyio.lowlevel
import pytest

from codeact_bridges.approval.gate import ApprovalGate, ApprovalReason
from codeact_bridges.approval.policy import Grants, Policy, ToolRule
from codeact_bridges.approval.request import ApprovalChoice, ApprovalRequest, NoApproval
from codeact_bridges.errors import ToolDenied
from codeact_bridges.tools.catalog.catalog import CatalogTool

DROP = CatalogTool("shop", "drop", destructive=True)
BURN = CatalogTool("shop", "burn", destructive=True)


def about(tool: CatalogTool) -> ApprovalRequest:
    return ApprovalRequest(tool.server, tool.name, "{}", "", "because")


@dataclass
class Person:
    """Answers in order; the last answer for ever."""

    answers: list[ApprovalChoice | NoApproval]
    asked: list[str] = field(default_factory=list[str])
    at_once: int = 0
    most_at_once: int = 0

    async def ask(self, request: ApprovalRequest) -> ApprovalChoice | NoApproval:
        self.asked.append(request.full_name)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await anyio.lowlevel.checkpoint()
        self.at_once -= 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def test_what_is_allowed_is_not_asked_for_and_what_is_denied_is_refused_with_the_rule() -> None:
    gate = ApprovalGate(
        Policy(rules=(ToolRule(tool="shop.drop", action="deny"),)), Grants(), Person([NoApproval.CANNOT_ASK])
    )

    assert gate.must_ask(CatalogTool("shop", "buy")) is None
    assert gate.must_ask(BURN) == "the tool says that it is destructive"
    with pytest.raises(ToolDenied, match="the operator's policy denies it"):
        gate.must_ask(DROP)


@pytest.mark.parametrize(
    ("answer", "asked_again_in_this_run", "asked_again_in_the_next"),
    [("once", True, True), ("run", False, True), ("session", False, False)],
)
async def test_a_yes_holds_for_as_long_as_the_person_said(
    answer: ApprovalReason, asked_again_in_this_run: bool, asked_again_in_the_next: bool
) -> None:
    person = Person([answer])  # type: ignore[list-item]
    of_client = Grants()
    first, second = (ApprovalGate(Policy(), of_client, person) for _ in range(2))

    assert await first.ask(about(DROP)) == answer
    assert await first.ask(about(DROP)) == (answer if asked_again_in_this_run else "allowed before")
    asked = len(person.asked)
    await second.ask(about(DROP))

    assert asked == 1 + asked_again_in_this_run
    assert len(person.asked) == asked + asked_again_in_the_next


async def test_a_yes_is_for_the_tool_that_was_asked_about() -> None:
    person = Person(["session", NoApproval.DECLINED])
    gate = ApprovalGate(Policy(), Grants(), person)
    await gate.ask(about(DROP))

    with pytest.raises(ToolDenied, match="the user said no"):
        await gate.ask(about(BURN))


@pytest.mark.parametrize("why", NoApproval)
async def test_what_is_not_approved_is_denied_this_time_and_asked_for_the_next(why: NoApproval) -> None:
    gate = ApprovalGate(Policy(), Grants(), Person([why, "once"]), rules_in="json")
    with pytest.raises(ToolDenied) as denied:
        await gate.ask(about(DROP))

    assert '{"tool": "shop.drop", "action": "allow"}' in denied.value.reason
    assert await gate.ask(about(DROP)) == "once"


@pytest.mark.parametrize("why", NoApproval)
async def test_unattended_decides_only_where_a_client_cannot_ask(why: NoApproval) -> None:
    gate = ApprovalGate(Policy(unattended="allow"), Grants(), Person([why]))
    if why is NoApproval.CANNOT_ASK:
        assert await gate.ask(about(DROP)) == "unattended"
    else:
        with pytest.raises(ToolDenied):
            await gate.ask(about(DROP))


async def test_calls_made_at_once_are_asked_for_one_after_the_other_and_not_again_after_a_yes_for_the_run() -> None:
    person = Person(["once", "run"])
    gate = ApprovalGate(Policy(), Grants(), person)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(gate.ask, about(DROP))

    assert person.asked == ["shop.drop", "shop.drop"]
    assert person.most_at_once == 1
