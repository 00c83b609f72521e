"""Client requests of a downstream server during a call: elicitation, sampling, roots.

They are forwarded only to the client of the run that made the call. A server of the 2026-07-28 era answers a call with
its requests and is called again with the responses, so that each request belongs to a call. A handshake server sends a
request of its own, which does not name the call: such requests are never declared as supported, and refused.
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
"""Rounds of client requests that one call may make."""

MAX_CLIENT_REQUESTS = 20
"""Client requests in one round. A person may have to answer each."""

MAX_REQUEST_CHARS = 100_000
"""Size of one client request as JSON. A person or a model reads it."""

_RESPONSE: Final[TypeAdapter[InputResponse]] = TypeAdapter(InputResponse)


def capabilities_of(client_requests: ClientRequests) -> JsonValue:
    """The client capabilities that a call declares."""
    modes: JsonValue = {mode: {} for mode in ("form", "url") if mode in client_requests.serves}
    others: dict[str, JsonValue] = {kind: {} for kind in ("sampling", "roots") if kind in client_requests.serves}
    return others | ({"elicitation": modes} if modes else {})


async def forward_all(
    required: InputRequiredResult, tool: CatalogTool, client_requests: ClientRequests | None
) -> InputResponses:
    """Forward all client requests and return the responses. One at a time: a person reads one question at a time.

    Raises:
        DownstreamFailed: the client cannot answer one of them.
    """
    requests = required.input_requests or {}
    if len(requests) > MAX_CLIENT_REQUESTS:
        reason = f"the server sent {len(requests)} client requests at once; the limit is {MAX_CLIENT_REQUESTS}"
        raise DownstreamFailed(tool.server, tool.name, reason)
    responses: InputResponses = {}
    for key, request in requests.items():
        forwarded = _client_request(request, tool)
        if client_requests is None or forwarded.kind not in client_requests.serves:
            reason = f"the server asks for {request.method} ({forwarded.kind}), which the client does not support"
            raise DownstreamFailed(tool.server, tool.name, reason)
        response = await client_requests.forward(forwarded)
        try:
            responses[key] = _RESPONSE.validate_python(dict(response))
        except ValidationError as exc:
            reason = f"the client's response to the server's request is invalid: {failure_text(exc)}"
            raise DownstreamFailed(tool.server, tool.name, reason) from exc
    return responses


def _client_request(request: InputRequest, tool: CatalogTool) -> ClientRequest:
    """The client request, without the parts that were not declared: other servers' context, tools for the model.

    Raises:
        DownstreamFailed: it is too large, or makes no sense without those parts.
    """
    params = request.params.model_dump(by_alias=True, mode="json", exclude_none=True) if request.params else {}
    for key in ("_meta", "task", "includeContext"):
        params.pop(key, None)
    reason: str | None = None
    if isinstance(url := params.get("url"), str) and not url.startswith(("https://", "http://")):
        reason = "the server asks the user to open an address that is neither http nor https"
    elif "tools" in params:
        reason = "the server asks for sampling with tools, which is not supported"
    elif (size := len(json.dumps(params))) > MAX_REQUEST_CHARS:
        reason = f"the server sent a client request of {size:,} characters; the limit is {MAX_REQUEST_CHARS:,}"
    if reason is not None:
        raise DownstreamFailed(tool.server, tool.name, reason)
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
