"""The MCP server and its one tool, for both protocol eras and every transport."""

import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

import anyio
from mcp import MCPError, types
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.lowlevel.server import NotificationOptions, Server
from mcp.server.models import InitializationOptions
from mcp.server.session import ServerSession
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ToolsListChanged

from codeact_bridges.approval.policy import reach
from codeact_server.app import App
from codeact_server.protocol import resources
from codeact_server.protocol.arguments import input_schema, parse
from codeact_server.protocol.call import CallAnswer, answer
from codeact_server.protocol.client import CLAUDE_RESULT_CHARS, client_of, owner_of
from codeact_server.protocol.description import (
    GuestCapabilities,
    describe_execute_code,
    instructions,
    search_hint,
)
from codeact_server.protocol.log_messages import LogLevels
from codeact_server.protocol.results import refused

log = logging.getLogger(__name__)

TOOL = "execute_code"

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""HTTP methods that change nothing on a host (RFC 9110, section 9.2.1)."""

MAX_LISTENERS = 1_000
"""Handshake connections that are remembered for one notification that the tool list has changed."""

FIRST_LIST_PATIENCE_S = 5.0
"""How long `tools/list` waits for servers whose tools are not known from an earlier run. Many clients show their model
what the first list says for a whole conversation; Codex gives up a server that is not ready after 10 s."""


END_NOTED = "codeact: the end is noted"
"""In the state of a connection whose end is told to the runs."""


class CodeActServer(Server[dict[str, Any]]):
    """The SDK's low-level server, with exact capabilities: it declares that its tools may change, and nothing more."""

    def create_initialization_options(
        self,
        notification_options: NotificationOptions | None = None,
        experimental_capabilities: dict[str, dict[str, Any]] | None = None,
        extensions: dict[str, dict[str, Any]] | None = None,
    ) -> InitializationOptions:
        options = notification_options or NotificationOptions(tools_changed=True)
        return super().create_initialization_options(options, experimental_capabilities, extensions)

    def get_capabilities(
        self,
        notification_options: NotificationOptions | None = None,
        experimental_capabilities: dict[str, dict[str, Any]] | None = None,
        extensions: dict[str, dict[str, Any]] | None = None,
        *,
        protocol_version: str | None = None,
    ) -> types.ServerCapabilities:
        found = super().get_capabilities(
            notification_options, experimental_capabilities, extensions, protocol_version=protocol_version
        )
        # The SDK declares list changes of every kind for a server with subscriptions; ours notifies about tools only.
        return found.model_copy(update={"resources": types.ResourcesCapability(subscribe=False, list_changed=False)})


