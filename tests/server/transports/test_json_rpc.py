"""What clients send: which of it is a message, and the answer to what is none."""

import json
from typing import Any

import pytest
from mcp.types import INVALID_PARAMS, INVALID_REQUEST, PARSE_ERROR
from mcp.types import jsonrpc_message_adapter as sdk

from codeact_server.transports.json_rpc import MAX_BATCH, Examined, examine, requested_version

PING: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
NOTE = {"jsonrpc": "2.0", "method": "notifications/initialized"}
RESPONSE: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "result": {}}
ERROR = {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "no"}}


def examined(message: object, *, batches: bool = True) -> Examined:
    return examine(json.dumps(message), batches=batches)


def refused(found: Examined) -> list[tuple[object, int]]:
    """The ids and codes of the refusals, each of which can be sent."""
    for each in found.refusals:
        assert sdk.validate_json(each.model_dump_json(by_alias=True, exclude_unset=True)) == each
    return [(each.id, each.error.code) for each in found.refusals]


MESSAGES: list[dict[str, Any]] = [
    PING,
    PING | {"id": "a"},
    PING | {"id": ""},
    PING | {"id": 10**400},
    PING | {"id": -1},
    PING | {"params": {}},
    PING | {"params": None},
    NOTE,
    NOTE | {"id": None},
    NOTE | {"params": [1]},
    RESPONSE,
    RESPONSE | {"id": 1.5},
    ERROR,
]


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_is_passed_on(message: dict[str, Any]) -> None:
    assert examined(message) == Examined([message])


@pytest.mark.parametrize(
    ("message", "request_id", "code"),
    [
        (PING | {"id": None}, None, INVALID_REQUEST),
        (PING | {"id": 1.5}, None, INVALID_REQUEST),
        (PING | {"id": 1.0}, None, INVALID_REQUEST),
        (PING | {"id": True}, None, INVALID_REQUEST),
        (PING | {"id": dict[str, Any]()}, None, INVALID_REQUEST),
        (PING | {"id": [1]}, None, INVALID_REQUEST),
        ({"id": 1, "method": "ping"}, 1, INVALID_REQUEST),
        (PING | {"jsonrpc": "1.0"}, 1, INVALID_REQUEST),
        (PING | {"jsonrpc": 2.0}, 1, INVALID_REQUEST),
        (PING | {"method": 1}, 1, INVALID_REQUEST),
        (PING | {"method": None}, 1, INVALID_REQUEST),
        ({"jsonrpc": "2.0", "id": "a"}, "a", INVALID_REQUEST),
        (PING | {"params": [1]}, 1, INVALID_PARAMS),
        (PING | {"params": "a"}, 1, INVALID_PARAMS),
        (dict[str, Any](), None, INVALID_REQUEST),
        (1, None, INVALID_REQUEST),
        ("ping", None, INVALID_REQUEST),
        (None, None, INVALID_REQUEST),
        (list[Any](), None, INVALID_REQUEST),
    ],
)
def test_what_is_no_message_is_refused_by_its_id(message: object, request_id: object, code: int) -> None:
    found = examined(message)

    assert refused(found) == [(request_id, code)]
    assert not found.messages


@pytest.mark.parametrize(
    ("text", "request_id"),
    [
        ("", None),
        ("no JSON", None),
        (json.dumps(PING)[:-1], None),
        (json.dumps(PING | {"params": {"code": "\ud800"}}), 1),
        (json.dumps(PING | {"id": "\ud800"}), None),
        ("[" * 100_000, None),
        ('{"a":' * 100_000, None),
        ('{"jsonrpc": "2.0", "id": %s, "method": "ping"}' % ("9" * 5_000), None),
        (b"\xff", None),
    ],
)
def test_what_is_no_json_is_a_parse_error_by_its_id_if_that_can_be_read(text: str | bytes, request_id: object) -> None:
    assert refused(examine(text, batches=True)) == [(request_id, PARSE_ERROR)]


@pytest.mark.parametrize("half", ["\ud83d", "\ud83d!"])
def test_a_program_with_half_of_a_surrogate_pair_is_refused_in_words(half: str) -> None:
    found = examined(PING | {"params": {"code": f"print('{half}')"}})

    assert refused(found) == [(1, PARSE_ERROR)]
    assert "half of a surrogate pair" in found.refusals[0].error.message


def test_of_a_batch_each_message_is_passed_on_and_each_other_thing_refused() -> None:
    initialize = {"jsonrpc": "2.0", "id": 4, "method": "initialize"}
    found = examined(
        [PING, NOTE, 1, list[Any](), PING | {"id": 2}, PING | {"id": "2"}, PING | {"id": 1.5}, initialize, ERROR]
    )

    assert found.is_batch
    assert found.messages == [PING, NOTE, PING | {"id": 2}, ERROR]
    assert refused(found) == [(each, INVALID_REQUEST) for each in (None, None, "2", None, 4)]


def test_a_batch_that_is_not_allowed_is_refused_by_every_request_in_it() -> None:
    found = examined([PING, NOTE, RESPONSE | {"id": 5}, PING | {"id": 2}], batches=False)

    assert not found.messages
    assert refused(found) == [(1, INVALID_REQUEST), (2, INVALID_REQUEST)]
    assert "send each message by itself" in found.refusals[0].error.message
    assert refused(examined([NOTE], batches=False)) == [(None, INVALID_REQUEST)]


def test_a_batch_has_a_limit() -> None:
    pings = [PING | {"id": n} for n in range(MAX_BATCH + 1)]

    assert len(examined(pings[:-1]).messages) == MAX_BATCH
    found = examined(pings)
    assert not found.messages
    assert len(refused(found)) == MAX_BATCH


@pytest.mark.parametrize(
    ("message", "version"),
    [
        ({"method": "initialize", "params": {"protocolVersion": "2025-03-26"}}, "2025-03-26"),
        ({"method": "initialize", "params": {"protocolVersion": 1}}, None),
        ({"method": "initialize", "params": None}, None),
        ({"method": "initialize"}, None),
        ({"method": "ping", "params": {"protocolVersion": "2025-03-26"}}, None),
    ],
)
def test_the_version_is_that_of_the_handshake(message: dict[str, Any], version: str | None) -> None:
    assert requested_version(message) == version
