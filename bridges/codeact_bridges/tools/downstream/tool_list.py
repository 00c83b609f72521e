"""Lists a downstream server's tools, within bounds, as entries of the catalog."""

import logging
from collections.abc import Iterable

from mcp import Client
from mcp.types import Tool

from codeact_bridges.text import one_line
from codeact_bridges.tools.catalog.catalog import CatalogTool
from codeact_bridges.tools.catalog.schema import why_unusable

log = logging.getLogger(__name__)

MAX_PAGES = 200
MAX_TOOLS = 5_000
"""Of one server. The largest public server tried has 54."""

MAX_NAME = 128
"""Characters of a tool's name, as the protocol recommends since 2025-11-25."""

MAX_DESCRIPTION = 20_000
"""Characters of a description; the rest is cut off. The longest one seen has 9,000."""


async def list_tools(client: Client, server: str) -> tuple[CatalogTool, ...]:
    """All usable tools of the server that `client` is connected to."""
    capabilities = client.server_capabilities
    if capabilities.tools is None:
        return ()
    tools: dict[str, CatalogTool] = {}
    cursor: str | None = None
    for _ in range(MAX_PAGES):
        page = await client.list_tools(cursor=cursor)
        for tool in usable(server, page.tools[: MAX_TOOLS + 1]):
            tools.setdefault(tool.name, tool)
        cursor = page.next_cursor
        if cursor is None or len(tools) >= MAX_TOOLS:
            break
    if cursor is not None or len(tools) > MAX_TOOLS:
        log.warning("server %r has too many tools: only the first %d are used", server, min(len(tools), MAX_TOOLS))
    return tuple(tools.values())[:MAX_TOOLS]


def usable(server: str, tools: Iterable[Tool]) -> list[CatalogTool]:
    """The tools of `tools` that can be called. Logs a warning for each of the others."""
    found: list[CatalogTool] = []
    for tool in tools:
        reason = _why_unfit(tool.name) or why_unusable(tool.input_schema)
        if reason is not None:
            log.warning("server %r: hiding the tool %r: %s", server, one_line(tool.name, 80), one_line(reason, 200))
            continue
        hints = tool.annotations
        found.append(
            CatalogTool(
                server,
                tool.name,
                (tool.description or tool.title or "")[:MAX_DESCRIPTION],
                tool.input_schema,
                tool.output_schema,
                read_only=bool(hints and hints.read_only_hint),
                idempotent=bool(hints and hints.idempotent_hint),
                destructive=bool(hints and hints.destructive_hint),
                open_world=hints is None or hints.open_world_hint is not False,
            )
        )
    return found


def _why_unfit(name: str) -> str | None:
    """Why `name` cannot be shown in approval requests and to the model; None if it can."""
    if not name.strip():
        return "it has no name"
    if len(name) > MAX_NAME:
        return f"its name has more than {MAX_NAME} characters"
    return None if name.isprintable() else "its name contains invisible characters"
