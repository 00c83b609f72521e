"""A person is asked to approve single calls, in both protocol eras: every answer, and every way not to answer."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import pytest
from apps import ERAS, GUARD_S, Era, Person, execute, handle_in, opened, said
from mcp import Client
from mcp.types import ElicitResult, ErrorData, ListRootsResult

from codeact_bridges.approval.policy import Policy, ToolRule
from codeact_bridges.approval.request import ApprovalChoice, ApprovalRequest, NoApproval
from codeact_bridges.files.mounts import Mount
from codeact_bridges.network.rules import HostRule, HostRules
from codeact_bridges.runs.handle import PendingQuestion, RunHandle
from codeact_server.protocol import elicitation
from codeact_server.protocol.elicitation import KEY, answer_in, approval_answer, form

QUESTION = ApprovalRequest("shop", "drop", "{}", "", "because")

DROP_TWICE = """
def drop(item):
    try:
        return call_tool("shop.drop", item=item)
    except PermissionError as exc:
        return f"{type(exc).__name__}: {exc.reason.partition('. ')[0]}"

[drop(1), drop(2)]
"""
DROP = DROP_TWICE.replace(", drop(2)", "")
DECLINE, CANCEL = ElicitResult(action="decline"), ElicitResult(action="cancel")


def denied(what_happened: str) -> str:
    """What a program of the above gets."""
    return f"ToolDenied: it needs approval (the tool says that it is destructive), and {what_happened}"


@pytest.fixture
def answers_are_a_persons(monkeypatch: pytest.MonkeyPatch) -> None:
    """However fast they come."""
    monkeypatch.setattr(elicitation, "FASTEST_PERSON_S", 0.0)


@pytest.fixture
def answers_are_the_clients_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine is."""
    monkeypatch.setattr(elicitation, "FASTEST_PERSON_S", math.inf)


@pytest.mark.parametrize(
    ("content", "choice"),
    [
        ({"decision": "once"}, "once"),
        ({"decision": "run"}, "run"),
        ({"decision": "session"}, "session"),
        ({"decision": "this program"}, "run"),
        ({"decision": "no"}, NoApproval.FAILED),
        ({"decision": "yes"}, NoApproval.FAILED),
        ({"decision": "SESSION"}, NoApproval.FAILED),
        ({"decision": ["session"]}, NoApproval.FAILED),
        ({"decision": True}, NoApproval.FAILED),
        ({"decision": None}, "once"),
        ({"other": "session"}, "once"),
        ({}, "once"),
        (None, "once"),
    ],
)
@pytest.mark.parametrize("after_s", [0, 60])
def test_an_accepted_form_is_a_yes_to_this_call_unless_it_says_for_longer(
    content: dict[str, Any] | None, choice: ApprovalChoice | NoApproval, after_s: float
) -> None:
    result = ElicitResult.model_construct(action="accept", content=content)

    assert approval_answer(result, remembers=True, after_s=after_s) == choice
    assert answer_in(PendingQuestion(QUESTION), result, remembers=True, after_s=after_s) == choice


def test_a_choice_that_was_not_offered_is_no_valid_answer() -> None:
    assert approval_answer(said("session"), remembers=False, after_s=60) is NoApproval.FAILED
    assert approval_answer(said("run"), remembers=False, after_s=60) == "run"


@pytest.mark.parametrize(
    ("action", "after_s", "why"),
    [
        ("decline", 0.0, NoApproval.AUTOMATIC),
        ("decline", 0.049, NoApproval.AUTOMATIC),
        ("decline", 0.05, NoApproval.DECLINED),
        ("decline", 299.0, NoApproval.DECLINED),
        ("cancel", 0.0, NoApproval.AUTOMATIC),
        ("cancel", 0.049, NoApproval.AUTOMATIC),
        ("cancel", 0.05, NoApproval.DISMISSED),
        ("cancel", 10.0, NoApproval.DISMISSED),
    ],
)
@pytest.mark.parametrize("content", [None, {"decision": "session"}])
def test_a_form_that_was_not_accepted_is_no_yes_whatever_it_contains(
    action: Any, after_s: float, why: NoApproval, content: Any
) -> None:
    result = ElicitResult(action=action, content=content)

    assert approval_answer(result, remembers=True, after_s=after_s) is why


