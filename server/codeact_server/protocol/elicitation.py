"""A run's questions as MCP requests to the client, and the client's answers as values. Pure.

There are two kinds: our approval requests, and client requests that a downstream server makes during a call. The
message of a server's elicitation names the tool that was called, so that a server cannot pretend to be us.
"""

from typing import Any, cast

from mcp import types

from codeact_bridges.approval.request import ApprovalChoice, ApprovalRequest, NoApproval
from codeact_bridges.runs.handle import Answer, PendingQuestion
from codeact_bridges.text import lines, one_line
from codeact_bridges.tools.port import ClientRequest
from codeact_bridges.values import JsonValue

MAX_NAME = 200
MAX_MESSAGE = 4_000

_FORWARDED_FIELDS = {"action", "content", "role", "model", "stop_reason", "roots"}
"""The fields of a client's answer that the server gets. Others, such as `_meta`, are not meant for the server."""

KEY = "question"
"""The name of the one input request in an `InputRequiredResult`."""

FASTEST_PERSON_S = 0.05
"""A person takes longer to answer. `claude -p`, `codex exec` and `copilot -p` answer faster, by themselves."""

_HOW_LONG: dict[ApprovalChoice, str] = {
    "once": "this call",
    "run": "this program",
    "session": "until the client closes",
}


def request_for(pending: PendingQuestion, *, remembers: bool) -> types.InputRequest:
    """The MCP request for a question. `remembers`: an approval can be valid for longer than the run."""
    question = pending.question
    if isinstance(question, ApprovalRequest):
        return types.ElicitRequest(params=form(question, remembers=remembers))
    params = dict(question.params)
    match question.kind:
        case "form":
            return types.ElicitRequest(
                params=types.ElicitRequestFormParams.model_validate(_with_origin(question, params))
            )
        case "url":
            return types.ElicitRequest(
                params=types.ElicitRequestURLParams.model_validate(_with_origin(question, params))
            )
        case "sampling":
            return types.CreateMessageRequest(params=types.CreateMessageRequestParams.model_validate(params))
        case "roots":
            return types.ListRootsRequest()


def _with_origin(question: ClientRequest, params: dict[str, JsonValue]) -> dict[str, JsonValue]:
    tool = one_line(f"{question.server}.{question.tool}", MAX_NAME)
    message = lines(str(params.get("message", "")), MAX_MESSAGE)
    return params | {"message": f"A server asks this because the program called {tool}:\n{message}"}


def answer_in(
    pending: PendingQuestion, response: types.InputResponse | None, *, remembers: bool, after_s: float
) -> Answer | None:
    """The answer that a response holds, which came `after_s` seconds after the question was sent.

    `remembers`: as for `request_for`. Without a response, a server gets None.
    """
    if isinstance(pending.question, ApprovalRequest):
        return approval_answer(response, remembers=remembers, after_s=after_s)
    if response is None:
        return None
    answer = response.model_dump(by_alias=True, mode="json", exclude_none=True, include=_FORWARDED_FIELDS)
    return cast("dict[str, JsonValue]", answer)


def form(question: ApprovalRequest, *, remembers: bool) -> types.ElicitRequestFormParams:
    """The elicitation form for an approval request. `remembers`: an approval can be valid for longer than the run.

    Yes and no are the protocol's accept and decline: clients have buttons for them. The one field may be left as it is.
    """
    offered = _offered(remembers=remembers)
    decision: dict[str, Any] = {
        "type": "string",
        "title": f"How long may the program call {one_line(question.full_name, MAX_NAME)}?",
        # Clients of every version read `enumNames`; those before 2025-11-25 do not know `oneOf`.
        "enum": list(offered),
        "enumNames": list(offered.values()),
        "default": "once",
    }
    schema = {"type": "object", "properties": {"decision": decision}}
    return types.ElicitRequestFormParams.model_validate({"message": question.text(), "requestedSchema": schema})


def approval_answer(
    response: types.InputResponse | None, *, remembers: bool, after_s: float
) -> ApprovalChoice | NoApproval:
    """The answer to an approval request. Accepted without a choice, it is a yes to this call.

    A choice that was not offered is no valid answer: what it means cannot be known.
    """
    match response:
        case types.ElicitResult(action="accept", content=content):
            decision: object = (content or {}).get("decision")
            if decision is None:
                return "once"
            for choice, label in _offered(remembers=remembers).items():
                if decision in (choice, label):  # some clients send back what they show
                    return choice
            return NoApproval.FAILED
        case types.ElicitResult() if after_s < FASTEST_PERSON_S:
            return NoApproval.AUTOMATIC
        case types.ElicitResult(action="decline"):
            return NoApproval.DECLINED
        case types.ElicitResult(action="cancel"):
            return NoApproval.DISMISSED
        case _:
            return NoApproval.FAILED


def _offered(*, remembers: bool) -> dict[ApprovalChoice, str]:
    return {choice: label for choice, label in _HOW_LONG.items() if remembers or choice != "session"}
