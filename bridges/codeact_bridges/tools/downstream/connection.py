"""One connection to a downstream server: sends calls, and notices when the tool list changes.

`server` opens and replaces it, in the task that owns the server. Calls may come from any task: a session multiplexes.
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
from codeact_bridges.tools.transports.structured_content import unsealed
from codeact_bridges.tools.transports.transport import Transport
from codeact_bridges.values import JsonValue

LISTEN_PAUSE_S = 5.0
"""Pause between the end of a subscription and the next one."""

CALL_AGAIN_PAUSE_S = 0.2
"""Pause before a call is repeated that the server answered with a state but no client requests."""

# Both, because a server of the 2026 era may answer a call with client requests.
_CallAnswer: TypeAlias = CallToolResult | InputRequiredResult
_CALL_ANSWER: Final[TypeAdapter[_CallAnswer]] = TypeAdapter(_CallAnswer)
_ReadAnswer: TypeAlias = ReadResourceResult | InputRequiredResult
_READ_ANSWER: Final[TypeAdapter[_ReadAnswer]] = TypeAdapter(_ReadAnswer)

T = TypeVar("T", bound=Result | _CallAnswer | _ReadAnswer)

_SESSION_GONE: Final = frozenset({"Session terminated", "Session not found"})
"""Messages with which a restarted HTTP server refuses a call that it has not processed (code -32600)."""


class CallLostError(Exception):
    """The connection ended before the response arrived."""

    def __init__(self, reason: str, *, unread: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.unread = unread
        """Whether it is certain that the server has not processed the call."""


class Connection:
    """The state of one connection, and calls over it."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.client: Client | None = None
        """Set when the connection is ready."""
        self.ready_since: float | None = None
        self.answered = False
        """Whether any call was answered, which shows that the server works."""
        self.closed_in_handshake = False
        """Whether the server closed the connection during the handshake."""
        self.fault: str | None = None
        """The error in the transport that ended the connection."""
        self.list_changed = anyio.Event()

    @property
    def is_over(self) -> bool:
        return self.client is None or self.transport.ended.is_set()

    async def on_message(self, message: IncomingMessage) -> None:
        """Handle a message that is not a response."""
        if isinstance(message, ToolListChangedNotification):
            self.list_changed.set()
        elif isinstance(message, LoggingMessageNotification):
            self.transport.log.write_message(
                message.params.level, message.params.logger, cast(object, message.params.data)
            )
        elif isinstance(message, Exception):
            self.fault = failure_text(message)

    async def listen(self, client: Client) -> None:
        """Subscribe to tool list changes, which servers of the 2026 era require. Older servers always notify."""
        tools = client.server_capabilities.tools
        if client.protocol_version not in MODERN_PROTOCOL_VERSIONS or tools is None or not tools.list_changed:
            return
        while True:
            with suppress(MCPError, SubscriptionLost, TimeoutError):
                async with client.listen(tools_list_changed=True) as subscription:
                    self.list_changed.set()  # changes since the list was read are not reported
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
        """Call `tool` and return its result, which may have `isError` set.

        `timeout_s` starts again after each round of client requests.

        Raises:
            CallTimedOut: no response within `timeout_s`.
            DownstreamFailed: the server responded with an error, or its client requests cannot be answered.
            CallLostError: the connection ended first.
        """
        sent = {**arguments, **tool.fixed}
        # The type lists the keys that the SDK defines; others are passed on unchanged.
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
                return unsealed(answer)
            answers, state = await forward_all(answer, tool, client_requests) or None, answer.request_state
            if answers is None:  # no client requests: the server wants the call to be repeated later
                await anyio.sleep(CALL_AGAIN_PAUSE_S)
        raise DownstreamFailed(tool.server, tool.name, f"the server sent client requests {MAX_ROUNDS} times, no result")

    async def read(self, server: str, uri: str, timeout_s: float) -> ReadResourceResult:
        """Read a resource. Raises the same errors as `call`."""
        request = ReadResourceRequest(params=ReadResourceRequestParams(uri=uri))
        answer = await self._request(request, _READ_ANSWER, server, uri, timeout_s)
        if isinstance(answer, InputRequiredResult):
            raise DownstreamFailed(server, uri, "the server sent a client request; only tool calls may have them")
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
            raise CallLostError("the connection had already ended", unread=True)
        answer: T | None = None
        try:
            # Not the session's own timeout: it starts when the request is written, and a server that does not read
            # blocks the write. Cancelling the block makes the session send `notifications/cancelled`.
            with anyio.move_on_after(timeout_s):
                # Not `call_tool`: it lists the tools implicitly, and rejects results that violate their schema.
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
            # Over HTTP the same code with another message means that one response was lost; the session goes on.
            if exc.message == "Connection closed":
                self.transport.ended.set()
            return CallLostError(failure_text(exc, self.transport.failure_detail))
        if exc.code == INVALID_REQUEST and exc.message in _SESSION_GONE:
            self.transport.ended.set()
            return CallLostError(exc.message, unread=True)
        if exc.code == HEADER_MISMATCH:
            # The tool's schema has changed since it was listed (2026-07-28, `x-mcp-header`).
            self.list_changed.set()
        return DownstreamFailed(server, name, failure_text(exc))
