"""The thread that answers a client's first requests: what it repeats, and what it leaves to the SDK."""

import json
import os
import select
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest

from codeact_server.front.opening import ANSWER_BYTES, Opening
from codeact_server.front.recording import Answers
from codeact_server.front.requests import CAPABILITIES_KEY, CLIENT_KEY, VERSION_KEY

INITIALIZED = {"protocolVersion": "2025-11-25", "serverInfo": {"name": "codeact-mcp", "version": "1"}}
OTHER = {**INITIALIZED, "other": True}
LISTED = {"tools": [{"name": "execute_code"}]}
MODERN_LISTED: dict[str, Any] = {"tools": [], "resultType": "complete"}
ANSWERS: Answers = {
    "initialize 2025-11-25": INITIALIZED,
    "initialize other": OTHER,
    "tools/list 2025-11-25": LISTED,
    "tools/list 2026-07-28": MODERN_LISTED,
    "server/discover 2026-07-28": {"supported": []},
}
HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
ENVELOPE = {VERSION_KEY: "2026-07-28", CLIENT_KEY: HELLO["clientInfo"], CAPABILITIES_KEY: {}}
GUARD_MS = 20_000


class Client:
    """The other ends of an opening's pipes."""

    def __init__(self) -> None:
        self.stdin, self._into = os.pipe()
        self._out, self.stdout = os.pipe()
        self.sent = b""
        self._lines = b""

    def send(self, method: str, request_id: Any = None, params: Any = None) -> None:
        message: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": {} if params is None else params}
        message |= {} if request_id is None else {"id": request_id}
        self.send_bytes(json.dumps(message).encode() + b"\n")

    def send_bytes(self, data: bytes) -> None:
        self.sent += data
        os.write(self._into, data)

    def answer(self) -> dict[str, Any]:
        """The next answer."""
        while b"\n" not in self._lines:
            assert select.select([self._out], [], [], GUARD_MS / 1000)[0], "there is no answer"
            self._lines += os.read(self._out, 1 << 16)
        line, _, self._lines = self._lines.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def hang_up(self) -> None:
        os.close(self._into)

    def rest(self) -> bytes:
        """All that was answered besides, once the opening is over."""
        os.close(self.stdout)
        rest = self._lines
        while data := os.read(self._out, 1 << 16):
            rest += data
        return rest


@contextmanager
def opened() -> Generator[tuple[Client, Opening]]:
    client = Client()
    yield client, Opening(client.stdin, client.stdout, ANSWERS)


def over(client: Client, opening: Opening) -> bytes:
    """Hand over: what is replayed is what was sent. Returns what was answered and not read yet."""
    assert opening.hand_over() == client.sent
    return client.rest()


def test_the_first_requests_of_a_handshake_are_answered() -> None:
    with opened() as (client, opening):
        client.send("initialize", 0, HELLO)
        assert client.answer() == {"jsonrpc": "2.0", "id": 0, "result": INITIALIZED}
        client.send("notifications/initialized")
        client.send("tools/list", "two")
        assert client.answer() == {"jsonrpc": "2.0", "id": "two", "result": LISTED}
        client.send("ping", 3)
        assert client.answer() == {"jsonrpc": "2.0", "id": 3, "result": {}}
        assert over(client, opening) == b""


def test_requests_that_name_their_version_are_answered() -> None:
    meta = {"_meta": ENVELOPE}
    with opened() as (client, opening):
        client.send("server/discover", 1, meta)
        assert client.answer()["result"] == {"supported": []}
        client.send("tools/list", 2, meta)
        assert client.answer()["result"] == MODERN_LISTED
        assert over(client, opening) == b""


def test_an_unknown_version_gets_what_the_server_says_to_one() -> None:
    with opened() as (client, opening):
        client.send("initialize", 1, {**HELLO, "protocolVersion": "2031-01-01"})
        assert client.answer()["result"] == OTHER
        client.send("tools/list", 2)
        assert client.answer()["result"] == LISTED
        assert over(client, opening) == b""


def test_a_request_that_comes_in_pieces_is_answered_once_it_is_whole() -> None:
    whole = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": HELLO}).encode()
    with opened() as (client, opening):
        for place in range(0, len(whole), 7):
            client.send_bytes(whole[place : place + 7])
        client.send_bytes(b"\n{")
        assert client.answer()["result"] == INITIALIZED
        assert over(client, opening) == b""


BEFORE_HELLO: list[tuple[str, Any, Any]] = [
    ("tools/list", 1, None),
    ("ping", 1, None),
    ("server/discover", 1, {"_meta": None}),
    ("initialize", 1, []),
    ("initialize", 1, {**HELLO, "clientInfo": {"name": "x"}}),
    ("initialize", 1, {**HELLO, "clientInfo": {"name": "x", "version": 1}}),
    ("initialize", 1, {**HELLO, "clientInfo": None}),
    ("initialize", 1, {**HELLO, "capabilities": []}),
    ("initialize", 1, {**HELLO, "protocolVersion": 20251125}),
    ("initialize", 1.5, HELLO),
    ("initialize", True, HELLO),
    ("initialize", [1], HELLO),
]


@pytest.mark.parametrize(("method", "request_id", "params"), BEFORE_HELLO)
def test_what_is_odd_is_left_to_the_sdk(method: str, request_id: Any, params: Any) -> None:
    with opened() as (client, opening):
        client.send(method, request_id, params)
        client.send("initialize", "sure", HELLO)
        assert client.answer()["id"] == "sure"
        assert over(client, opening) == b""


