"""The HTTP client for remote servers. Bounds the size of responses and the wait for a server that does not respond.

`mcp`'s transports speak the protocol over it. It adds the bounds that they lack: on the size of a plain JSON response,
on compressed responses, and on the wait until a server has acknowledged a cancellation.
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
"""To connect, to send, and to get a connection from the pool. Reads have no timeout: each call has its own, and an
event stream may be idle for any time."""

NOTIFICATION_TIMEOUT_S = 5.0
"""For a server to acknowledge a notification. The content of the response is not used."""


class BodyTooLargeError(httpx2.StreamError):
    """A response is larger than the bound, or compressed. `mcp` turns it into an error response to that one request."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)


class HttpClient(httpx2.AsyncClient):
    """The HTTP client of one connection to one server. Create it with `http_client`."""

    def __init__(self, spec: HttpServer, auth: httpx2.Auth | None, tasks: TaskGroup) -> None:
        super().__init__(
            # Uncompressed: a bound on the bytes received does not bound their decompressed size.
            headers={"Accept-Encoding": "identity", **spec.headers},
            timeout=httpx2.Timeout(TIMEOUT_S, read=None),
            event_hooks={"response": [self._on_response]},
            auth=auth,
        )
        self._tasks = tasks
        self.last_error: str | None = None
        """The last HTTP error status or failure. The error that `mcp` raises, "Server returned an error response",
        lacks the status."""

    async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        notification = _notification_in(request)
        if notification is None:
            return await super().send(request, **options)
        request.extensions = {**request.extensions, "timeout": httpx2.Timeout(NOTIFICATION_TIMEOUT_S).as_dict()}
        if notification == "notifications/cancelled":
            # In the background: `mcp` sends messages one at a time, so that a server that hangs would block all further
            # calls, and the cancellation of this one.
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
        # 405 means that the server offers no stream for its own messages: not an error.
        if response.status_code >= 400 and response.status_code != 405:
            self.last_error = f"HTTP {response.status_code} {response.reason_phrase}".rstrip()
        inner = cast(httpx2.AsyncByteStream, response.stream)
        if response.headers.get("content-encoding", "identity").lower() not in {"", "identity"}:
            response.stream = _BoundedBody(inner, 0, "it is compressed, although the request did not allow that")
        elif not response.headers.get("content-type", "").lower().startswith("text/event-stream"):
            # An event stream may last for days; its bound is per event.
            response.stream = _BoundedBody(inner, MAX_MESSAGE_BYTES, f"it has more than {MAX_MESSAGE_BYTES:,} bytes")


class _BoundedBody(httpx2.AsyncByteStream):
    """A response body that raises `BodyTooLargeError` above a size."""

    def __init__(self, inner: httpx2.AsyncByteStream, limit: int, reason: str) -> None:
        self._inner, self._limit, self._reason = inner, limit, reason

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = parts = 0
        async for piece in self._inner:
            size += len(piece)
            if size > self._limit:
                raise BodyTooLargeError(self._reason)
            # Pieces are not parsed, so that commas inside strings count too: hence three times the limit.
            parts += sum(map(piece.count, (b",", b"[", b"{")))
            if parts > 3 * MAX_PARTS:
                raise BodyTooLargeError(f"it has more than {3 * MAX_PARTS:,} values")
            yield piece

    async def aclose(self) -> None:
        await self._inner.aclose()


@asynccontextmanager
async def http_client(spec: HttpServer, auth: httpx2.Auth | None = None) -> AsyncGenerator[HttpClient]:
    """Open a client for the server `spec` for the duration of the block."""
    async with anyio.create_task_group() as tasks, HttpClient(spec, auth, tasks) as client:
        yield client
        tasks.cancel_scope.cancel()


_NOTIFICATION_MARK: Final = b'"method":"notifications/'


def _notification_in(request: httpx2.Request) -> str | None:
    """The method of the notification that `request` carries, or None if it carries something else."""
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
