"""What `execute_code` says of itself: all that a model reads before its first program. Pure.

At most 2,000 bytes whether there are no tools or two thousand: the language first, then each server on a line, then as
many signatures as fit.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from codeact_bridges.files.mounts import Mount
from codeact_bridges.network.rules import HostRule
from codeact_bridges.text import cut, one_line
from codeact_bridges.tools.catalog.catalog import Catalog, CatalogTool

MAX_BYTES = 2_000
"""About 500 tokens, paid in every conversation by every client, used or not."""

MAX_POWERS = 140
"""Characters for packages, for folders and for hosts, each."""

MAX_SERVER_LINES = 12
MAX_NAME = 40
MAX_SERVER_LINE = 110

_HOW = """\
Run a Python program in a sandbox that calls the tools of other MCP servers. Use it in place of many tool calls: \
loop, filter, join and sum in the program, return only what is needed. If one call's whole answer is what you want to \
read, a one-line program does.

- call_tool("server.tool", arg=value) returns data (JSON comes parsed, prose as str) or raises ToolError.
- Concurrently: await asyncio.gather(*[call_tool_async("server.tool", id=i) for i in ids])
- You get the value of the last expression and what was printed. Keep both small.
- A failure shows the traceback, the output so far and the calls made.
- Each run starts fresh. """

_FIND = """\
In the program, search_tools("words") finds tools, describe_tool("server.tool") shows arguments and what comes back, \
list_tools("server") lists. Look up what is not shown here before you call it: print it in one program, write the \
next."""

_ALL_SHOWN = (
    'In the program, describe_tool("server.tool") tells more, search_tools("words") and list_tools() find tools.'
)

_NONE = "No tools are connected at the moment. In the program, list_tools() shows those that have come since."

_NOT_STARTED = (
    'In the program, list_tools("name") shows the tools of these servers, which tell them when they are asked: '
)
"""Servers that start when they are first used, and those that are not ready."""

_FAILED = 'Failed, so their tools are missing (list_tools("name") tells why): '


@dataclass(frozen=True, slots=True)
class GuestCapabilities:
    """What programs are lent besides tools."""

    packages: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    """As `/data (ro)`."""
    hosts: tuple[str, ...] = ()
    """As `api.github.com (GET, HEAD)`."""

    @classmethod
    def of(cls, packages: Iterable[str], mounts: Iterable[Mount], rules: Iterable[HostRule]) -> "GuestCapabilities":
        hosts = dict.fromkeys(f"{rule.host} ({', '.join(rule.methods)})" for rule in rules)
        return cls(tuple(packages), tuple(mount.rule for mount in mounts), tuple(hosts))

    def sentence(self) -> str:
        """All of it in a bounded line."""
        library = ", ".join(["Standard library", *self.packages]) if self.packages else "Standard library only"
        files = f"files under {', '.join(self.folders)}" if self.folders else "no files"
        network = f"http_request(method, url) to {', '.join(self.hosts)}" if self.hosts else "no network"
        return "; ".join(cut(one_line(part, 1_000), MAX_POWERS) for part in (library, files, network)) + "."


NOTHING_LENT = GuestCapabilities()


def describe_execute_code(
    catalog: Catalog,
    powers: GuestCapabilities = NOTHING_LENT,
    max_bytes: int = MAX_BYTES,
    *,
    failed: Collection[str] = (),
) -> str:
    """The description of `execute_code` for this catalog: never more than `max_bytes` bytes of UTF-8.

    `failed` are the servers that have no tools because they failed (`Tools.failed`). Why is not said: the reason holds
    what they wrote to stderr, and changes with each attempt.
    """
    how = _HOW + powers.sentence()
    silent = _silent_servers(catalog, failed)
    if not catalog.tools:
        return _fitting([how, "\n".join(silent) or _NONE], max_bytes)
    head = "\n".join([how, "", _ALL_SHOWN, *silent, "", "Tools:"])
    shown = _as_many_as_fit(catalog.tools, max_bytes - _size(head))
    if len(shown) == len(catalog.tools):
        return "\n".join([head, *shown])
    head = "\n".join([how, "", _FIND, "", *_server_lines(catalog, failed)])
    shown = _as_many_as_fit(_one_of_each_server(catalog), max_bytes - _size(head) - len("\n\nFor example:"))
    return _fitting([head, "\n".join(["For example:", *shown])] if shown else [head], max_bytes)


def _silent_servers(catalog: Catalog, failed: Collection[str]) -> list[str]:
    """Lines that name the servers of which no tool is known: those that failed, and the others."""
    speaking = {tool.server for tool in catalog.tools}
    silent = [server for server in catalog.servers if server not in speaking]
    groups = {
        _FAILED: [server for server in silent if server in failed],
        _NOT_STARTED: [server for server in silent if server not in failed],
    }
    return [
        cut(what + ", ".join(one_line(server, MAX_NAME) for server in servers), 2 * MAX_SERVER_LINE)
        for what, servers in groups.items()
        if servers
    ]


def _server_lines(catalog: Catalog, failed: Collection[str]) -> list[str]:
    """A line for each server: how many tools, and some names to tell what it is about."""
    names: dict[str, list[str]] = {server: [] for server in catalog.servers}
    for tool in catalog.tools:
        names.setdefault(tool.server, []).append(tool.name)
    shown = dict(list(names.items())[:MAX_SERVER_LINES])
    missing = [one_line(server, MAX_NAME) for server in list(names)[MAX_SERVER_LINES:] if server in failed]
    # The more servers, the less is said of each.
    width = MAX_SERVER_LINE if len(shown) <= 5 else MAX_SERVER_LINE // 2
    lines = [_server_line(server, tools, width, failed=server in failed) for server, tools in shown.items()]
    if rest := len(names) - len(shown):
        lines.append(f"- and {rest} more servers: list_tools() tells")
    if missing:
        lines.append(cut(f"- failed among them: {', '.join(missing)}", MAX_SERVER_LINE))
    return ["Servers:", *lines]


def _server_line(server: str, tools: list[str], width: int, *, failed: bool) -> str:
    if not tools:
        state = "failed, so its tools are missing" if failed else "not asked yet"
        return f"- {one_line(server, MAX_NAME)}: {state}"
    line = f"- {one_line(server, MAX_NAME)} ({len(tools)}):"
    for at, tool in enumerate(tools):
        more = f" {one_line(tool, MAX_NAME)}{',' if at < len(tools) - 1 else ''}"
        if len(line) + len(more) > width:
            return f"{line} ..."
        line += more
    return line


def _one_of_each_server(catalog: Catalog) -> list[CatalogTool]:
    """The tools in turns, one of each server, so that the first ones show the most."""
    by_server: dict[str, list[CatalogTool]] = {}
    for tool in catalog.tools:
        by_server.setdefault(tool.server, []).append(tool)
    turns = max(map(len, by_server.values()))
    wanted = range(min(turns, MAX_SERVER_LINES))
    return [tools[turn] for turn in wanted for tools in by_server.values() if turn < len(tools)]


def _as_many_as_fit(tools: Sequence[CatalogTool], max_bytes: int) -> list[str]:
    shown: list[str] = []
    for tool in tools:
        line = tool.signature.line
        if (max_bytes := max_bytes - _size(line) - 1) < 0:
            break
        shown.append(line)
    return shown


def _fitting(parts: list[str], max_bytes: int) -> str:
    text = "\n\n".join(parts)
    while _size(text) > max_bytes:
        text = cut(text, len(text) - max(1, (_size(text) - max_bytes) // 4))
    return text


def _size(text: str) -> int:
    return len(text.encode())
