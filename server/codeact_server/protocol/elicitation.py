"""A run's questions as MCP requests to the client, and the client's answers as values. Pure.

There are two kinds: our approval requests, and client requests that a downstream server makes during a call. The
message of a server's elicitation names the tool that was called, so that a server cannot pretend to be us.
"""

from typing import Any, cast

from mcp import types

from codeact_bridges.approval.request import ApprovalChoice, ApprovalRequest
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

_CHOICES: dict[ApprovalChoice, str] = {
    "once": "Yes, this call",
    "run": "Yes, this tool for the rest of this program",
    "session": "Yes, this tool until I close the client",
    "no": "No",
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


def answer_in(pending: PendingQuestion, response: types.InputResponse | None) -> Answer | None:
    """The answer that a response holds. Without a response: "no" to an approval request, None to a server."""
    if isinstance(pending.question, ApprovalRequest):
        return approval_choice(response) if isinstance(response, types.ElicitResult) else "no"
    if response is None:
        return None
    answer = response.model_dump(by_alias=True, mode="json", exclude_none=True, include=_FORWARDED_FIELDS)
    return cast("dict[str, JsonValue]", answer)


def form(question: ApprovalRequest, *, remembers: bool) -> types.ElicitRequestFormParams:
    """The elicitation form for an approval request. `remembers`: an approval can be valid for longer than the run."""
    choices = {choice: label for choice, label in _CHOICES.items() if remembers or choice != "session"}
    decision: dict[str, Any] = {
        "type": "string",
        "title": f"May the program call {one_line(question.full_name, MAX_NAME)}?",
        "enum": list(choices),
        "enumNames": list(choices.values()),
        "default": "no",
    }
    schema = {"type": "object", "properties": {"decision": decision}, "required": ["decision"]}
    return types.ElicitRequestFormParams.model_validate({"message": question.text(), "requestedSchema": schema})


def approval_choice(result: types.ElicitResult) -> ApprovalChoice:
    """The person's choice. Everything except an explicit yes counts as "no"."""
    if result.action != "accept" or result.content is None:
        return "no"
    decision: object = result.content.get("decision")
    for choice in _CHOICES:
        if choice == decision:
            return choice
    return "no"
