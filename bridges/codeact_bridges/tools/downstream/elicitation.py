"""What a downstream server asks in the middle of a call: the user, the client's model, the client's roots.

Forwarded only where it is certain whose run it belongs to. A server of the 2026-07-28 era answers a call with its
questions and is called again with the answers, so that a question belongs to that call. A handshake server asks by a
request of its own that does not say which call it is about: those are never declared as possible, and refused.
"""

import json
from typing import Final, cast

from mcp.types import (
    CreateMessageRequest,
    ElicitRequest,
    ElicitRequestURLParams,
    InputRequest,
    InputRequiredResult,
    InputResponse,
    InputResponses,
)
from pydantic import TypeAdapter, ValidationError

from codeact_bridges.errors import DownstreamFailed
from codeact_bridges.tools.catalog.catalog import CatalogTool
from codeact_bridges.tools.downstream.failure_text import failure_text
from codeact_bridges.tools.port import ClientRequest, ClientRequestKind, ClientRequests
from codeact_bridges.values import JsonValue

MAX_ROUNDS = 10
"""Times one call may ask before it is given up."""

MAX_CLIENT_REQUESTS = 20
"""In one round. Somebody has to answer each."""

MAX_REQUEST_CHARS = 100_000
"""Of one question in JSON. A person reads it, or a model."""


_RESPONSE: Final[TypeAdapter[InputResponse]] = TypeAdapter(InputResponse)


def capabilities_of(client_requests: ClientRequests) -> JsonValue:
    """The client capabilities that a call with this answerer declares."""
    modes: JsonValue = {mode: {} for mode in ("form", "url") if mode in client_requests.serves}
    others: dict[str, JsonValue] = {kind: {} for kind in ("sampling", "roots") if kind in client_requests.serves}
    return others | ({"elicitation": modes} if modes else {})


async def forward_all(
    required: InputRequiredResult, tool: CatalogTool, client_requests: ClientRequests | None
) -> InputResponses:
    """The answers to all that the server asks, one after the other: a person reads one question at a time.

    Raises:
        DownstreamFailed: it asks what nobody can answer.
    """
    requests = required.input_requests or {}
    if len(requests) > MAX_CLIENT_REQUESTS:
        raise DownstreamFailed(tool.server, tool.name, f"it asks {len(requests)} questions at once")
    found: InputResponses = {}
    for key, request in requests.items():
        question = _client_request(request, tool)
        if client_requests is None or question.kind not in client_requests.serves:
            reason = f"it asks the client a question ({request.method}: {question.kind}), which cannot be passed on"
            raise DownstreamFailed(tool.server, tool.name, reason)
        answer = await client_requests.forward(question)
        try:
            found[key] = _RESPONSE.validate_python(dict(answer))
        except ValidationError as exc:
            reason = f"the client's answer to its question cannot be passed on: {failure_text(exc)}"
            raise DownstreamFailed(tool.server, tool.name, reason) from exc
    return found


def _client_request(request: InputRequest, tool: CatalogTool) -> ClientRequest:
    """The question, without what was never declared: a look at the client's other context, tools for its model.

    Raises:
        DownstreamFailed: it is too long, or makes no sense without those.
    """
    params = request.params.model_dump(by_alias=True, mode="json", exclude_none=True) if request.params else {}
    for key in ("_meta", "task", "includeContext"):
        params.pop(key, None)
    if isinstance(url := params.get("url"), str) and not url.startswith(("https://", "http://")):
        raise DownstreamFailed(tool.server, tool.name, "it sends the user to an address that is not of the web")
    if "tools" in params:
        raise DownstreamFailed(tool.server, tool.name, "it wants the client's model to use tools, which nobody offered")
    if (size := len(json.dumps(params))) > MAX_REQUEST_CHARS:
        raise DownstreamFailed(tool.server, tool.name, f"it asks a question of {size:,} characters")
    return ClientRequest(tool.server, tool.name, _kind(request), cast("dict[str, JsonValue]", params))


def _kind(request: InputRequest) -> ClientRequestKind:
    match request:
        case ElicitRequest(params=ElicitRequestURLParams()):
            return "url"
        case ElicitRequest():
            return "form"
        case CreateMessageRequest():
            return "sampling"
        case _:
            return "roots"
