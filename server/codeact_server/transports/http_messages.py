"""The messages in HTTP requests, before the SDK sees them: what is none is refused, a batch becomes single messages.

The SDK has no batches, and takes a request whose id is neither a string nor an integer for a notification.
"""

from collections.abc import Sequence
from typing import Any

import anyio
from mcp.server.transport_security import RequestBodyLimitMiddleware
from pydantic_core import to_json
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from codeact_server.transports.json_rpc import BATCH_VERSION, examine

MAX_BODY_BYTES = 20 << 20
"""Longest request body: room for the longest program with every character escaped in JSON."""

EVENTS = "text/event-stream"


def examined_messages(app: ASGIApp) -> ASGIApp:
    """Return the ASGI application in front of `app`, which takes MCP messages."""
    return RequestBodyLimitMiddleware(_Messages(app), MAX_BODY_BYTES)


class _Messages:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        request = await receive()  # the whole body, unless the client has disconnected
        if request["type"] != "http.request" or request.get("more_body"):
            await self._app(scope, _replayed(request, receive), send)
            return
        # Clients send this header since the version after the one with batches.
        batches = Headers(scope=scope).get("mcp-protocol-version", BATCH_VERSION) == BATCH_VERSION
        examined = examine(request["body"], batches=batches)
        refusals = [each.model_dump(mode="json", by_alias=True, exclude_unset=True) for each in examined.refusals]
        if not examined.messages:
            body = to_json(refusals if len(refusals) > 1 else refusals[0])
            await Response(body, status_code=400, media_type="application/json")(scope, receive, send)
        elif examined.is_batch:
            await _Batch(self._app, scope, send, refusals).serve(examined.messages, receive)
        else:
            await self._app(scope, _replayed(request, receive), send)


class _Batch:
    """The messages of one body, each as a request to the application, and their answers as one response.

    The response is an event stream with an event for each answer, as soon as there is one (MCP 2025-03-26, Sending
    messages to the server). Without requests the batch is accepted. An application that refuses one message for its
    session or its headers would refuse every one: the first such refusal is the response to the batch.
    """

    def __init__(self, app: ASGIApp, scope: Scope, send: Send, refusals: Sequence[dict[str, Any]]) -> None:
        self._app, self._scope, self._send, self._refusals = app, scope, send, refusals
        self._sending = anyio.Lock()
        self._begun = False
        self._refused = False
        self._disconnected = anyio.Event()

    async def serve(self, messages: Sequence[dict[str, Any]], receive: Receive) -> None:
        async with anyio.create_task_group() as watching:
            watching.start_soon(self._watch, receive)
            async with anyio.create_task_group() as serving:
                for message in messages:
                    serving.start_soon(self._serve, message, serving.cancel_scope)
            watching.cancel_scope.cancel()
        if self._refused:
            return
        if self._begun:
            await self._send({"type": "http.response.body", "body": b""})
        elif self._refusals:
            body = to_json(self._refusals)
            await Response(body, media_type="application/json")(self._scope, receive, self._send)
        else:
            await Response(status_code=202)(self._scope, receive, self._send)

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._disconnected.set()

    async def _serve(self, message: dict[str, Any], others: anyio.CancelScope) -> None:
        """Serve one message. A refusal before any answer becomes the response, and ends the `others`."""
        request: Message | None = {"type": "http.request", "body": to_json(message), "more_body": False}
        start: Message = {}
        body = bytearray()

        async def receive() -> Message:
            nonlocal request
            if request is not None:
                given, request = request, None
                return given
            await self._disconnected.wait()
            return {"type": "http.disconnect"}

        async def send(part: Message) -> None:
            nonlocal start
            if part["type"] == "http.response.start":
                start = part
            elif start["status"] == 202:
                return
            elif _has_events(start):
                await self._send_events(part.get("body", b""), start)
            else:
                body.extend(part.get("body", b""))
                if not part.get("more_body"):
                    await refuse()

        async def refuse() -> None:
            if self._begun:
                await self._send_events(_event(bytes(body)), start)
            elif not self._refused:
                self._refused = True
                with anyio.CancelScope(shield=True):
                    await self._send(start)
                    await self._send({"type": "http.response.body", "body": bytes(body)})
                others.cancel()

        await self._app(self._scope, receive, send)

    async def _send_events(self, events: bytes, start: Message) -> None:
        async with self._sending:
            if not self._begun and not self._refused:
                self._begun = True
                await self._send(start)
                for refused in self._refusals:
                    await self._send(
                        {"type": "http.response.body", "body": _event(to_json(refused)), "more_body": True}
                    )
            if events and self._begun:
                await self._send({"type": "http.response.body", "body": events, "more_body": True})


def _has_events(start: Message) -> bool:
    return Headers(raw=start["headers"]).get("content-type", "").startswith(EVENTS)


def _event(message: bytes) -> bytes:
    return b"event: message\r\ndata: " + message + b"\r\n\r\n"


def _replayed(request: Message, receive: Receive) -> Receive:
    """Return what receives `request` first."""
    first: list[Message] = [request]

    async def replay() -> Message:
        return first.pop() if first else await receive()

    return replay
