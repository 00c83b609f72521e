"""What a model reads before its first program: the description of `execute_code`, and the server's instructions. Pure.

The description has at most 2,000 bytes, whether there are no tools or two thousand. Its first sentence names the
servers, because clients that load tools on demand show or index little more of it. If all signatures fit, they are
listed. Otherwise each server gets a line, and as many signatures as fit follow.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from codeact_bridges.files.mounts import Mount
from codeact_bridges.network.rules import HostRule
from codeact_bridges.text import cut, one_line
from codeact_bridges.tools.catalog.catalog import Catalog, CatalogTool

MAX_BYTES = 2_000
"""About 500 tokens, which every conversation of every client pays, whether the tool is used or not."""

MAX_CAPABILITY_CHARS = 140
"""Limit for each of the three lists: packages, folders, hosts."""

MAX_FIRST_SENTENCE = 150
"""Qwen Code shows the first 160 characters of a tool that it has not loaded."""

MAX_INSTRUCTIONS_NAMES = 300
"""Limit of the servers' names in the instructions, which some clients put into every prompt."""

MAX_SEARCH_HINT = 1_000
"""Limit of the words for tool searches. No client shows them to its model."""

MAX_REASON = 400
"""Limit of the reason why there are no servers. It names a file."""

MAX_SERVER_LINES = 12
MAX_NAME = 40
MAX_SERVER_LINE = 110

_HOW = """\
Use it instead of many tool calls: \
loop, filter, join and sum in the program, and return only what is needed. To read the whole result of one call, \
write a one-line program.

- call_tool("server.tool", arg=value) returns data (JSON is parsed, other text is a str) or raises ToolError.
- Concurrent calls: await asyncio.gather(*[call_tool_async("server.tool", id=i) for i in ids])
- The result is the value of the last expression and the printed output. Keep both small.
- A failure shows the traceback, the output so far and the calls made.
- Each run starts fresh. """

_SOME_SHOWN = """\
In the program, search_tools("words") finds tools, describe_tool("server.tool") shows arguments and return value, \
list_tools("server") lists tools. Look up a tool that is not shown here before you call it: print its description in \
one program, call it in the next."""

_ALL_SHOWN = (
    'In the program, describe_tool("server.tool") shows details, search_tools("words") and list_tools() find tools.'
)

_NO_SERVERS = "no MCP server is configured"

_TOOLS_UNKNOWN = 'The tools of these servers are not known yet; in the program, list_tools("name") lists them: '
"""For servers that start on first use, and those that are not ready."""

_FAILED = 'Failed, so their tools are missing (list_tools("name") shows why): '


@dataclass(frozen=True, slots=True)
class GuestCapabilities:
    """What programs can use besides tools."""

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
        """All capabilities in one line of bounded length."""
        library = ", ".join(["Standard library", *self.packages]) if self.packages else "Standard library only"
        files = f"files under {', '.join(self.folders)}" if self.folders else "no files"
        network = f"http_request(method, url) to {', '.join(self.hosts)}" if self.hosts else "no network"
        return "; ".join(cut(one_line(part, 1_000), MAX_CAPABILITY_CHARS) for part in (library, files, network)) + "."


NO_CAPABILITIES = GuestCapabilities()


def describe_execute_code(
    catalog: Catalog,
    capabilities: GuestCapabilities = NO_CAPABILITIES,
    max_bytes: int = MAX_BYTES,
    *,
    failed: Collection[str] = (),
    no_servers: str = _NO_SERVERS,
) -> str:
    """The description of `execute_code` for this catalog, in at most `max_bytes` bytes of UTF-8.

    `failed` are the servers that have no tools because they failed (`ToolsBridge.failed`). The reason is left out: it
    contains the server's stderr, and changes with each attempt.
    `no_servers` is the reason if there are none at all.
    """
    usage = f"{_first_sentence(catalog.servers, no_servers)} {_HOW}{capabilities.sentence()}"
    toolless = _lines_of_servers_without_tools(catalog, failed)
    if not catalog.tools:
        return _fitting([usage, "\n".join(toolless)] if toolless else [usage], max_bytes)
    head = "\n".join([usage, "", _ALL_SHOWN, *toolless, "", "Tools:"])
    shown = _as_many_as_fit(catalog.tools, max_bytes - _size(head))
    if len(shown) == len(catalog.tools):
        return "\n".join([head, *shown])
    head = "\n".join([usage, "", _SOME_SHOWN, "", *_server_lines(catalog, failed)])
    shown = _as_many_as_fit(_round_robin(catalog, MAX_SERVER_LINES), max_bytes - _size(head) - len("\n\nFor example:"))
    return _fitting([head, "\n".join(["For example:", *shown])] if shown else [head], max_bytes)


