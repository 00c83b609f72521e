"""A run's questions as MCP puts them to a client, and the answers as they come back. Pure.

A run asks whether a call may be made, and a server that it calls may ask something of its own. Who reads a server's
question is told whose it is: it could otherwise pretend to be ours.
"""

from typing import Any, cast

from mcp import types

from codeact_bridges.approval.request import ApprovalChoice, ApprovalRequest
from codeact_bridges.runs.handle import PendingQuestion, QuestionAnswer
from codeact_bridges.text import lines, one_line
from codeact_bridges.tools.port import ClientRequest
from codeact_bridges.values import JsonValue

MAX_NAME = 200
MAX_MESSAGE = 4_000

_ANSWERED = {"action", "content", "role", "model", "stop_reason", "roots"}
"""What a server gets of an answer. What else a client says with it, in `_meta`, is not for the server."""

KEY = "question"
"""The name of the one input request in an `InputRequiredResult`."""

_CHOICES: dict[ApprovalChoice, str] = {
    "once": "Yes, this call",
    "run": "Yes, this tool for the rest of this program",
    "session": "Yes, this tool until I close the client",
    "no": "No",
}


def request_for(asked: PendingQuestion, *, remembers: bool) -> types.InputRequest:
    """What the client is asked. `remembers`: an answer can hold for longer than the run."""
    question = asked.question
    if isinstance(question, ApprovalRequest):
        return types.ElicitRequest(params=form(question, remembers=remembers))
    params = dict(question.params)
    match question.kind:
        case "form":
            return types.ElicitRequest(params=types.ElicitRequestFormParams.model_validate(_signed(question, params)))
        case "url":
            return types.ElicitRequest(params=types.ElicitRequestURLParams.model_validate(_signed(question, params)))
        case "sampling":
            return types.CreateMessageRequest(params=types.CreateMessageRequestParams.model_validate(params))
        case "roots":
            return types.ListRootsRequest()


def _signed(question: ClientRequest, params: dict[str, JsonValue]) -> dict[str, JsonValue]:
    called = one_line(f"{question.server}.{question.tool}", MAX_NAME)
    message = lines(str(params.get("message", "")), MAX_MESSAGE)
    return params | {"message": f"Asked by a server, because a program calls {called}:\n{message}"}


def given_in(asked: PendingQuestion, response: types.InputResponse | None) -> QuestionAnswer | None:
    """What the client answered, None where that is no answer to this question."""
    if isinstance(asked.question, ApprovalRequest):
        return answer_of(response) if isinstance(response, types.ElicitResult) else "no"
    if response is None:
        return None
    said = response.model_dump(by_alias=True, mode="json", exclude_none=True, include=_ANSWERED)
    return cast("dict[str, JsonValue]", said)


def form(question: ApprovalRequest, *, remembers: bool) -> types.ElicitRequestFormParams:
    """The form for a question. `remembers`: an answer can hold for longer than the run."""
    choices = {answer: said for answer, said in _CHOICES.items() if remembers or answer != "session"}
    decision: dict[str, Any] = {
        "type": "string",
        "title": f"May the program call {one_line(question.full_name, MAX_NAME)}?",
        "enum": list(choices),
        "enumNames": list(choices.values()),
        "default": "no",
    }
    schema = {"type": "object", "properties": {"decision": decision}, "required": ["decision"]}
    return types.ElicitRequestFormParams.model_validate({"message": question.text(), "requestedSchema": schema})


def answer_of(result: types.ElicitResult) -> ApprovalChoice:
    """What the person said. Anything but a clear yes is a no."""
    if result.action != "accept" or result.content is None:
        return "no"
    return _answer(result.content.get("decision"))


def _answer(decision: object) -> ApprovalChoice:
    for choice in _CHOICES:
        if choice == decision:
            return choice
    return "no"