@pytest.mark.parametrize("response", [None, ListRootsResult(roots=[])])
def test_a_response_of_another_kind_or_none_is_a_failure_of_the_client(response: Any) -> None:
    assert answer_in(PendingQuestion(QUESTION), response, remembers=True, after_s=0) is NoApproval.FAILED


def test_the_form_asks_only_how_long_and_may_be_sent_off_as_it_is() -> None:
    schema = form(QUESTION, remembers=True).requested_schema

    assert schema == {
        "type": "object",
        "properties": {
            "decision": {
                "type": "string",
                "title": "How long may the program call shop.drop?",
                "enum": ["once", "run", "session"],
                "enumNames": ["this call", "this program", "until the client closes"],
                "default": "once",
            }
        },
    }


def test_a_yes_for_longer_than_the_run_is_offered_only_where_it_can_be_remembered() -> None:
    decision = form(QUESTION, remembers=False).requested_schema["properties"]["decision"]

    assert decision["enum"] == ["once", "run"]
    assert decision["enumNames"] == ["this call", "this program"]


@pytest.mark.usefixtures("answers_are_a_persons")
@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(
    ("answer", "outcome", "times_asked"),
    [
        ("once", "drop: {}", 2),
        ("run", "drop: {}", 1),
        ("session", "drop: {}", 1),
        ("perhaps", denied("the client gave no valid answer, or its connection ended"), 2),
        (ElicitResult(action="accept", content={}), "drop: {}", 2),
        (ElicitResult(action="accept"), "drop: {}", 2),
        (DECLINE, denied("the user said no"), 2),
        (CANCEL, denied("the question was dismissed without an answer"), 2),
    ],
)
async def test_the_call_follows_the_persons_choice(
    environment: Mapping[str, str], era: Era, answer: ElicitResult | str, outcome: str, times_asked: int
) -> None:
    person = Person([answer])
    with anyio.fail_after(GUARD_S):
        async with opened(environment) as opening, opening.client(era, person) as client:
            assert await execute(client, DROP_TWICE) == (False, json.dumps([outcome.format(1), outcome.format(2)]))
            asked = len(person.shown)
            await execute(client, "call_tool('shop.drop', item=3)")

    assert asked == times_asked
    assert len(person.shown) == asked + (answer != "session")


@pytest.mark.usefixtures("answers_are_the_clients_own")
@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("answer", [DECLINE, CANCEL])
async def test_an_answer_faster_than_a_persons_is_the_clients_own(
    environment: Mapping[str, str], era: Era, answer: ElicitResult
) -> None:
    with anyio.fail_after(GUARD_S):
        async with opened(environment) as opening, opening.client(era, Person([answer])) as client:
            failed, text = await execute(client, "print('so far')\ncall_tool('shop.drop', item=1)")

    assert failed
    assert text.startswith("so far\n")
    assert "and nobody was asked: this client answers by itself. The operator can allow" in text
    assert '\n[[codeact.policy.rules]]\ntool = "shop.drop"\naction = "allow"\n' in text
    assert text.endswith("Calls that the configuration does not allow will be refused again.")


@pytest.mark.usefixtures("answers_are_the_clients_own")
@pytest.mark.parametrize("era", ERAS)
async def test_a_client_may_accept_by_itself(environment: Mapping[str, str], era: Era) -> None:
    with anyio.fail_after(GUARD_S):
        async with opened(environment) as opening, opening.client(era, Person(["once"])) as client:
            assert await execute(client, DROP) == (False, '["drop: 1"]')


