"""One downstream server: an owner task that connects and reconnects, and calls from any other task.

`mcp.Client` must be entered and left in the same task, so each server has an owner task (`run`). A session multiplexes,
so calls need no task of their own. A failing server affects only its callers: every wait is bounded, and every failure
has a reason.
"""

import logging
import math
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Final, Literal, TypeVar

import anyio
import anyio.to_thread
import httpx2
from mcp import Client, MCPError
from mcp.types import CallToolResult, Implementation, ReadResourceResult
from mcp.types.version import MODERN_PROTOCOL_VERSIONS

from codeact_bridges.errors import DownstreamFailed
from codeact_bridges.tools.catalog.catalog import CatalogTool
from codeact_bridges.tools.catalog.tool_filter import filtered, unmatched
from codeact_bridges.tools.credentials.oauth import Credentials, LoginNeededError
from codeact_bridges.tools.downstream.connection import CallLostError, Connection
from codeact_bridges.tools.downstream.failure_text import failure_text, is_connection_closed
from codeact_bridges.tools.downstream.health import Backoff, ServerStatus, State
from codeact_bridges.tools.downstream.tool_list import list_tools
from codeact_bridges.tools.downstream.tool_list_store import ToolListStore
from codeact_bridges.tools.port import ClientRequests, Progress
from codeact_bridges.tools.spec import HttpServer, ServerSpec
from codeact_bridges.tools.transports.server_log import ServerLog
from codeact_bridges.tools.transports.transport import Transport
from codeact_bridges.values import JsonValue

log = logging.getLogger(__name__)

CLOSE_TIMEOUT_S = 3.0
"""How long a connection may take to close. A stdio process needs at most 2.5 s (`stdio`); the rest is for remote
servers."""

STABLE_S = 10.0
"""The end of a connection that lasted this long, or answered a call, does not count as a failure."""

PATIENCE_S = 2.0
"""A call waits for the next attempt if that is due within this time and the server has worked before."""

REFRESH_PAUSE_S = 0.05
"""Debounce of list_changed notifications: servers send one for each tool that they add."""

LOG_LEVEL: Final = "info"
"""Log level requested from servers of the 2026 era; others choose themselves."""

T = TypeVar("T")

_CLIENT_INFO: Final = Implementation(name="codeact-mcp", version=version("codeact-mcp"))


