"""The end of a streamable HTTP session: its runs are stopped, their requests are answered, then the SDK ends it.

Without the first two, the SDK closes the streams of the requests that are pending at a DELETE, and their clients wait
for answers that never come.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager

import anyio
from mcp.types import INVALID_REQUEST
from mcp.types.version import MODERN_PROTOCOL_VERSIONS
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from codeact_server.protocol.client import owner_of
from codeact_server.transports.json_rpc import refusal

ANSWERED_WITHIN_S = 4.0
"""How long pending requests may take to be answered after their runs were stopped. A bridge that brings its usage up to
date takes up to 2 s of it. A client that does not read its answer loses it after this time."""


class SessionEnds:
    """The ASGI application in front of `/mcp`."""

    def __init__(self, app: ASGIApp, owner_left: Callable[[str], None]) -> None:
        self._app, self._owner_left = app, owner_left
        self._pending: dict[str, set[anyio.Event]] = {}
        """For each session, what will be set when its POST requests have been answered."""
        self._ending: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        session_id = headers.get("mcp-session-id")
        if session_id is None or headers.get("mcp-protocol-version") in MODERN_PROTOCOL_VERSIONS:
            await self._app(scope, receive, send)
        elif scope["method"] == "DELETE":
            try:
                await self._stop_runs(session_id)
                await self._app(scope, receive, send)
            finally:
                self._ending.discard(session_id)
        elif session_id in self._ending:
            gone = refusal(INVALID_REQUEST, "Session not found: its client has ended it", None)
            body = gone.model_dump_json(by_alias=True, exclude_unset=True)
            await Response(body, status_code=404, media_type="application/json")(scope, receive, send)
        elif scope["method"] == "POST":
            with self._until_answered(session_id):
                await self._app(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _stop_runs(self, session_id: str) -> None:
        """Stop the runs of a session, and wait until its requests are answered. An unknown session has none."""
        self._ending.add(session_id)
        self._owner_left(owner_of("http", session_id))
        with anyio.move_on_after(ANSWERED_WITHIN_S):
            for answered in list(self._pending.get(session_id, ())):
                await answered.wait()

    @contextmanager
    def _until_answered(self, session_id: str) -> Generator[None]:
        answered = anyio.Event()
        self._pending.setdefault(session_id, set()).add(answered)
        try:
            yield
        finally:
            answered.set()
            self._pending[session_id].discard(answered)
            if not self._pending[session_id]:
                del self._pending[session_id]