@pytest.mark.parametrize(
    "answer", [ErrorData(code=-32603, message="no terminal"), ElicitResult.model_construct(action="perhaps")]
)
async def test_an_error_in_place_of_an_answer_is_told_as_one(environment: Mapping[str, str], answer: Any) -> None:
    async def broken(context: Any, params: Any) -> Any:
        return answer

    with anyio.fail_after(GUARD_S):
        async with (
            opened(environment) as opening,
            Client(opening.server, mode="legacy", elicitation_callback=broken) as client,
        ):
            what_happened = "the client gave no valid answer, or its connection ended"
            assert await execute(client, DROP) == (False, f'["{denied(what_happened)}"]')


@pytest.mark.parametrize("era", ERAS)
async def test_the_person_sees_the_tool_its_arguments_and_the_line_of_the_call(
    environment: Mapping[str, str], era: Era
) -> None:
    person = Person(["once"])
    program = "item = 'x' * 1_000_000\nprint('begun')\ncall_tool('shop.drop', item=item, password='hunter2')"
    with anyio.fail_after(GUARD_S):
        async with opened(environment) as opening, opening.client(era, person) as client:
            failed, text = await execute(client, program)

    (shown,) = person.shown
    assert (failed, "\n[stdout]\nbegun" in text) == (False, True)
    assert shown.startswith("A program wants to call shop.drop with")
    assert "in its line 3: call_tool('shop.drop', item=item, password='[masked]')" in shown
    assert "hunter2" not in shown
    assert "the tool says that it is destructive" in shown
    assert len(shown) < 3_000


@pytest.mark.parametrize("era", ERAS)
async def test_the_line_shown_belongs_to_the_current_program_of_the_session(
    environment: Mapping[str, str], era: Era
) -> None:
    person = Person(["once"])
    async with opened(environment) as opening, opening.client(era, person) as client:
        with anyio.fail_after(GUARD_S):
            await execute(client, "\n\ndef drop():\n    call_tool('shop.drop', item=1)", session="s")
            await execute(client, "first = 1\ndrop()\n# third\n# fourth", session="s")

    assert "in its line 2: drop()" in person.shown[0]


@pytest.mark.parametrize("era", ERAS)
async def test_concurrent_calls_are_asked_for_one_after_the_other(environment: Mapping[str, str], era: Era) -> None:
    person = Person(["once", "no", "once"])
    program = """
import asyncio
results = await asyncio.gather(*[call_tool_async("shop.drop", item=n) for n in range(3)], return_exceptions=True)
[str(result) if isinstance(result, str) else type(result).__name__ for result in results]
"""
    with anyio.fail_after(GUARD_S):
        async with opened(environment) as opening, opening.client(era, person) as client:
            assert await execute(client, program) == (False, '["drop: 0", "ToolDenied", "drop: 2"]')


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(
    ("unattended", "expected"),
    [("deny", (True, "this client cannot ask its user")), ("allow", (False, "drop: 1"))],
)
async def test_without_elicitation_the_unattended_setting_decides(
    environment: Mapping[str, str], era: Era, unattended: Any, expected: tuple[bool, str]
) -> None:
    with anyio.fail_after(GUARD_S):
        async with (
            opened(environment, policy=Policy(unattended=unattended)) as opening,
            opening.client(era) as client,
        ):
            failed, text = await execute(client, "call_tool('shop.drop', item=1)")

    assert (failed, expected[1] in text) == (expected[0], True)


async def test_the_deadline_is_paused_while_a_person_is_asked(environment: Mapping[str, str]) -> None:
    person = Person(["once"], may_answer=anyio.Event())
    policy = Policy(ask_timeout_s=1.5)
    with anyio.fail_after(GUARD_S):
        async with opened(environment, policy=policy) as opening, opening.client("legacy", person) as client:
            failed, text = await execute(client, DROP, timeout_s=1)

    assert (failed, text) == (
        False,
        f'["{denied("no answer came within 1.5 s (setting codeact.policy.ask_timeout_s)")}"]',
    )


