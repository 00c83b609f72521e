"""HTTP bodies that are no message, and batches, in front of a real session manager of the SDK with a server of our own.

Each test's client has made its handshake.
"""

import json
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from apps import GUARD_S, RawClient, answers_in, opened, over_http
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.types import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    PARSE_ERROR,
    CallToolRequestParams,
    CallToolResult,
    NotificationParams,
)
from starlette.types import Message, Receive, Scope, Send

from codeact_server.protocol.client import owner_of
from codeact_server.transports.http_messages import MAX_BODY_BYTES, examined_messages

PING: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
NOTE: dict[str, Any] = {"jsonrpc": "2.0", "method": "notifications/roots/list_changed"}


class Meeting:
    """A server whose calls wait until two have arrived, and that counts notifications."""

    def __init__(self) -> None:
        self.called = self.noted = 0
        self.both = anyio.Event()
        self.ended = anyio.Event()
        self.server = Server("meeting", on_call_tool=self.call)
        self.server.add_notification_handler(NOTE["method"], NotificationParams, self.note)

    async def call(self, _: ServerRequestContext[Any], params: CallToolRequestParams) -> CallToolResult:
        self.called += 1
        if self.called == 2:
            self.both.set()
        try:
            await self.both.wait()
        finally:
            self.ended.set()
        return CallToolResult(content=[])

    async def note(self, _: ServerRequestContext[Any], __: NotificationParams | None) -> None:
        self.noted += 1


@pytest.fixture
def meeting() -> Meeting:
    return Meeting()


@pytest.fixture
async def client(meeting: Meeting) -> AsyncGenerator[RawClient]:
    sessions = StreamableHTTPSessionManager(meeting.server, max_request_body_size=MAX_BODY_BYTES)
    transport = httpx2.ASGITransport(examined_messages(sessions.handle_request))
    with anyio.fail_after(GUARD_S):
        async with sessions.run(), httpx2.AsyncClient(transport=transport) as http:
            client = RawClient(http, "http://test/mcp")
            await client.open("2025-03-26")
            yield client


def call(request_id: int) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request_id, "method": "tools/call", "params": {"name": "meet"}}


@pytest.mark.parametrize(
    ("body", "request_id", "code"),
    [
        (PING | {"id": 1.5}, None, INVALID_REQUEST),
        (PING | {"id": None}, None, INVALID_REQUEST),
        (PING | {"id": True}, None, INVALID_REQUEST),
        (PING | {"jsonrpc": "1.0"}, 1, INVALID_REQUEST),
        (PING | {"method": 1}, 1, INVALID_REQUEST),
        (PING | {"params": [1]}, 1, INVALID_PARAMS),
        (list[Any](), None, INVALID_REQUEST),
        (b"", None, PARSE_ERROR),
        (b"[" * 100_000, None, PARSE_ERROR),
        (json.dumps(PING | {"params": {"code": "\ud800"}}).encode(), 1, PARSE_ERROR),
    ],
)
async def test_a_body_that_is_no_message_is_refused_and_the_session_lives_on(
    client: RawClient, body: object, request_id: object, code: int
) -> None:
    response = await client.post(body)
    (answer,) = answers_in(response)

    assert (response.status_code, answer["id"], answer["error"]["code"]) == (400, request_id, code)
    assert answers_in(await client.post(PING)) == [{"jsonrpc": "2.0", "id": 1, "result": {}}]


async def test_a_batch_is_answered_by_one_event_for_each_request_in_it(client: RawClient, meeting: Meeting) -> None:
    response = await client.post([call(1), NOTE, PING | {"id": 2}, 5, call(3), NOTE])
    answers = {answer["id"]: answer for answer in answers_in(response)}

    assert response.headers["content-type"].startswith("text/event-stream")
    assert answers.keys() == {None, 1, 2, 3}
    assert answers[None]["error"]["code"] == INVALID_REQUEST
    assert answers[1]["result"] == answers[3]["result"]
    assert answers[2]["result"] == {}
    assert meeting.noted == 2


async def test_a_batch_without_requests_is_accepted_and_what_is_none_in_it_refused(client: RawClient) -> None:
    assert (await client.post([NOTE, NOTE])).status_code == 202
    mixed = await client.post([NOTE, PING | {"id": 1.5}])
    assert [answer["error"]["code"] for answer in answers_in(mixed)] == [INVALID_REQUEST]
    nothing = await client.post([1, 2])
    assert nothing.status_code == 400
    assert len(answers_in(nothing)) == 2


async def test_a_batch_of_a_later_version_is_refused_by_every_request_in_it(
    client: RawClient, meeting: Meeting
) -> None:
    client.headers["MCP-Protocol-Version"] = "2025-06-18"
    response = await client.post([call(1), NOTE, call(2)])

    assert response.status_code == 400
    assert [(answer["id"], answer["error"]["code"]) for answer in answers_in(response)] == [
        (1, INVALID_REQUEST),
        (2, INVALID_REQUEST),
    ]
    assert meeting.called == meeting.noted == 0


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"Mcp-Session-Id": "0" * 32}, 404), ({"Accept": "application/json"}, 406), ({"Content-Type": "text/plain"}, 400)],
)
async def test_a_batch_that_the_sdk_refuses_is_refused_once(
    client: RawClient, headers: dict[str, str], status: int
) -> None:
    client.headers |= headers
    response = await client.post([PING, PING | {"id": 2}])

    assert response.status_code == status
    assert "ping" not in response.text
    assert response.text.count('"id":') < 2


async def test_a_body_that_is_too_long_is_refused(client: RawClient) -> None:
    assert (await client.post(b" " * (MAX_BODY_BYTES + 1))).status_code == 413


async def test_every_message_of_a_batch_hears_that_the_client_has_disconnected() -> None:
    heard: list[str] = []
    incoming: list[Message] = [
        {"type": "http.request", "body": json.dumps([PING, PING | {"id": 2}, NOTE]).encode(), "more_body": False},
        {"type": "http.disconnect"},
    ]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        heard.append((await receive())["type"])

    async def receive() -> Message:
        return incoming.pop(0)

    async def send(_: Message) -> None:
        return

    with anyio.fail_after(GUARD_S):
        await examined_messages(app)({"type": "http", "method": "POST", "headers": []}, receive, send)

    assert heard == ["http.disconnect"] * 3


async def test_batches_and_odd_requests_over_sse(environment: Mapping[str, str], tmp_path: Path) -> None:
    with anyio.fail_after(GUARD_S):
        async with (
            opened(environment) as opening,
            over_http(opening) as address,
            httpx2.AsyncClient(timeout=GUARD_S) as http,
        ):
            async with http.stream("GET", f"{address}/sse") as stream:
                data = (line.removeprefix("data: ") async for line in stream.aiter_lines() if line.startswith("data: "))
                path = await anext(data)
                client = RawClient(http, address + path)
                info = {"name": "raw", "version": "0"}
                params: dict[str, Any] = {"protocolVersion": "2025-03-26", "capabilities": {}, "clientInfo": info}
                await client.post({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params})
                assert json.loads(await anext(data))["id"] == 0
                assert (await client.post(PING | {"id": 1.5})).status_code == 400
                assert (await client.post([PING, NOTE, PING | {"id": 2}])).status_code == 202
                assert {json.loads(await anext(data))["id"] for _ in range(2)} == {1, 2}
                owner, results = owner_of("sse", path.partition("session_id=")[2]), opening.app.service.results
                results.store(owner, "a value", "text/plain", "text")
            while results.links(owner):  # noqa: ASYNC110  # until the server has seen the end of the stream
                await anyio.sleep(0.01)