class DownstreamServer:
    """A downstream server, and the connection to it."""

    def __init__(
        self,
        spec: ServerSpec,
        *,
        log_dir: Path | None = None,
        credentials: Credentials | None = None,
        tool_lists: ToolListStore | None = None,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        """Set up the server. It starts with `run`.

        Args:
            log_dir: gets a bounded file with its stderr and its log messages.
            credentials: gives access to servers that a user has signed in to.
            tool_lists: the lists of earlier processes. Without it, there are none.
            on_change: is called after each change of the state or the tools.
        """
        self.spec = spec
        self.tools: tuple[CatalogTool, ...] = ()
        """As last listed. They stay while the connection is down, so that a call can report why it fails."""
        self._tool_lists = tool_lists or ToolListStore()
        self._stored_tools = filtered(self._tool_lists.load(spec), spec)
        self._listed = False
        self.stopped = anyio.Event()
        self._log = ServerLog(log_dir / f"{re.sub(r'[^A-Za-z0-9._-]', '_', spec.name)}.log" if log_dir else None)
        self._credentials = credentials or Credentials()
        self._slots = anyio.Semaphore(spec.concurrent_calls) if spec.concurrent_calls else None
        self._calls = 0
        self._on_change = on_change
        self._state: State = "idle" if spec.start == "lazy" else "connecting"
        self._reason: str | None = None
        self._retry_at = 0.0
        self._backoff = Backoff()
        self._logged_reason: str | None = None
        """The reason that was logged last; None once the server is ready."""
        self._unmatched: tuple[str, ...] = ()
        self._era: Literal["auto", "legacy"] = "legacy" if spec.era == "handshake" else "auto"
        self._connection: Connection | None = None
        self._starting: anyio.CancelScope | None = None
        self._stopping = False
        self._start_requested = anyio.Event()
        self._changed = anyio.Event()

    @property
    def status(self) -> ServerStatus:
        failed = self._state == "failed"
        return ServerStatus(
            self.spec.name,
            self._state,
            reason=self._reason if failed else None,
            retry_in_s=max(0.0, self._retry_at - anyio.current_time()) if failed else None,
            failures=self._backoff.failures,
            tools=len(self.tools),
            protocol=self._connection.transport.protocol if self._connection else None,
            calls=self._calls,
            unmatched=self._unmatched,
        )

    @property
    def never_worked(self) -> bool:
        """Whether it has failed and none of its tools is known. True between attempts and during them."""
        return self._reason is not None and not self.tools and self._connection is None

    @property
    def known_tools(self) -> tuple[CatalogTool, ...]:
        """Its tools for a description: as an earlier process stored them, until it lists them itself or fails."""
        return self.tools if self._listed or self._reason is not None else self._stored_tools

    @property
    def is_known(self) -> bool:
        """Whether it has listed its tools, in this process or in an earlier one."""
        return self._listed or (self._reason is None and bool(self._stored_tools))

    async def known(self) -> None:
        """Wait until `known_tools` are as good as they get before a program needs the server."""
        if not self.is_known:
            await self.settled()

    async def run(self) -> None:
        """Own the connection until `stop` is called or the task is cancelled."""
        try:
            if self._state == "idle":
                await self._start_requested.wait()
            while not self._stopping:
                await self._attempt()
                if not self._stopping:
                    await self._pause()
        finally:
            self._set_state("stopped")
            await self._log.aclose()  # bounded and shielded in itself
            self.stopped.set()

    def stop(self) -> None:
        """Ask `run` to close the connection and return."""
        self._stopping = True
        self._start_requested.set()
        if self._connection is not None:
            self._connection.transport.ended.set()
        elif self._starting is not None:
            self._starting.cancel()

    async def call(
        self,
        tool: CatalogTool,
        arguments: Mapping[str, JsonValue],
        on_progress: Progress | None = None,
        client_requests: ClientRequests | None = None,
    ) -> CallToolResult:
        """Call `tool`. Returns results with `isError` as they are. Raises `CallTimedOut` or `DownstreamFailed`."""
        timeout_s = tool.timeout_s or self.spec.call_timeout_s
        return await self._send(
            tool.name,
            lambda connection: connection.call(tool, arguments, timeout_s, on_progress, client_requests),
            may_repeat=tool.read_only or tool.idempotent,
        )

    async def read(self, uri: str) -> ReadResourceResult:
        """Read the resource `uri` of this server. Raises the same errors as `call`."""
        name, timeout_s = self.spec.name, self.spec.call_timeout_s
        return await self._send(uri, lambda connection: connection.read(name, uri, timeout_s), may_repeat=True)

    async def _send(self, what: str, send: Callable[[Connection], Awaitable[T]], *, may_repeat: bool) -> T:
        """The result of `send`. Repeated once over the next connection if the first was lost and that is safe.

        It is safe if the server has not processed the request, or with `may_repeat`. `what` is for error texts.
        """
        async with self._slot():
            connection = self._connection or await self._ready(what)
            try:
                return await send(connection)
            except CallLostError as lost:
                if not (lost.unread or may_repeat):
                    reason = f"the connection was lost during the call, which may have taken effect: {lost.reason}"
                    raise DownstreamFailed(self.spec.name, what, reason) from lost
            try:
                return await send(await self._ready(what))
            except CallLostError as lost:
                reason = f"the connection was lost during the call and during its repetition: {lost.reason}"
                raise DownstreamFailed(self.spec.name, what, reason) from lost

    @asynccontextmanager
    async def _slot(self) -> AsyncGenerator[None]:
        """Hold one of the slots for concurrent calls. The wait for a slot does not count towards the call's timeout."""
        if self._slots is not None:
            await self._slots.acquire()
        self._calls += 1
        try:
            yield
        finally:
            self._calls -= 1
            if self._slots is not None:
                self._slots.release()

    def start(self) -> None:
        """Start the server if it is idle."""
        if self._state == "idle":
            self._start_requested.set()
            self._set_state("connecting")

    def retry_now(self) -> None:
        """Start the server if it is idle; try again if it has failed and its pause is over."""
        self.start()
        if self._state == "failed" and self._retry_at <= anyio.current_time():
            self._start_requested.set()
            self._set_state("connecting")

    async def settled(self) -> None:
        """Wait until the server is no longer starting: ready, failed or stopped."""
        while self._state == "connecting":
            await self._changed.wait()

    async def _ready(self, what: str) -> Connection:
        """Wait for a connection. Raises `DownstreamFailed` if there is none within the start timeout."""
        with anyio.move_on_after(self.spec.start_timeout_s):
            while True:
                if self._connection is not None and not self._connection.is_over:
                    return self._connection
                self.retry_now()
                if self._state == "stopped" or (self._state == "failed" and not self._is_retried_soon()):
                    raise DownstreamFailed(self.spec.name, what, self.why_failed())
                await self._changed.wait()
        raise DownstreamFailed(
            self.spec.name, what, f"the server is still starting after {self.spec.start_timeout_s:g} s"
        )

    def _is_retried_soon(self) -> bool:
        """Whether the failed server has worked before and its next attempt is due within `PATIENCE_S`."""
        return bool(self.tools) and self._retry_at - anyio.current_time() <= PATIENCE_S

    def why_no_tools(self) -> str | None:
        """Why none of its tools is known, as a text for the program; None if its list is known."""
        if self.never_worked:
            return self.why_failed()
        return "the server is still starting" if self._state == "connecting" and not self.tools else None

    def why_failed(self) -> str:
        """Why this server cannot be called, as a text for the program."""
        if self._state == "stopped":
            return "codeact-mcp is shutting down"
        wait_s = max(0.0, self._retry_at - anyio.current_time())
        return f"the server is not available: {self._reason}" + (
            f" (next attempt in {wait_s:.0f} s)" if wait_s >= 1 else ""
        )

    async def _attempt(self) -> None:
        """Connect, and wait until the connection ends. Sets the reason and the backoff."""
        self._set_state("connecting")
        eras: tuple[str, ...] = ("auto", "legacy") if self._era == "auto" else ("legacy",)
        reason = ""
        for era in eras:
            try:
                auth = await self._auth()
            except LoginNeededError as exc:
                self._reason, self._backoff = str(exc), self._backoff.failed()
                return
            connection = Connection(Transport(self.spec, self._log, auth))
            reason = await self._connected(connection, era)
            if connection.ready_since is not None:
                self._reason = reason
                lasted_s = anyio.current_time() - connection.ready_since
                good = connection.answered or lasted_s >= STABLE_S
                self._backoff = Backoff() if good else self._backoff.failed()
                return
            # Some servers exit at the first unknown request: retry at once, with the old handshake.
            if not connection.closed_in_handshake or self._stopping:
                break
        # Others do not answer it, and `auto` takes longer than the start timeout: alternate until one has worked.
        if self.spec.era == "auto":
            self._era = "legacy" if self._era == "auto" else "auto"
        self._reason, self._backoff = reason, self._backoff.failed()

    async def _auth(self) -> httpx2.Auth | None:
        return await self._credentials.auth(self.spec) if isinstance(self.spec, HttpServer) else None

    async def _connected(self, connection: Connection, era: str) -> str:
        """Connect by `era` and serve until the connection ends. Returns the reason of the end."""
        transport = connection.transport
        try:
            # The deadline is that of the start; below it is set to infinity, since the scope cannot be left before the
            # client.
            with anyio.move_on_after(self.spec.start_timeout_s) as scope:
                self._starting = scope
                async with Client(
                    transport.target,
                    mode=era,
                    message_handler=connection.on_message,
                    client_info=_CLIENT_INFO,
                    log_level=LOG_LEVEL,
                    cache=None,
                ) as client:
                    transport.protocol = client.protocol_version
                    tools = await self._list(client)
                    scope.deadline = math.inf
                    await self._serve(connection, client, tools)
                    scope.deadline = anyio.current_time() + CLOSE_TIMEOUT_S
        # Any error of the transport, the server or the SDK is a failure of this server; errors of calls are raised to
        # their callers.
        except Exception as exc:  # noqa: BLE001
            log.debug("server %r: %r", self.spec.name, exc)
            connection.closed_in_handshake = is_connection_closed(exc)
            detail = transport.failure_detail if connection.closed_in_handshake else transport.stderr_detail
            return connection.fault or failure_text(exc, detail)
        finally:
            self._starting = None
        if connection.ready_since is None:
            timed_out = TimeoutError(f"it was not ready within {self.spec.start_timeout_s:g} s")
            return failure_text(timed_out, transport.stderr_detail)
        detail = transport.failure_detail
        return connection.fault or f"the connection ended{f' ({detail})' if detail else ''}"

    async def _serve(self, connection: Connection, client: Client, tools: tuple[CatalogTool, ...]) -> None:
        """Let calls pass until the connection ends."""
        if client.protocol_version not in MODERN_PROTOCOL_VERSIONS:
            self._era = "legacy"  # from now on: if a server ignores unknown requests, `auto` costs 10 s
        connection.client, connection.ready_since = client, anyio.current_time()
        self._connection, self._logged_reason = connection, None
        self._update_tools(tools)
        self._set_state("ready")
        try:
            async with anyio.create_task_group() as tg:
                tg.start_soon(self._refresh_on_change, connection, client)
                tg.start_soon(connection.listen, client)
                await connection.transport.ended.wait()
                tg.cancel_scope.cancel()
        finally:
            self._connection = None
            self._set_state("connecting")

    async def _refresh_on_change(self, connection: Connection, client: Client) -> None:
        while True:
            await connection.list_changed.wait()
            await anyio.sleep(REFRESH_PAUSE_S)
            connection.list_changed = anyio.Event()
            try:
                with anyio.fail_after(self.spec.start_timeout_s):
                    tools = await self._list(client)
            except (MCPError, ValueError, OSError) as exc:
                log.warning("server %r: the changed tool list cannot be read: %s", self.spec.name, failure_text(exc))
            else:
                self._update_tools(tools)
                self._set_state("ready")

    async def _list(self, client: Client) -> tuple[CatalogTool, ...]:
        """The server's tools after the tool filter. Logs settings that match none of them, once."""
        tools = await list_tools(client, self.spec.name)
        await anyio.to_thread.run_sync(self._tool_lists.store, self.spec, tools)
        found = unmatched(tools, self.spec, self.spec.policy_tools)
        if found and found != self._unmatched:
            log.warning("server %r: settings without effect: %s", self.spec.name, "; ".join(found))
        self._unmatched = found
        return filtered(tools, self.spec)

    def _update_tools(self, tools: tuple[CatalogTool, ...]) -> None:
        """Replace `tools`, unless the new list is equal: then the catalog and what was derived from it stay."""
        if not self._listed:
            # Equal tools stay the same objects, and with them what was derived from their schemas.
            self.tools, self._listed, self._stored_tools = self._stored_tools, True, ()
        if len(tools) != len(self.tools) or not all(map(CatalogTool.is_same_as, tools, self.tools)):
            self.tools = tools

    async def _pause(self) -> None:
        """Wait for the backoff, and after too many failures until a call starts an attempt."""
        pause_s = self._backoff.pause_s
        if pause_s == 0:
            return
        self._retry_at = anyio.current_time() + pause_s
        self._start_requested = anyio.Event()
        if self._reason != self._logged_reason:
            log.warning("server %r failed: %s", self.spec.name, self._reason)
            self._logged_reason = self._reason
        self._set_state("failed")
        with anyio.move_on_after(pause_s):
            await self._start_requested.wait()
        if self._backoff.waits_for_a_call and not self._stopping:
            await self._start_requested.wait()

    def _set_state(self, state: State) -> None:
        self._state = state
        self._changed.set()
        self._changed = anyio.Event()
        self._on_change()