async def test_the_deadline_runs_on_while_the_program_computes_during_a_question(
    environment: Mapping[str, str],
) -> None:
    person = Person(["once"], may_answer=anyio.Event())
    program = (
        "import asyncio\ntask = asyncio.ensure_future(call_tool_async('shop.drop', item=1))\n"
        "await asyncio.sleep(0)\nwhile True: pass"
    )
    with anyio.fail_after(GUARD_S):
        async with opened(environment) as opening, opening.client("legacy", person) as client:
            failed, text = await execute(client, program, timeout_s=1)

    assert failed
    assert "stopped after 1 s, the program's deadline" in text
    assert "- shop.drop: not sent\nNone of them changed anything" in text


async def test_the_total_limit_includes_the_time_in_which_a_person_is_asked(environment: Mapping[str, str]) -> None:
    person = Person(["once"], may_answer=anyio.Event())
    limits = {"deadline_s": 1, "total_s": 1.2}
    with anyio.fail_after(GUARD_S):
        async with opened(environment, limits=limits) as opening, opening.client("legacy", person) as client:
            failed, text = await execute(client, "call_tool('shop.drop', item=1)")

    assert failed
    assert "stopped after 1.2 s in all, waiting included (setting codeact.limits.total_s)" in text


@pytest.mark.parametrize("era", ERAS)
async def test_a_client_that_never_answers_is_waited_for_and_what_was_printed_is_there(
    environment: Mapping[str, str], era: Era
) -> None:
    person = Person(["once"], may_answer=anyio.Event())
    with anyio.fail_after(GUARD_S):
        async with (
            opened(environment, policy=Policy(ask_timeout_s=0.2), answer_after_s=5) as opening,
            opening.client(era, person) as client,
            anyio.create_task_group() as tasks,
        ):

            async def answer_too_late() -> None:
                await person.asked.wait()
                (handle,) = opening.app.runs
                await handle.over.wait()
                assert person.may_answer is not None
                person.may_answer.set()

            tasks.start_soon(answer_too_late)
            failed, text = await execute(client, f"print('so far')\n{DROP}")
            outcome = denied("no answer came within 0.2 s (setting codeact.policy.ask_timeout_s)")
            assert (failed, text) == (False, f'so far\n[result]\n["{outcome}"]')
            assert len(opening.app.runs) == 0


async def test_a_long_question_becomes_a_handle_and_is_asked_again_when_the_client_waits_again(
    environment: Mapping[str, str],
) -> None:
    person = Person(["once"], may_answer=anyio.Event())
    with anyio.fail_after(GUARD_S):
        async with (
            opened(environment, answer_after_s=0.3) as opening,
            opening.client("legacy", person) as client,
        ):
            await opening.app.tools.wait_settled()
            await execute(client, "1")
            failed, text = await execute(client, "call_tool('shop.drop', item=1)")
            while "[still running" in text:
                failed, text = await execute(client, run=handle_in(text))
            assert not failed
            assert "waiting for the user to allow a tool call" in text
            await person.gave_up.wait()
            person.may_answer = None
            assert await execute(client, run=handle_in(text)) == (False, '"drop: 1"')

    assert len(person.shown) == 2


async def test_a_client_that_gives_up_after_ten_questions_gets_a_handle_after_nine(
    environment: Mapping[str, str],
) -> None:
    person = Person(["once"])
    with anyio.fail_after(GUARD_S):
        async with opened(environment) as opening, opening.client("auto", person) as client:
            failed, text = await execute(client, "[call_tool('shop.drop', item=n) for n in range(12)][-1]")
            assert not failed
            assert (
                "waiting for the user to allow a tool call; the user is asked again when you keep waiting; 9 tool"
                in text
            )
            assert await execute(client, run=handle_in(text)) == (False, '"drop: 11"')


