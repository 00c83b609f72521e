"""One connection to a downstream server, as a target for `mcp.Client`: stdio, streamable HTTP, SSE, or a server in this
process.

The streams are wrapped (`streams`): that reports the end of the connection, which a session does not expose, repairs
invalid tool lists, and keeps structured content from the session.
"""

import sys
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import anyio
import httpx2
from mcp.client.streamable_http import streamable_http_client
from mcp.server import Server
from mcp.server.mcpserver import MCPServer
from mcp.shared.message import SessionMessage
from mcp.types import JSONRPCResponse

from codeact_bridges.tools.spec import HttpServer, MemoryServer, ServerSpec, StdioServer
from codeact_bridges.tools.transports.http import HttpClient, http_client
from codeact_bridges.tools.transports.json_limits import MAX_MESSAGE_BYTES
from codeact_bridges.tools.transports.mcp_streams import TransportStreams
from codeact_bridges.tools.transports.server_log import ServerLog
from codeact_bridges.tools.transports.sse import sse_streams
from codeact_bridges.tools.transports.streams import DeclaringWriteStream, WatchedReadStream
from codeact_bridges.tools.transports.structured_content import sealed
from codeact_bridges.tools.transports.tool_list_repair import with_valid_tools

if sys.platform == "win32":
    from codeact_bridges.tools.transports.stdio_windows import ServerProcess
else:
    from codeact_bridges.tools.transports.stdio import ServerProcess


class Transport:
    """One attempt to connect to a server. `target` is for `mcp.Client`; the rest is the state of the attempt."""

    def __init__(self, spec: ServerSpec, server_log: ServerLog, auth: httpx2.Auth | None = None) -> None:
        self.log = server_log
        self._spec = spec
        self._auth = auth
        self._process: ServerProcess | None = None
        self._client: HttpClient | None = None
        self.ended = anyio.Event()
        """Set when the connection has ended, was found dead by a call, or is to be closed."""
        self.protocol: str | None = None
        """The negotiated protocol version; None before."""
        self.target: AbstractAsyncContextManager[TransportStreams] | Server[Any] | MCPServer
        match spec:
            case StdioServer():
                self._process = ServerProcess(spec, server_log)
                self.target = self._wrapped(self._process.opened())
            case HttpServer():
                self.target = self._wrapped(self._http(spec))
            case MemoryServer():
                self.target = spec.server

    @property
    def failure_detail(self) -> str | None:
        """Details of a failure that the protocol does not report: exit code and stderr, or the last HTTP error."""
        if self._process is not None:
            return self._process.failure_detail
        return self._client.last_error if self._client is not None else None

    @property
    def stderr_detail(self) -> str | None:
        """The same without the exit code: for a process that we ended ourselves."""
        return self._process.stderr_detail if self._process is not None else self.failure_detail

    @asynccontextmanager
    async def _wrapped(
        self, transport: AbstractAsyncContextManager[TransportStreams]
    ) -> AsyncGenerator[TransportStreams]:
        try:
            async with transport as (read, write):
                yield WatchedReadStream(read, self.ended.set, self._prepared), DeclaringWriteStream(write)
        finally:
            self.ended.set()

    def _prepared(self, item: SessionMessage | Exception) -> SessionMessage | Exception:
        """Prepare a message for the session."""
        if self.protocol is None or isinstance(item, Exception) or not isinstance(item.message, JSONRPCResponse):
            return item
        result = item.message.result
        if "content" in result:
            prepared = sealed(result)
        elif "tools" in result:
            prepared = with_valid_tools(self._spec.name, result, self.protocol)
        else:
            return item
        return SessionMessage(item.message.model_copy(update={"result": dict(prepared)}), item.metadata)

    @asynccontextmanager
    async def _http(self, spec: HttpServer) -> AsyncGenerator[TransportStreams]:
        async with http_client(spec, self._auth) as client:
            self._client = client
            opened = (
                sse_streams(spec.url, client)
                if spec.transport == "sse"
                else streamable_http_client(spec.url, http_client=client, max_sse_event_size=MAX_MESSAGE_BYTES)
            )
            async with opened as streams:
                yield streams
