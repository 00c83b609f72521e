"""The HTTP client that remote servers are reached with: bounded in what it takes, and never held up by a server that
does not answer.

`mcp`'s transports speak the protocol over it. What they leave open is closed here: the size of a plain JSON answer,
of an answer that is compressed, and the wait for a server to take note of a cancellation.
"""

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, cast

import anyio
import httpx2
from anyio.abc import TaskGroup

from codeact_bridges.tools.spec import HttpServer
from codeact_bridges.tools.transports.json_limits import MAX_MESSAGE_BYTES, MAX_PARTS

TIMEOUT_S = 30.0
"""To connect, to send, to get a connection from the pool. Reading has no limit of its own: a call has one, and an
idle stream is none."""

NOTIFICATION_TIMEOUT_S = 5.0
"""For a server to say that it has heard a notification. What it says is of no use to us."""


class BodyTooLargeError(httpx2.StreamError):
    """A server's answer is larger than we take, or compressed. `mcp` makes of it the answer to the one request."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)


class HttpClient(httpx2.AsyncClient):
    """An HTTP client for one connection to one server. Made by `http_client`."""

    def __init__(self, spec: HttpServer, auth: httpx2.Auth | None, tasks: TaskGroup) -> None:
        super().__init__(
            # Uncompressed: a bound on what comes over the wire says nothing of what it unpacks to.
            headers={"Accept-Encoding": "identity", **spec.headers},
            timeout=httpx2.Timeout(TIMEOUT_S, read=None),
            event_hooks={"response": [self._on_response]},
            auth=auth,
        )
        self._tasks = tasks
        self.last_error: str | None = None
        """The last answer that refused something. `mcp` says "Server returned an error response" and keeps to itself
        whether that was a 401 or a 502."""

    async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        notification = _notification_in(request)
        if notification is None:
            return await super().send(request, **options)
        request.extensions = {**request.extensions, "timeout": httpx2.Timeout(NOTIFICATION_TIMEOUT_S).as_dict()}
        if notification == "notifications/cancelled":
            # In the background: `mcp` writes one message after the other, and a server that hangs would keep all
            # further calls, and whoever cancelled this one, waiting for it.
            self._tasks.start_soon(self._send_and_discard, request, options)
        else:
            await self._send_and_discard(request, options)
        return httpx2.Response(202, request=request)

    async def _send_and_discard(self, request: httpx2.Request, options: dict[str, Any]) -> None:
        try:
            response = await super().send(request, **options)
            await response.aclose()
        except (httpx2.HTTPError, httpx2.StreamError, OSError) as exc:
            self.last_error = self.last_error or type(exc).__name__

    async def _on_response(self, response: httpx2.Response) -> None:
        # 405 is how a server says that it has no stream of its own.
        if response.status_code >= 400 and response.status_code != 405:
            self.last_error = f"HTTP {response.status_code} {response.reason_phrase}".rstrip()
        inner = cast(httpx2.AsyncByteStream, response.stream)
        if response.headers.get("content-encoding", "identity").lower() not in {"", "identity"}:
            response.stream = _BoundedBody(inner, 0, "it is compressed, which we did not ask for")
        elif not response.headers.get("content-type", "").lower().startswith("text/event-stream"):
            # An event stream may go on for days; there each event has a bound.
            response.stream = _BoundedBody(inner, MAX_MESSAGE_BYTES, f"it has more than {MAX_MESSAGE_BYTES:,} bytes")


class _BoundedBody(httpx2.AsyncByteStream):
    """A body that ends with an error when it becomes too large."""

    def __init__(self, inner: httpx2.AsyncByteStream, limit: int, reason: str) -> None:
        self._inner, self._limit, self._reason = inner, limit, reason

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = parts = 0
        async for piece in self._inner:
            size += len(piece)
            if size > self._limit:
                raise BodyTooLargeError(self._reason)
            # Where strings begin is not known here, so that their commas count too.
            parts += sum(map(piece.count, (b",", b"[", b"{")))
            if parts > 3 * MAX_PARTS:
                raise BodyTooLargeError(f"it has more than {3 * MAX_PARTS:,} values")
            yield piece

    async def aclose(self) -> None:
        await self._inner.aclose()


@asynccontextmanager
async def http_client(spec: HttpServer, auth: httpx2.Auth | None = None) -> AsyncGenerator[HttpClient]:
    """A client for the server `spec`, for the length of the block."""
    async with anyio.create_task_group() as tasks, HttpClient(spec, auth, tasks) as client:
        yield client
        tasks.cancel_scope.cancel()


_NOTIFICATION_MARK: Final = b'"method":"notifications/'


def _notification_in(request: httpx2.Request) -> str | None:
    """The method, if the request carries a notification."""
    if request.method != "POST" or request.headers.get("content-type") != "application/json":
        return None
    body = request.content
    if len(body) > 10_000 or _NOTIFICATION_MARK not in body.replace(b'": "', b'":"')[:200]:
        return None
    message = cast(object, json.loads(body))
    if not isinstance(message, dict) or "id" in message:
        return None
    method = cast("dict[str, object]", message).get("method")
    return method if isinstance(method, str) else None