@pytest.mark.usefixtures("answers_are_a_persons")
async def test_an_answer_to_an_old_question_is_ignored(environment: Mapping[str, str]) -> None:
    with anyio.fail_after(GUARD_S):
        async with opened(environment) as opening, opening.client("auto", Person(["once"])) as client:
            call = {"code": DROP_TWICE}

            async def retry(state: str | None, answer: ElicitResult | None) -> Any:
                return await client.session.call_tool(
                    "execute_code",
                    call,
                    request_state=state,
                    input_responses=None if answer is None else {KEY: answer},
                    allow_input_required=True,
                )

            first = await retry(None, None)
            again = await retry(first.request_state, None)
            assert again.request_state == first.request_state, "no answer: the question still stands"
            second = await retry(first.request_state, DECLINE)
            assert second.request_state != first.request_state
            stale = await retry(first.request_state, said("session"))
            assert stale.request_state == second.request_state
            result = await retry(second.request_state, said("once"))
            gone = await retry(second.request_state, said("once"))

    assert result.content[0].text == f'[result]\n["{denied("the user said no")}", "drop: 2"]\n'
    assert gone.is_error
    assert "there is no run" in gone.content[0].text


@pytest.mark.parametrize("era", ERAS)
async def test_a_run_ends_when_its_client_disconnects_during_a_question(
    environment: Mapping[str, str], era: Era
) -> None:
    person = Person(["once"], may_answer=anyio.Event())
    with anyio.fail_after(GUARD_S):
        async with opened(environment) as opening:
            runs: list[RunHandle] = []
            async with anyio.create_task_group() as tasks, opening.client(era, person) as client:
                tasks.start_soon(execute, client, "call_tool('shop.drop', item=1)")
                await person.asked.wait()
                runs += opening.app.runs
                tasks.cancel_scope.cancel()
            (handle,) = runs
            if era == "auto":  # the request has ended with the question, so there is none that could be cancelled
                assert handle.is_asking
                pending = await handle.next(0)
                assert isinstance(pending, PendingQuestion)
                pending.answer(NoApproval.DECLINED)
            await handle.over.wait()

    assert handle.result is not None
    assert handle.result.failure is not None
    assert handle.result.failure.kind == ("raised" if era == "auto" else "cancelled")


@pytest.mark.parametrize("era", ERAS)
async def test_no_question_is_shown_for_a_run_that_is_being_stopped(environment: Mapping[str, str], era: Era) -> None:
    person = Person(["once"])
    with anyio.fail_after(GUARD_S):
        async with opened(environment) as opening, opening.client(era, person) as client:
            opening.answer_after(0)
            _, text = await execute(client, "print('a')\ncall_tool('shop.look')\ncall_tool('shop.drop', item=1)")
            (handle,) = opening.app.runs
            assert isinstance(await handle.next(60), PendingQuestion)
            opening.answer_after(60)
            failed, text = await execute(client, run=handle_in(text), cancel=True)

    assert failed
    assert "[failed] stopped on request" in text
    assert person.shown == []


@pytest.mark.parametrize(
    ("capabilities", "hints"),
    [
        ({}, (True, False, False)),
        ({"files": (Mount("/scratch", "temp", None),)}, (True, False, False)),
        ({"files": (Mount("/out", "rw", Path("/")),)}, (False, True, False)),
        ({"network": HostRules((HostRule("example.com"),))}, (True, False, True)),
        ({"network": HostRules((HostRule("example.com", methods=("GET", "POST")),))}, (False, True, True)),
    ],
)
async def test_the_tools_hints_follow_from_policy_and_capabilities(
    environment: Mapping[str, str], capabilities: dict[str, Any], hints: tuple[bool, bool, bool]
) -> None:
    rules = (ToolRule(tool="shop.drop", action="deny"), ToolRule(tool="shop.[!lt]*", action="deny"))
    with anyio.fail_after(GUARD_S):
        async with (
            opened(environment, policy=Policy(rules=rules), **capabilities) as opening,
            opening.client("auto") as client,
        ):
            await opening.app.tools.wait_settled()
            annotations = (await client.list_tools()).tools[0].annotations

    assert annotations is not None
    assert (annotations.read_only_hint, annotations.destructive_hint, annotations.open_world_hint) == hints