def instructions(servers: Sequence[str], no_servers: str = _NO_SERVERS) -> str:
    """The instructions of the whole server, which many clients put into their system prompt: what for, and how.

    `no_servers` is the reason if there are none.
    """
    if not servers:
        return f"execute_code runs a Python program in a sandbox.{_no_tools(no_servers)}"
    return (
        f"execute_code runs a Python program that calls the tools of {_servers(servers, MAX_INSTRUCTIONS_NAMES)}. "
        'Use it for every task that concerns them: call_tool("server.tool", arg=value) calls a tool, '
        'search_tools("words") finds one.'
    )


def search_hint(catalog: Catalog) -> str:
    """Words that a search for tools should find `execute_code` by: the servers' names, then those of their tools."""
    names = [*catalog.servers, *(tool.name for tool in _round_robin(catalog, MAX_SEARCH_HINT))]
    words = dict.fromkeys(word for name in names for word in _words(name))
    hint = ""
    for word in words:
        if len(hint) + len(word) + 1 > MAX_SEARCH_HINT:
            break
        hint += f" {word}"
    return hint.strip()


def _words(name: str) -> list[str]:
    """The lower-case words of a name such as `git_log`, `list-orders` or `getUser`."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", one_line(name, MAX_NAME))
    return re.findall(r"[^\W_]+", apart.lower())


def _first_sentence(servers: Sequence[str], no_servers: str) -> str:
    """What `execute_code` is for, in at most `MAX_FIRST_SENTENCE` characters. Without servers, the reason follows."""
    what = "Run a Python program in a sandbox"
    if not servers:
        return f"{what}.{_no_tools(no_servers)}"
    what += " that calls the tools of "
    return f"{what}{_servers(servers, MAX_FIRST_SENTENCE - len(what) - 1)}."


def _no_tools(reason: str) -> str:
    return f" It can call no tools, because {one_line(reason, MAX_REASON)}. Tell the user."


def _servers(servers: Sequence[str], limit: int) -> str:
    """The servers by name, as many as fit into `limit` characters: `the MCP servers orders, git and 12 more`."""
    names = [one_line(server, MAX_NAME) for server in servers]
    if len(names) == 1:
        return f"the MCP server {names[0]}"
    text = f"the MCP servers {', '.join(names[:-1])} and {names[-1]}"
    shown = min(len(names) - 1, limit // 2)
    while shown and len(text) > limit:
        text = f"the MCP servers {', '.join(names[:shown])} and {len(names) - shown} more"
        shown -= 1
    return text


def _lines_of_servers_without_tools(catalog: Catalog, failed: Collection[str]) -> list[str]:
    """One line for the servers that failed, one for those whose tools are not known yet."""
    with_tools = {tool.server for tool in catalog.tools}
    toolless = [server for server in catalog.servers if server not in with_tools]
    groups = {
        _FAILED: [server for server in toolless if server in failed],
        _TOOLS_UNKNOWN: [server for server in toolless if server not in failed],
    }
    return [
        cut(label + ", ".join(one_line(server, MAX_NAME) for server in servers), 2 * MAX_SERVER_LINE)
        for label, servers in groups.items()
        if servers
    ]


def _server_lines(catalog: Catalog, failed: Collection[str]) -> list[str]:
    """A line for each server: the number of its tools, and some names that hint at its subject."""
    names: dict[str, list[str]] = {server: [] for server in catalog.servers}
    for tool in catalog.tools:
        names.setdefault(tool.server, []).append(tool.name)
    shown = dict(list(names.items())[:MAX_SERVER_LINES])
    missing = [one_line(server, MAX_NAME) for server in list(names)[MAX_SERVER_LINES:] if server in failed]
    # With more servers, each line is shorter.
    width = MAX_SERVER_LINE if len(shown) <= 5 else MAX_SERVER_LINE // 2
    lines = [_server_line(server, tools, width, failed=server in failed) for server, tools in shown.items()]
    if rest := len(names) - len(shown):
        lines.append(f"- and {rest} more servers: list_tools() lists them")
    if missing:
        lines.append(cut(f"- failed among them: {', '.join(missing)}", MAX_SERVER_LINE))
    return ["Servers:", *lines]


def _server_line(server: str, tools: list[str], width: int, *, failed: bool) -> str:
    if not tools:
        state = "failed, so its tools are missing" if failed else "tools not known yet"
        return f"- {one_line(server, MAX_NAME)}: {state}"
    line = f"- {one_line(server, MAX_NAME)} ({len(tools)}):"
    for at, tool in enumerate(tools):
        more = f" {one_line(tool, MAX_NAME)}{',' if at < len(tools) - 1 else ''}"
        if len(line) + len(more) > width:
            return f"{line} ..."
        line += more
    return line


def _round_robin(catalog: Catalog, max_rounds: int) -> list[CatalogTool]:
    """The first tool of each server, then the second of each, and so on: the first examples show the most variety."""
    by_server: dict[str, list[CatalogTool]] = {}
    for tool in catalog.tools:
        by_server.setdefault(tool.server, []).append(tool)
    rounds = min(max(map(len, by_server.values()), default=0), max_rounds)
    return [tools[number] for number in range(rounds) for tools in by_server.values() if number < len(tools)]


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
