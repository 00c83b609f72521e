"""One connection to a downstream server, from the first attempt to its end: sends calls over it, and hears when its
tools change.

`downstream` opens it, in the one task that may, and replaces it. Calls come from any task: a session multiplexes.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Final, TypeAlias, TypeVar, cast

import anyio
from mcp import Client, MCPError
from mcp.client import IncomingMessage
from mcp.client.subscriptions import SubscriptionLost
from mcp.types import (
    CONNECTION_CLOSED,
    HEADER_MISMATCH,
    INVALID_REQUEST,
    CallToolRequest,
    CallToolRequestParams,
    CallToolResult,
    InputRequiredResult,
    InputResponses,
    LoggingMessageNotification,
    ReadResourceRequest,
    ReadResourceRequestParams,
    ReadResourceResult,
    RequestParamsMeta,
    Result,
    ToolListChangedNotification,
)
from mcp.types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import TypeAdapter, ValidationError

from codeact_bridges.errors import CallTimedOut, DownstreamFailed
from codeact_bridges.tools.catalog.catalog import CatalogTool
from codeact_bridges.tools.downstream.elicitation import MAX_ROUNDS, capabilities_of, forward_all
from codeact_bridges.tools.downstream.failure_text import failure_text
from codeact_bridges.tools.port import ClientRequests, Progress
from codeact_bridges.tools.transports.streams import CAPABILITIES_KEY
from codeact_bridges.tools.transports.transport import Transport
from codeact_bridges.values import JsonValue

LISTEN_PAUSE_S = 5.0
"""Between the end of a subscription and the next."""

CALL_AGAIN_PAUSE_S = 0.2
"""Before a call is made again that asked for nothing but that."""

# Both, because a server of the 2026 era may ask back in place of answering.
_CallAnswer: TypeAlias = CallToolResult | InputRequiredResult
_CALL_ANSWER: Final[TypeAdapter[_CallAnswer]] = TypeAdapter(_CallAnswer)
_ReadAnswer: TypeAlias = ReadResourceResult | InputRequiredResult
_READ_ANSWER: Final[TypeAdapter[_ReadAnswer]] = TypeAdapter(_ReadAnswer)

T = TypeVar("T", bound=Result | _CallAnswer | _ReadAnswer)

_SESSION_GONE: Final = frozenset({"Session terminated", "Session not found"})
"""How a restarted HTTP server refuses a call, unread (code -32600)."""


class CallLostError(Exception):
    """The connection ended before the answer came."""

    def __init__(self, reason: str, *, unread: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.unread = unread
        """Whether the server certainly has not acted on the call."""


class Connection:
    """What is known of one connection, and the way to call over it."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.client: Client | None = None
        """Set when it is ready."""
        self.ready_since: float | None = None
        self.answered = False
        """Whether a call was ever answered: proof that the server works."""
        self.closed_in_handshake = False
        """Whether the server closed it while we were still introducing ourselves."""
        self.fault: str | None = None
        """What the transport found wrong, where it ends for that."""
        self.list_changed = anyio.Event()

    @property
    def is_over(self) -> bool:
        return self.client is None or self.transport.ended.is_set()

    async def on_message(self, message: IncomingMessage) -> None:
        """What the server sends unasked."""
        if isinstance(message, ToolListChangedNotification):
            self.list_changed.set()
        elif isinstance(message, LoggingMessageNotification):
            self.transport.log.write_message(
                message.params.level, message.params.logger, cast(object, message.params.data)
            )
        elif isinstance(message, Exception):
            self.fault = failure_text(message)

    async def listen(self, client: Client) -> None:
        """Hear of changes from a server of the 2026 era, which must be asked to tell them. Others tell them anyway."""
        tools = client.server_capabilities.tools
        if client.protocol_version not in MODERN_PROTOCOL_VERSIONS or tools is None or not tools.list_changed:
            return
        while True:
            with suppress(MCPError, SubscriptionLost, TimeoutError):
                async with client.listen(tools_list_changed=True) as subscription:
                    self.list_changed.set()  # nobody says what we missed since the list was read
                    async for _ in subscription:
                        self.list_changed.set()
            await anyio.sleep(LISTEN_PAUSE_S)

    async def call(
        self,
        tool: CatalogTool,
        arguments: Mapping[str, JsonValue],
        timeout_s: float,
        on_progress: Progress | None = None,
        client_requests: ClientRequests | None = None,
    ) -> CallToolResult:
        """Call `tool`. Raises `CallTimedOut`, `DownstreamFailed`, or `CallLostError`; an `isError` result is a
        result. Each time the server asks something, `timeout_s` begins anew with the answer."""
        sent = {**arguments, **tool.fixed}
        # Typed for what the SDK knows; what stands under other keys is passed on as it is.
        meta = (
            cast(RequestParamsMeta, {CAPABILITIES_KEY: capabilities_of(client_requests)})
            if client_requests and client_requests.serves
            else None
        )
        answers: InputResponses | None = None
        state: str | None = None
        for _ in range(MAX_ROUNDS):
            params = CallToolRequestParams(
                name=tool.own_name, arguments=sent, input_responses=answers, request_state=state, _meta=meta
            )
            answer = await self._request(
                CallToolRequest(params=params), _CALL_ANSWER, tool.server, tool.name, timeout_s, on_progress
            )
            if isinstance(answer, CallToolResult):
                return answer
            answers, state = await forward_all(answer, tool, client_requests) or None, answer.request_state
            if answers is None:  # nothing to ask: it wants to be called again, later
                await anyio.sleep(CALL_AGAIN_PAUSE_S)
        raise DownstreamFailed(tool.server, tool.name, f"it asked {MAX_ROUNDS} times and gave no result")

    async def read(self, server: str, uri: str, timeout_s: float) -> ReadResourceResult:
        """Read a resource. Raises as `call` does."""
        request = ReadResourceRequest(params=ReadResourceRequestParams(uri=uri))
        answer = await self._request(request, _READ_ANSWER, server, uri, timeout_s)
        if isinstance(answer, InputRequiredResult):
            raise DownstreamFailed(server, uri, "it asks the client a question, which cannot be passed on")
        return answer

    async def _request(
        self,
        request: CallToolRequest | ReadResourceRequest,
        form: TypeAdapter[T],
        server: str,
        name: str,
        timeout_s: float,
        on_progress: Progress | None = None,
    ) -> T:
        client = self.client
        if client is None or self.transport.ended.is_set():
            raise CallLostError("it had ended before", unread=True)
        answer: T | None = None
        try:
            # Not the session's own timeout: that one starts when the request is written, and a deaf server never lets
            # it be. Leaving the block by cancellation makes the session send `notifications/cancelled`.
            with anyio.move_on_after(timeout_s):
                # Not `call_tool`: it lists the tools behind our back, and throws away what does not fit its schema.
                answer = await client.session.send_request(request, form, progress_callback=on_progress)
        except MCPError as exc:
            raise self._translated(exc, server, name) from exc
        except ValidationError as exc:
            raise DownstreamFailed(server, name, failure_text(exc)) from exc
        except (OSError, anyio.ClosedResourceError, anyio.BrokenResourceError) as exc:
            self.transport.ended.set()
            raise CallLostError(failure_text(exc)) from exc
        if answer is None:
            raise CallTimedOut(server, name, f"no answer within {timeout_s:g} s; the call was cancelled")
        self.answered = True
        return answer

    def _translated(self, exc: MCPError, server: str, name: str) -> Exception:
        if exc.code == CONNECTION_CLOSED:
            # Over HTTP one answer may be lost with this code and another message; the session goes on.
            if exc.message == "Connection closed":
                self.transport.ended.set()
            return CallLostError(failure_text(exc, self.transport.failure_detail))
        if exc.code == INVALID_REQUEST and exc.message in _SESSION_GONE:
            self.transport.ended.set()
            return CallLostError(exc.message, unread=True)
        if exc.code == HEADER_MISMATCH:
            # It refused the call because its schema has changed since we listed it (2026-07-28, `x-mcp-header`).
            self.list_changed.set()
        return DownstreamFailed(server, name, failure_text(exc))
