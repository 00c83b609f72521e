"""What a client sends, before the SDK sees it: messages are passed on, batches taken apart, anything else is refused.

The SDK ignores a line on stdio that is no message, and takes a request whose id is neither a string nor an integer for
a notification: its client would wait for an answer for ever.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, TypeGuard, cast

from mcp.types import INVALID_PARAMS, INVALID_REQUEST, PARSE_ERROR, ErrorData, JSONRPCError, RequestId
from pydantic_core import from_json

BATCH_VERSION: Final = "2025-03-26"
"""The only protocol version with batches: they came with it and went with the next one."""

MAX_BATCH = 100
"""Messages in one batch. Clients send a handful; each request is answered at once with all others."""

HALF_A_PAIR: Final = (
    r". A string has half of a surrogate pair (\ud800 to \udfff) and is no text: send the whole character"
)

Message: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Examined:
    """What has arrived at once: a message or a batch of them."""

    messages: Sequence[Message] = ()
    """What the SDK can take."""
    refusals: Sequence[JSONRPCError] = ()
    """The answers to what it cannot take."""
    is_batch: bool = False


def examine(text: str | bytes, *, batches: bool) -> Examined:
    """Examine a line or a body. `batches` says whether the client may send batches."""
    try:
        found = from_json(text)
    except ValueError as exc:
        request_id = _id_in_broken(text)
        more = HALF_A_PAIR if request_id is not None and "hex escape" in str(exc) else ""
        return Examined(refusals=[refusal(PARSE_ERROR, f"Parse error: {exc}{more}", request_id)])
    if not isinstance(found, list):
        return _examined_alone(found)
    members = cast("list[object]", found)
    if not members:
        return _refused([], "a batch must not be empty")
    if not batches:
        return _refused(members, f"only MCP {BATCH_VERSION} has batches: send each message by itself")
    if len(members) > MAX_BATCH:
        return _refused(members[:MAX_BATCH], f"a batch may have {MAX_BATCH} messages, and this one has {len(members)}")
    return _examined_batch(members)


def requested_version(message: Message) -> str | None:
    """The protocol version in a client's `initialize`. None: it is another message."""
    params = message.get("params")
    if message.get("method") != "initialize" or not _is_object(params):
        return None
    version = params.get("protocolVersion")
    return version if isinstance(version, str) else None


def refusal(code: int, text: str, request_id: RequestId | None) -> JSONRPCError:
    """The error response to a request, or with the id None to what is not even that."""
    return JSONRPCError(jsonrpc="2.0", id=request_id, error=ErrorData(code=code, message=text))


def _examined_batch(members: list[object]) -> Examined:
    examined: list[Examined] = []
    ids: set[str] = set()
    for member in members:
        request_id = _id_of(member)
        if _is_object(member) and member.get("method") == "initialize":
            examined.append(_refused([member], "initialize must not be in a batch"))
        elif request_id is not None and str(request_id) in ids:
            examined.append(_refused([member], "another request in this batch has the same id"))
        else:
            examined.append(_examined_alone(member))
            ids |= {str(request_id)} if request_id is not None else set()
    return Examined(
        [message for each in examined for message in each.messages],
        [refused for each in examined for refused in each.refusals],
        is_batch=True,
    )


def _examined_alone(found: object) -> Examined:
    if not _is_object(found):
        return _refused([], "a message must be an object")
    method, request_id, params = found.get("method"), found.get("id"), found.get("params")
    if found.get("jsonrpc") != "2.0":
        return _refused([found], 'jsonrpc must be "2.0"')
    if _is_response(found):
        return Examined([found])  # also an odd one: a response must not be answered
    if not isinstance(method, str):
        return _refused([found], "method must be a string")
    # Some clients write a null id into notifications.
    if "id" not in found or (request_id is None and method.startswith("notifications/")):
        return Examined([found])
    if not _is_id(request_id):
        return _refused([], "id must be a string or an integer")
    if params is not None and not _is_object(params):
        return Examined(refusals=[refusal(INVALID_PARAMS, "Invalid params: params must be an object", request_id)])
    return Examined([found])


def _refused(members: Sequence[object], why: str) -> Examined:
    """Refuse all requests in `members` by their ids; without one, whatever it was."""
    ids: list[RequestId | None] = [request_id for each in members if (request_id := _id_of(each)) is not None]
    text = f"Invalid request: {why}"
    return Examined(refusals=[refusal(INVALID_REQUEST, text, each) for each in ids or [None]])


def _id_of(member: object) -> RequestId | None:
    """The id to answer to. None: there is none, or it is the id of a response."""
    request_id = member.get("id") if _is_object(member) and not _is_response(member) else None
    return request_id if _is_id(request_id) else None


def _id_in_broken(text: str | bytes) -> RequestId | None:
    """The id of a request that only a more lenient parser reads, such as one with half of a surrogate pair."""
    try:
        request_id = _id_of(json.loads(text))
        str(request_id).encode()
    except (ValueError, RecursionError):
        return None
    return request_id


def _is_object(value: object) -> TypeGuard[Message]:
    return isinstance(value, dict)


def _is_response(message: Message) -> bool:
    return "method" not in message and ("result" in message or "error" in message)


def _is_id(value: object) -> TypeGuard[RequestId]:
    return isinstance(value, str | int) and not isinstance(value, bool)
