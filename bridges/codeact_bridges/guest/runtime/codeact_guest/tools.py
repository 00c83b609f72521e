"""`call_tool` and its kin."""

import sys
from collections.abc import Awaitable, Mapping

from codeact_guest import host as door
from codeact_guest import loop, program, values


def call_tool(
    name: str | None = None, arguments: Mapping[str, object] | None = None, /, *more: object, **named: object
) -> object:
    """Call a tool and wait for what it returns.

    Raises:
        ToolError: it failed, does not exist, is not allowed or was called wrongly (`.server`, `.tool`, `.reason`).
    """
    return values.from_wire(door.ask_text("tools.call", request(name, arguments, named, more)))


def call_tool_async(
    name: str | None = None, arguments: Mapping[str, object] | None = None, /, *more: object, **named: object
) -> Awaitable[object]:
    """`await` this, several at once with `asyncio.gather`. Cancelling it cancels the call."""
    return ask(request(name, arguments, named, more))


def search_tools(query: str, server: str | None = None, limit: int = 10) -> list[dict[str, str]]:
    """The tools that fit `query` best: each with `name`, `signature` and `summary`."""
    return door.ask("tools.search", query=query, server=server, limit=limit)


def describe_tool(name: str) -> str:
    """All there is to know about one tool: its signature, its description, what it returns."""
    return Text(door.ask("tools.describe", name=name))


def list_tools(server: str | None = None) -> list[dict[str, str]]:
    """Every tool there is, or every tool of one server: each with `name`, `signature` and `summary`."""
    return door.ask("tools.list", server=server)


class Text(str):
    """A text that a program may end with: the result shows it as it reads, not as a quoted string."""

    __slots__ = ()


async def ask(request: str) -> object:
    """The result of a `tools.call` request."""
    return values.from_wire(await loop.ask_async("tools.call", request))


ask.__name__ = ask.__qualname__ = "call_tool_async"  # what a warning calls a coroutine that nobody awaited


def _line() -> str:
    """The program's line that makes the call, for whoever is asked to allow it."""
    frame = sys._getframe(2)
    current = program.current_name()  # not a function of an earlier program: the host has the last one's text
    while frame is not None and frame.f_code.co_filename != current:
        frame = frame.f_back
    return "null" if frame is None else str(frame.f_lineno)


def request(
    name: str | None, arguments: Mapping[str, object] | None, named: Mapping[str, object], more: tuple[object, ...] = ()
) -> str:
    """The `tools.call` request as JSON text.

    Raises:
        TypeError: the name or an argument is not something that can be sent.
    """
    if name is None and isinstance(meant := named.get("name"), str):
        raise TypeError(f"call_tool: the tool's name comes first and has no keyword: call_tool({meant!r}, key=value)")
    if more or (isinstance(name, str) and isinstance(arguments, str)):
        raise TypeError(_too_many(name, arguments))
    if not isinstance(name, str):
        raise TypeError(f"call_tool: the tool's name is a string like 'server.tool', not {name!r}")
    if arguments is not None and not isinstance(arguments, Mapping):
        raise TypeError(f"call_tool: write call_tool({name!r}, key=value), not a {type(arguments).__name__}")
    both = {**(arguments or {}), **named}
    try:
        line = f',"line":{_line()}}}'
        return '{"tool":' + values.to_json(name) + ',"arguments":' + values.to_json(both) + line
    except values.NotJson as exc:
        raise TypeError(f"call_tool({name!r}): {exc}") from None


def _too_many(name: object, second: object) -> str:
    if isinstance(name, str) and isinstance(second, str) and second.isidentifier() and "." not in name:
        return f'call_tool: server and tool are one name: write call_tool("{name}.{second}", key=value)'
    return f"call_tool: write call_tool({name!r}, key=value): one name, and the arguments by keyword or as one dict"