MODERN_FIRST: list[tuple[str, dict[str, Any]]] = [
    ("tools/list", {"_meta": ENVELOPE | {VERSION_KEY: "2025-11-25"}}),
    ("tools/list", {"_meta": ENVELOPE | {VERSION_KEY: "2027-01-01"}}),
    ("tools/list", {"_meta": ENVELOPE | {VERSION_KEY: ["2026-07-28"]}}),
    ("tools/list", {"_meta": ENVELOPE, "cursor": "x"}),
    ("tools/list", {"_meta": {VERSION_KEY: "2026-07-28"}}),
    ("tools/call", {"_meta": ENVELOPE}),
    ("ping", {"_meta": ENVELOPE}),
]


@pytest.mark.parametrize(("method", "params"), MODERN_FIRST)
def test_after_a_request_that_names_its_version_a_handshake_is_left_to_the_sdk(
    method: str, params: dict[str, Any]
) -> None:
    with opened() as (client, opening):
        client.send(method, 1, params)
        client.send("initialize", 2, HELLO)
        client.send("tools/list", 3)
        client.send("tools/list", "sure", {"_meta": ENVELOPE})
        assert client.answer()["id"] == "sure"
        assert over(client, opening) == b""


def test_after_another_first_request_those_that_name_their_version_are_left_to_the_sdk() -> None:
    with opened() as (client, opening):
        client.send("tools/list", 1)
        client.send("tools/list", 2, {"_meta": ENVELOPE})
        client.send("initialize", 3, HELLO)
        client.send("tools/list", 4, {"_meta": ENVELOPE})
        client.send("tools/list", 5)
        assert [client.answer()["id"], client.answer()["id"]] == [3, 5]
        assert over(client, opening) == b""


def test_of_an_id_used_twice_the_sdk_answers_the_second_though_it_was_left_the_first() -> None:
    with opened() as (client, opening):
        client.send("tools/call", 1)
        client.send("initialize", 2, HELLO)
        client.send("tools/list", 1)
        client.send("ping", 3)
        assert [client.answer()["id"], client.answer()["id"]] == [2, 3]
        assert over(client, opening) == b""


NO_VERSION = json.dumps({"id": 9, "method": "initialize", "params": HELLO}).encode()


@pytest.mark.parametrize(
    "line", [b"", b"[]", b"[[", b"null", b"{}", b"\xff", b"[" * 100_000, b'{"id":1,"method":{}}', NO_VERSION]
)
def test_lines_that_are_no_requests_are_left_to_the_sdk(line: bytes) -> None:
    with opened() as (client, opening):
        client.send_bytes(line + b"\n")
        client.send("initialize", 1, HELLO)
        assert client.answer()["result"] == INITIALIZED
        assert over(client, opening) == b""


def test_a_second_initialize_and_a_used_id_are_left_to_the_sdk() -> None:
    with opened() as (client, opening):
        client.send("initialize", 1, HELLO)
        client.send("initialize", 2, HELLO)
        client.send("tools/list", 1)
        client.send("ping", 3)
        assert [client.answer()["id"], client.answer()["id"]] == [1, 3]
        assert over(client, opening) == b""


def test_a_client_that_only_sends_cannot_make_it_wait() -> None:
    count = 2_000
    with opened() as (client, opening):
        client.send("initialize", 0, HELLO)
        for number in range(1, count):  # more than both pipes hold: the last ones are sent once the first are read
            client.send("ping", number)
        replayed = opening.hand_over()
        assert client.sent.startswith(replayed)
        answers = client.rest()
        assert len(answers) <= ANSWER_BYTES
        assert ANSWER_BYTES // 100 < len(answers.splitlines()) < count


def test_a_client_that_hangs_up_is_handed_over() -> None:
    with opened() as (client, opening):
        client.send("initialize", 1, HELLO)
        client.hang_up()
        assert client.answer()["result"] == INITIALIZED
        assert over(client, opening) == b""


def said(request_id: Any, result: Any) -> str:
    return json.dumps({"jsonrpc": "2.0", "id": request_id, "result": result}) + "\n"


def test_the_sdks_own_answers_to_the_same_requests_are_dropped() -> None:
    with opened() as (client, opening):
        client.send("initialize", 1, HELLO)
        client.send("tools/list", 2)
        client.answer()
        client.answer()
        opening.hand_over()

        notification = '{"jsonrpc":"2.0","method":"notifications/message","params":{}}\n'
        assert opening.corrected(notification) == notification
        assert opening.corrected(said(1, INITIALIZED)) == ""
        assert opening.corrected(said(3, {})) == said(3, {})
        assert opening.corrected(said(2, LISTED)) == ""
        assert opening.corrected(said(2, LISTED)) == said(2, LISTED), "an id may be used again after its answer"


def test_a_changed_tool_list_is_notified_in_place_of_the_answer() -> None:
    with opened() as (client, opening):
        client.send("initialize", 1, HELLO)
        client.send("tools/list", 2)
        client.answer()
        client.answer()
        opening.hand_over()

        assert opening.corrected(said(1, OTHER)) == ""
        assert json.loads(opening.corrected(said(2, {"tools": []})))["method"] == "notifications/tools/list_changed"