@asynccontextmanager
async def open_server(app: App) -> AsyncGenerator[CodeActServer]:
    """The MCP server in front of `app`. It notifies its clients when the catalog changes."""
    bus = InMemorySubscriptionBus()
    listeners: list[tuple[ServerSession, types.Tool]] = []
    """Connections, each with what it was told."""
    changed = anyio.Event()
    levels = LogLevels()

    async def list_tools(
        ctx: ServerRequestContext[dict[str, Any]], _: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        await app.tools.wait_known(FIRST_LIST_PATIENCE_S)
        told = tool(app)
        # One-shot subscription: removed after one list_changed; listing the tools again subscribes again.
        listeners.append((ctx.session, told))
        del listeners[:-MAX_LISTENERS]
        return types.ListToolsResult(tools=[told])

    async def call_tool(ctx: ServerRequestContext[dict[str, Any]], params: types.CallToolRequestParams) -> CallAnswer:
        if params.name != TOOL:
            # The specification requires a protocol error here. Errors that a model can correct are results.
            raise MCPError(types.INVALID_PARAMS, f"Unknown tool: {params.name[:100]!r}. The only tool is {TOOL!r}")
        try:
            arguments = parse(TOOL, params.arguments or {})
        except ValueError as exc:
            return refused(str(exc))
        async with _cancelled_on_disconnect(ctx):
            return await answer(app, ctx, params, arguments, levels)
        return refused("the client disconnected")

    async def list_resources(
        ctx: ServerRequestContext[dict[str, Any]], _: types.PaginatedRequestParams | None
    ) -> types.ListResourcesResult:
        client = client_of(ctx, app.config.answer_after_s)
        return (
            types.ListResourcesResult(resources=[])
            if client.anonymous
            else resources.listed(app.service.results, client.owner)
        )

    async def list_resource_templates(
        _: ServerRequestContext[dict[str, Any]], __: types.PaginatedRequestParams | None
    ) -> types.ListResourceTemplatesResult:
        return resources.templates()

    async def read_resource(
        ctx: ServerRequestContext[dict[str, Any]], params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        return resources.read(app.service.results, client_of(ctx, app.config.answer_after_s).owner, str(params.uri))

    async def set_level(
        ctx: ServerRequestContext[dict[str, Any]], params: types.SetLevelRequestParams
    ) -> types.EmptyResult:
        levels.set_level(client_of(ctx, app.config.answer_after_s), params.level)
        return types.EmptyResult()

    async def note_its_end(ctx: ServerRequestContext[dict[str, Any]], call_next: CallNext) -> HandlerResult:
        """Middleware: when a streamable HTTP session ends, by DELETE, unused or with an error, its client has left."""
        connection = ctx.session._connection  # pyright: ignore[reportPrivateUsage]  # no other way to it
        session_id = connection.session_id
        if session_id is not None and END_NOTED not in connection.state:
            connection.state[END_NOTED] = True
            connection.exit_stack.callback(app.service.owner_left, owner_of("http", session_id))
        return await call_next(ctx)

    async def notify_clients() -> None:
        nonlocal changed
        now = tool(app)
        while True:
            await changed.wait()
            changed = anyio.Event()
            before, now = now, tool(app)
            if now != before:
                await bus.publish(ToolsListChanged())
            sessions = [session for session, told in listeners if told != now]
            listeners[:] = [each for each in listeners if each[1] == now]
            for session in sessions:
                try:
                    await session.send_tool_list_changed()
                except Exception as exc:  # noqa: BLE001  # a closed connection fails in many ways
                    log.debug("could not notify a client that the tools changed: %r", exc)

    unsubscribe: Callable[[], None] = app.tools.subscribe(lambda: changed.set())  # noqa: PLW0108  # `changed` is replaced
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(notify_clients)
            server = CodeActServer(
                "codeact-mcp",
                version=version("codeact-mcp"),
                instructions=instructions([server.name for server in app.config.servers], app.config.no_servers),
                on_list_tools=list_tools,
                on_call_tool=call_tool,
                on_list_resources=list_resources,
                on_list_resource_templates=list_resource_templates,
                on_read_resource=read_resource,
                on_subscriptions_listen=ListenHandler(bus),
            )
            # Not in the call above, where the SDK would warn the user that logging is deprecated.
            server.add_request_handler("logging/setLevel", types.SetLevelRequestParams, set_level)
            server.middleware.append(note_its_end)
            yield server
            tasks.cancel_scope.cancel()
    finally:
        unsubscribe()


def tool(app: App) -> types.Tool:
    """The one tool, described for the present catalog."""
    config = app.config
    writes = any(mount.mode == "rw" for mount in config.files) or any(
        set(rule.methods) - SAFE_METHODS for rule in config.network.rules
    )
    known, catalog = app.tools.all_known, app.tools.known_catalog
    can = reach(app.config.policy, catalog.tools, writes=writes, network=bool(config.network.rules))
    return types.Tool(
        name=TOOL,
        title="Run a Python program",
        description=describe_execute_code(
            catalog,
            GuestCapabilities.of(config.packages, config.files, config.network.rules),
            failed=app.tools.failed,
            no_servers=app.config.no_servers,
        ),
        input_schema=input_schema(app.config.limits),
        annotations=types.ToolAnnotations(
            # The hints must allow for tools that are not known.
            read_only_hint=known and can.read_only,
            destructive_hint=can.destructive,
            open_world_hint=can.open_world or not known,
        ),
        # Read by Claude Code: load the tool at once also where tools are loaded on demand, and find it by these words.
        _meta={
            "anthropic/alwaysLoad": True,
            "anthropic/searchHint": search_hint(catalog),
            "anthropic/maxResultSizeChars": CLAUDE_RESULT_CHARS,
        },
    )


@asynccontextmanager
async def _cancelled_on_disconnect(ctx: ServerRequestContext[dict[str, Any]]) -> AsyncGenerator[None]:
    """Cancel the block when a streamable HTTP client disconnects from the request.

    The SDK does so itself on stdio, on SSE and for 2026-07-28. For a handshake client it would let the run finish,
    although without an event store the client cannot fetch the result later.
    """
    request = ctx.request
    if request is None or request.scope.get("path", "").rstrip("/") != "/mcp":
        yield
        return

    async def watch(scope: anyio.CancelScope) -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        scope.cancel()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch, tasks.cancel_scope)
        yield
        tasks.cancel_scope.cancel()
