"""MCP over streamable HTTP (`/mcp`) and SSE (`/sse`), with `/health`, on a uvicorn of our own.

Our own, because `mcp.run` does not end while a client listens for changes (measured, mcp 2.3), and because Host and
Origin are checked here for every path and every address that is bound: the SDK leaves the checks off for all but
loopback.
"""

import logging
import socket
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Literal

import anyio
import uvicorn
from mcp.server.sse import SseServerTransport
from mcp.server.transport_security import TransportSecurityMiddleware, TransportSecuritySettings
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from codeact_server.app import App
from codeact_server.protocol.server import CodeActServer

log = logging.getLogger(__name__)

GRACE_S = 1
"""Seconds that connections get to end after a signal, of the 5 s in which the process must be gone: downstream servers,
which close next, need up to 2.5. Requests are ended at once (`Door.close`)."""

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
EVERY_ADDRESS = ("0.0.0.0", "::", "")  # compared with, not bound
MAX_BODY_BYTES = 20 << 20
"""Longest request body: the longest program, in JSON's escapes."""


def bind(host: str, port: int) -> socket.socket:
    """A listening socket. Raises `OSError`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=128)


async def serve_http(
    server: CodeActServer,
    app: App,
    sock: socket.socket,
    checks: TransportSecuritySettings,
    transport: Literal["http", "sse"],
) -> None:
    """Serve until cancelled."""
    door = web_app(server, app, checks, transport)
    uvicorn_server = _Server(
        uvicorn.Config(door, log_config=None, lifespan="on", timeout_graceful_shutdown=GRACE_S, ws="none")
    )
    async with anyio.create_task_group() as tasks:

        async def serve() -> None:
            # Shielded: uvicorn ends in its own time, at most `GRACE_S` and a little, once it is told to.
            with anyio.CancelScope(shield=True):
                await uvicorn_server.serve([sock])
            tasks.cancel_scope.cancel()

        tasks.start_soon(serve)
        try:
            await anyio.sleep_forever()
        finally:
            uvicorn_server.should_exit = True
            door.close()


class _Server(uvicorn.Server):
    """Leaves signals to `cli`, which stops everything in its order."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


def security(host: str, allowed: Sequence[str], port: int) -> TransportSecuritySettings:
    """Who may be named in `Host` and `Origin`.

    With our port: loopback and `host`; where `host` means every address, this machine's names and addresses. With any
    port, or none: the `allowed`, which are somebody else's (a proxy's) names for us.
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
    """A host as URLs and headers have it: an IPv6 address in brackets."""
    return f"[{name}]" if name.count(":") > 1 and not name.startswith("[") else name


class RequestGate:
    """The ASGI application in front of every path: who comes in, and that all leave when the server stops.

    uvicorn by itself waits for open requests, of which a listening client's never ends, and then cancels them with a
    traceback each.
    """

    def __init__(self, app: ASGIApp, checks: TransportSecuritySettings) -> None:
        self._app, self._checks = app, TransportSecurityMiddleware(checks)
        self._inside: set[anyio.CancelScope] = set()
        self._closed = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = await self._checks.validate_request(Request(scope, receive))
        if refusal is not None:
            log.warning(
                "refused a request with Host %r and Origin %r; if this is a name of ours, start with --allow-host NAME",
                *(Headers(scope=scope).get(name, "")[:100] for name in ("host", "origin")),
            )
            await refusal(scope, receive, send)
            return
        sent = ""
        more = True

        async def noting(message: Message) -> None:
            nonlocal sent, more
            sent, more = message["type"], message.get("more_body", False)
            await send(message)

        with anyio.CancelScope() as visit:
            self._inside.add(visit)
            if self._closed:
                visit.cancel()
            try:
                await self._app(scope, receive, noting)
            finally:
                self._inside.discard(visit)
        if not sent:
            await PlainTextResponse("the server is stopping", 503)(scope, receive, send)
        elif sent == "http.response.start" or more:
            await send({"type": "http.response.body", "body": b""})

    def close(self) -> None:
        """End every request that is under way, and those that still come."""
        self._closed = True
        for visit in self._inside:
            visit.cancel()


def web_app(
    server: CodeActServer, app: App, checks: TransportSecuritySettings, transport: Literal["http", "sse"]
) -> RequestGate:
    """The ASGI application: both transports for `http`, SSE alone for `sse`."""
    sse = SseServerTransport("/messages/", security_settings=checks, max_request_body_size=MAX_BODY_BYTES)

    async def serve_sse(scope: Scope, receive: Receive, send: Send) -> Response:
        async with sse.connect_sse(scope, receive, send) as (read_stream, write_stream):
            await server.run(read_stream, write_stream, server.create_initialization_options())
        return Response()

    async def sse_endpoint(request: Request) -> Response:
        return await serve_sse(request.scope, request.receive, request._send)  # pyright: ignore[reportPrivateUsage]  # as the SDK does

    async def health(_: Request) -> Response:
        servers = {status.name: status.state for status in app.tools.statuses()}
        return JSONResponse({"status": "ok", "servers": servers, "workers": app.pool.workers})

    routes: list[Route | Mount] = [
        Route("/health", health),
        Route("/sse", sse_endpoint, methods=["GET"]),
        Mount("/messages/", app=sse.handle_post_message),
    ]
    if transport == "sse":
        return RequestGate(Starlette(routes=routes), checks)
    mcp = server.streamable_http_app(transport_security=checks, max_request_body_size=MAX_BODY_BYTES)
    both = Starlette(routes=[*mcp.routes, *routes], lifespan=lambda _: server.session_manager.run())
    return RequestGate(both, checks)


def _own_addresses() -> set[str]:
    found: set[str] = set()
    try:
        for family, _, _, _, address in socket.getaddrinfo(socket.gethostname(), None):
            found.add(f"[{address[0]}]" if family == socket.AF_INET6 else str(address[0]))
    except OSError as exc:
        log.warning("this machine's own addresses are not known: %s", exc)
    return found
