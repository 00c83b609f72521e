"""MCP over streamable HTTP (`/mcp`) and SSE (`/sse`), with `/health`, on our own uvicorn server.

The SDK's `run` does not fit: it does not end while a client is subscribed to changes (measured, mcp 2.3), and it checks
Host and Origin only on loopback. Here they are checked for every path and every bound address.
"""

import logging
import re
import socket
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import anyio
import uvicorn
from mcp.server.lowlevel.server import Server
from mcp.server.sse import SseServerTransport
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecurityMiddleware, TransportSecuritySettings
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from codeact_server.app import App
from codeact_server.protocol.client import owner_of
from codeact_server.transports.http_messages import MAX_BODY_BYTES, examined_messages
from codeact_server.transports.http_sessions import SessionEnds

log = logging.getLogger(__name__)

GRACE_S = 1
"""Seconds that connections have to close after a signal. The process must exit within 5 s, of which closing the
downstream servers next takes up to 2.5. Requests are cancelled at once (`RequestGate.close`)."""

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
EVERY_ADDRESS = ("0.0.0.0", "::", "")  # for comparison only, never bound from here


SSE_SESSION = re.compile(rb"session_id=([0-9a-f]{32})")
"""In the first event of an SSE stream, which tells the client where to send its messages."""


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. Raises `OSError`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=128)


async def serve_http(
    server: Server[dict[str, Any]],
    app: App,
    sock: socket.socket,
    checks: TransportSecuritySettings,
    transport: Literal["http", "sse"],
) -> None:
    """Serve until cancelled."""
    gate = web_app(server, app, checks, transport)
    uvicorn_server = _UvicornServer(
        uvicorn.Config(gate, log_config=None, lifespan="on", timeout_graceful_shutdown=GRACE_S, ws="none")
    )
    async with anyio.create_task_group() as tasks:

        async def serve() -> None:
            # Shielded: after `should_exit`, uvicorn shuts down by itself in little more than `GRACE_S`.
            with anyio.CancelScope(shield=True):
                await uvicorn_server.serve([sock])
            tasks.cancel_scope.cancel()

        tasks.start_soon(serve)
        try:
            await anyio.sleep_forever()
        finally:
            uvicorn_server.should_exit = True
            gate.close()


class _UvicornServer(uvicorn.Server):
    """Installs no signal handlers: `cli` handles signals and stops all parts in order."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


def security(host: str, allowed: Sequence[str], port: int) -> TransportSecuritySettings:
    """The names accepted in `Host` and `Origin`.

    With our port only: loopback and `host`; if `host` stands for every address, this machine's names and addresses.
    With any port or none: the names in `allowed`, which a proxy uses for this server.
    """
    own: set[str] = set(LOOPBACK)
    if host in EVERY_ADDRESS:
        own |= {socket.gethostname(), socket.getfqdn(), *_own_addresses()}
    else:
        own.add(_in_url(host))
    others = {_in_url(name) for name in allowed}
    bare = own if port in (80, 443) else set[str]()
    hosts = {f"{name}:{port}" for name in own} | bare | others
    origins = {f"{scheme}://{name}" for name in own | others for scheme in ("http", "https")}
    return TransportSecuritySettings(
        allowed_hosts=sorted(hosts | {f"{name}:*" for name in others}),
        allowed_origins=sorted(origins | {f"{origin}:*" for origin in origins}),
    )


def _in_url(name: str) -> str:
    """A host as written in URLs and headers: an IPv6 address gets brackets."""
    return f"[{name}]" if name.count(":") > 1 and not name.startswith("[") else name


class RequestGate:
    """The ASGI application in front of every path: checks Host and Origin, and cancels open requests on shutdown.

    Without it uvicorn waits for open requests, although a subscribed client's request never ends, and then cancels
    each of them with a traceback in the log.
    """

    def __init__(self, app: ASGIApp, checks: TransportSecuritySettings) -> None:
        self._app, self._checks = app, TransportSecurityMiddleware(checks)
        self._requests: set[anyio.CancelScope] = set()
        self._closed = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = await self._checks.validate_request(Request(scope, receive))
        if refusal is not None:
            log.warning(
                "refused a request with Host %r and Origin %r; to accept this name, start with --allow-host NAME",
                *(Headers(scope=scope).get(name, "")[:100] for name in ("host", "origin")),
            )
            await refusal(scope, receive, send)
            return
        last_sent = ""
        more = True

        async def tracked_send(message: Message) -> None:
            nonlocal last_sent, more
            last_sent, more = message["type"], message.get("more_body", False)
            await send(message)

        with anyio.CancelScope() as request:
            self._requests.add(request)
            if self._closed:
                request.cancel()
            try:
                await self._app(scope, receive, tracked_send)
            finally:
                self._requests.discard(request)
        if not last_sent:
            await PlainTextResponse("the server is stopping", 503)(scope, receive, send)
        elif last_sent == "http.response.start" or more:
            await send({"type": "http.response.body", "body": b""})

    def close(self) -> None:
        """Cancel all in-flight requests, and every later one."""
        self._closed = True
        for request in self._requests:
            request.cancel()


def web_app(
    server: Server[dict[str, Any]], app: App, checks: TransportSecuritySettings, transport: Literal["http", "sse"]
) -> RequestGate:
    """The ASGI application: streamable HTTP and SSE for `http`, SSE alone for `sse`."""
    sse = SseServerTransport("/messages/", security_settings=checks, max_request_body_size=MAX_BODY_BYTES)

    async def serve_sse(scope: Scope, receive: Receive, send: Send) -> Response:
        session_id: str | None = None

        async def watched_send(message: Message) -> None:
            nonlocal session_id
            if session_id is None and (found := SSE_SESSION.search(message.get("body", b""))):
                session_id = found[1].decode()
            await send(message)

        try:
            async with sse.connect_sse(scope, receive, watched_send) as (read_stream, write_stream):
                await server.run(read_stream, write_stream, server.create_initialization_options())
        finally:
            if session_id is not None:
                app.service.owner_left(owner_of("sse", session_id))
        return Response()

    async def sse_endpoint(request: Request) -> Response:
        return await serve_sse(request.scope, request.receive, request._send)  # pyright: ignore[reportPrivateUsage]  # as the SDK does

    async def health(_: Request) -> Response:
        servers = {status.name: status.state for status in app.tools.statuses()}
        return JSONResponse({"status": "ok", "servers": servers, "workers": app.pool.workers})

    routes: list[Route | Mount] = [
        Route("/health", health),
        Route("/sse", sse_endpoint, methods=["GET"]),
        Mount("/messages/", app=examined_messages(sse.handle_post_message)),
    ]
    if transport == "sse":
        return RequestGate(Starlette(routes=routes), checks)
    sessions = StreamableHTTPSessionManager(server, security_settings=checks, max_request_body_size=MAX_BODY_BYTES)
    mcp = Route("/mcp", SessionEnds(examined_messages(sessions.handle_request), app.service.owner_left))
    return RequestGate(Starlette(routes=[mcp, *routes], lifespan=lambda _: sessions.run()), checks)


def _own_addresses() -> set[str]:
    found: set[str] = set()
    try:
        for family, _, _, _, address in socket.getaddrinfo(socket.gethostname(), None):
            found.add(f"[{address[0]}]" if family == socket.AF_INET6 else str(address[0]))
    except OSError as exc:
        log.warning("cannot look up this machine's own addresses: %s", exc)
    return found
