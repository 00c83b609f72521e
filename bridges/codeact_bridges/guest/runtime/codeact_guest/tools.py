"""`call_tool`, `call_tool_async` and the functions that look tools up."""

import sys
from collections.abc import Awaitable, Mapping

from codeact_guest import host, loop, program, values


def call_tool(
    name: str | None = None, arguments: Mapping[str, object] | None = None, /, *more: object, **named: object
) -> object:
    """Call a tool and wait for its result.

    Raises:
        ToolError: the tool failed, does not exist, is not allowed or got wrong arguments (`.server`, `.tool`,
            `.reason`).
    """
    return values.from_wire(host.call_text("tools.call", request(name, arguments, named, more)))


def call_tool_async(
    name: str | None = None, arguments: Mapping[str, object] | None = None, /, *more: object, **named: object
) -> Awaitable[object]:
    """Like `call_tool`, awaited: several concurrently with `asyncio.gather`. Cancelling it cancels the call."""
    return send(request(name, arguments, named, more))


def search_tools(query: str, server: str | None = None, limit: int = 10) -> list[dict[str, str]]:
    """Return the tools that match `query` best, each with `name`, `signature` and `summary`."""
    return host.call("tools.search", query=query, server=server, limit=limit)


def describe_tool(name: str) -> str:
    """Describe one tool: its signature, its description, the shape of its results."""
    return Text(host.call("tools.describe", name=name))


def list_tools(server: str | None = None) -> list[dict[str, str]]:
    """Return all tools, or all tools of one server, each with `name`, `signature` and `summary`."""
    return host.call("tools.list", server=server)


class Text(str):
    """A text that is shown unquoted if it is the program's result."""

    __slots__ = ()


async def send(request: str) -> object:
    """Send a `tools.call` request and return its result."""
    return values.from_wire(await loop.call_async("tools.call", request))


send.__name__ = send.__qualname__ = "call_tool_async"  # the name in the warning about a coroutine never awaited


def _line() -> str:
    """The program's line that makes the call, for the person who approves it."""
    frame = sys._getframe(2)
    current = program.current_name()  # no function of an earlier program: the host has only the last program's text
    while frame is not None and frame.f_code.co_filename != current:
        frame = frame.f_back
    return "null" if frame is None else str(frame.f_lineno)


def request(
    name: str | None, arguments: Mapping[str, object] | None, named: Mapping[str, object], more: tuple[object, ...] = ()
) -> str:
    """Return the `tools.call` request as JSON text.

    Raises:
        TypeError: the name or an argument cannot be sent.
    """
    if name is None and isinstance(meant := named.get("name"), str):
        raise TypeError(
            f"call_tool: pass the tool's name first, without a keyword: write call_tool({meant!r}, key=value)"
        )
    if more or (isinstance(name, str) and isinstance(arguments, str)):
        raise TypeError(_too_many(name, arguments))
    if not isinstance(name, str):
        raise TypeError(f"call_tool: the tool's name must be a string like 'server.tool', not {name!r}")
    if arguments is not None and not isinstance(arguments, Mapping):
        raise TypeError(
            f"call_tool: arguments must be keywords or one dict, not {type(arguments).__name__}: "
            f"write call_tool({name!r}, key=value)"
        )
    both = {**(arguments or {}), **named}
    try:
        line = f',"line":{_line()}}}'
        return '{"tool":' + values.to_json(name) + ',"arguments":' + values.to_json(both) + line
    except values.NotJson as exc:
        raise TypeError(f"call_tool({name!r}): {exc}") from None


def _too_many(name: object, second: object) -> str:
    if isinstance(name, str) and isinstance(second, str) and second.isidentifier() and "." not in name:
        return f'call_tool: server and tool form one name: write call_tool("{name}.{second}", key=value)'
    return f"call_tool: pass one name, then keywords or one dict: write call_tool({name!r}, key=value)"
