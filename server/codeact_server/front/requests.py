"""A client's request as it stands on a line, and whether it has the form that clients give it.

The SDK's server takes every request of that form, so it may be answered before. It judges all others in its own words.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias, cast

VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
CLIENT_KEY = "io.modelcontextprotocol/clientInfo"
CAPABILITIES_KEY = "io.modelcontextprotocol/clientCapabilities"

MAX_BRACKETS = 100
"""Opening brackets in a request of the usual form. The SDK's parser takes 200 that are nested."""

Id: TypeAlias = int | str
Check: TypeAlias = Callable[[Any], bool]


class Request(NamedTuple):
    """A request that the SDK's server sees as one, though it may refuse it."""

    id: Id
    method: str
    params: Mapping[str, Any]
    usual: bool
    """Its parameters have the form that clients give them."""

    @property
    def opens_modern(self) -> bool:
        """Whether it names its version itself, as all requests do from 2026-07-28 on."""
        return self.method != "initialize" and VERSION_KEY in _meta(self.params)

    @property
    def version(self) -> object:
        """The version that it names itself; None without one."""
        return _meta(self.params).get(VERSION_KEY)


def request_on(line: bytes) -> Request | None:
    """Return the request on a line, None if there is none."""
    text = line.decode("utf-8", "replace")  # as text: of bytes, `json` would take UTF-16 as well
    try:
        message = json.loads(text)
        request_id, method, params = message["id"], message["method"], message.get("params")
        well_formed = message["jsonrpc"] == "2.0" and type(request_id) in (int, str) and type(method) is str
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    if not well_formed or not (params is None or type(params) is dict):
        return None
    params = cast("dict[str, Any]", params or {})
    usual = text.count("[") + text.count("{") <= MAX_BRACKETS and _is_text(message)
    if usual and method == "initialize":
        usual = _is_hello(params)
    elif usual and VERSION_KEY in _meta(params):
        usual = _is_envelope(_meta(params))
    return Request(request_id, method, params, usual and _is_meta(params.get("_meta", {})))


def _meta(params: Mapping[str, Any]) -> Mapping[str, Any]:
    meta = params.get("_meta")
    return cast("Mapping[str, Any]", meta) if type(meta) is dict else {}


def _is_text(message: object) -> bool:
    """Whether all strings are: half of a surrogate pair is no text."""
    try:
        json.dumps(message, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return False
    return True


def _is_hello(params: Mapping[str, Any]) -> bool:
    version = type(params.get("protocolVersion")) is str
    return version and _is_client(params.get("clientInfo")) and _is_capabilities(params.get("capabilities"))


def _is_envelope(meta: Mapping[str, Any]) -> bool:
    return _is_client(meta.get(CLIENT_KEY)) and _is_capabilities(meta.get(CAPABILITIES_KEY))


def _is_meta(meta: object) -> bool:
    return _is_object(meta, {"progressToken": lambda token: type(token) in (int, str)})


def _is_client(client: object) -> bool:
    texts = ("name", "version", "title", "description", "websiteUrl")
    usual = _is_object(client, dict.fromkeys(texts, _is_str) | {"icons": _is_unusual})
    return usual and {"name", "version"} <= cast("dict[str, Any]", client).keys()


def _is_capabilities(capabilities: object) -> bool:
    checks: dict[str, Check] = {
        "experimental": _has_objects,
        "extensions": _has_objects,
        "roots": lambda roots: _is_object(roots, {"listChanged": lambda changed: type(changed) is bool}),
        "sampling": _has_objects,
        "elicitation": _has_objects,
        "tasks": _is_unusual,
    }
    return _is_object(capabilities, checks)


def _is_object(value: object, checks: Mapping[str, Check]) -> bool:
    """Whether `value` is an object each of whose members passes its check, if it has one."""
    members = cast("dict[str, Any]", value) if type(value) is dict else None
    return members is not None and all(check(members[name]) for name, check in checks.items() if name in members)


def _has_objects(value: object) -> bool:
    return type(value) is dict and all(type(member) is dict for member in cast("dict[str, Any]", value).values())


def _is_str(value: object) -> bool:
    return type(value) is str


def _is_unusual(value: object) -> bool:
    """For members that no client is known to send."""
    return False
