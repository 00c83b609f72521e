"""Requests of the usual form: those of real clients are, and whatever is, the SDK takes."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp.types import InitializeRequestParams

from codeact_server.front.requests import CAPABILITIES_KEY, CLIENT_KEY, MAX_BRACKETS, VERSION_KEY, Request, request_on
from codeact_server.transports.json_rpc import examine

NAMED = {"name": "test", "version": "1"}
HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": NAMED}
ENVELOPE: dict[str, Any] = {VERSION_KEY: "2026-07-28", CLIENT_KEY: NAMED, CAPABILITIES_KEY: {}}
CLAUDE = {**NAMED, "title": "Claude Code", "description": "", "websiteUrl": "https://claude.com/claude-code"}
FORMS: dict[str, Any] = {"form": {}, "url": {}}
SENT: list[dict[str, Any]] = [
    {"clientInfo": CLAUDE, "capabilities": {"roots": {}, "elicitation": {}}},
    {"capabilities": {"experimental": {"codex/auth-change": {}}, "elicitation": FORMS}},
    {"capabilities": {"extensions": {"io.modelcontextprotocol/ui": {"mimeTypes": ["text/html"]}}, "roots": {}}},
    {"capabilities": {"roots": {"listChanged": True}, "sampling": {}, "elicitation": FORMS}},
    {"_meta": {"progressToken": 1}},
]


def line(method: str, params: Any, request_id: Any = 1) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}).encode()


def found(method: str, params: Any) -> Request:
    request = request_on(line(method, params))
    assert request is not None
    return request


@pytest.mark.parametrize("sent", SENT)
def test_what_clients_send_is_usual(sent: dict[str, Any]) -> None:
    assert found("initialize", HELLO | sent).usual
    capabilities = sent.get("capabilities", {})
    assert found("tools/list", {"_meta": ENVELOPE | {CAPABILITIES_KEY: capabilities}}).usual


ODD_HELLOS: list[dict[str, Any]] = [
    {"capabilities": {"roots": 5}},
    {"capabilities": {"roots": {"listChanged": "maybe"}}},
    {"capabilities": {"elicitation": "form"}},
    {"capabilities": {"experimental": []}},
    {"capabilities": {"experimental": {"x": 5}}},
    {"clientInfo": {**NAMED, "title": 5}},
    {"clientInfo": {**NAMED, "icons": 5}},
    {"clientInfo": {**NAMED, "websiteUrl": []}},
    {"clientInfo": {**NAMED, "name": "\ud800"}},
    {"clientInfo": {"name": "x"}},
    {"_meta": 5},
    {"_meta": {"progressToken": []}},
]


@pytest.mark.parametrize("odd", [*ODD_HELLOS, {"x": json.loads("[" * 300 + "]" * 300)}])
def test_what_the_sdk_refuses_is_not_usual(odd: dict[str, Any]) -> None:
    assert not found("initialize", HELLO | odd).usual


ODD_METAS: list[Any] = [
    {VERSION_KEY: "2026-07-28"},
    ENVELOPE | {CLIENT_KEY: 5},
    ENVELOPE | {CAPABILITIES_KEY: []},
    {"progressToken": {}},
    [],
    None,
]


@pytest.mark.parametrize("meta", ODD_METAS)
def test_an_odd_envelope_is_not_usual(meta: Any) -> None:
    assert not found("tools/list", {"_meta": meta}).usual


NESTED = "[" * MAX_BRACKETS + "]" * MAX_BRACKETS


def test_the_sdk_takes_brackets_as_deep_as_are_usual() -> None:
    assert not found("ping", {"x": json.loads(NESTED)}).usual
    assert examine(line("ping", {"x": json.loads(NESTED)}), batches=False).messages


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xef\xbb\xbf" + line("ping", {}),
        line("ping", {}).decode().encode("utf-16-le"),
        line("ping", []),
        line("ping", {}, 1.0),
        line("ping", {}, True),
        line("ping", {}, None),
        line("ping", {}).replace(b'"2.0"', b'"1.0"'),
        b"[" + line("ping", {}) + b"]",
    ],
)
def test_what_the_sdk_does_not_see_as_a_request_is_none(text: bytes) -> None:
    assert request_on(text) is None


def test_bytes_that_are_no_text_are_replaced_as_they_are_for_the_sdk() -> None:
    request = request_on(line("ping", {"x": "?"}).replace(b"?", b"\xff"))
    assert request is not None
    assert request.params == {"x": "\ufffd"}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["form", "listChanged", "name", "version", "x"]), inner, max_size=3)
    ),
    max_leaves=5,
)
MEMBERS = ["experimental", "extensions", "roots", "sampling", "elicitation", "tasks", "x"]
CLIENTS = st.dictionaries(st.sampled_from(["title", "description", "websiteUrl", "icons", "x"]), VALUES, max_size=2)
HELLOS = st.fixed_dictionaries(
    {
        "protocolVersion": st.just("2025-11-25") | VALUES,
        "capabilities": st.dictionaries(st.sampled_from(MEMBERS), VALUES, max_size=3) | VALUES,
        "clientInfo": CLIENTS.map(lambda more: NAMED | more) | VALUES,
    },
    optional={"_meta": st.dictionaries(st.sampled_from(["progressToken", "x"]), VALUES, max_size=2) | VALUES},
)


@given(HELLOS)
def test_the_sdk_takes_every_usual_hello(params: dict[str, Any]) -> None:
    if found("initialize", params).usual:
        InitializeRequestParams.model_validate(params, by_name=False)
