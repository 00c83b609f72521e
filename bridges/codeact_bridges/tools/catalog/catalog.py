"""The tools that the guest may call, with their names and Python signatures. Pure and frozen.

A full name is `server.tool`. The bare tool name works if it is unique, and any character that is not a letter or a
digit may be written as an underscore, so that every tool has a name that is a Python identifier.
"""

import difflib
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property

from codeact_bridges.errors import BadArguments, UnknownTool
from codeact_bridges.names import as_identifier
from codeact_bridges.text import first_sentence, lines, one_line
from codeact_bridges.tools.catalog.argument_check import ArgumentsCheck
from codeact_bridges.tools.catalog.schema import Schema, properties
from codeact_bridges.tools.catalog.search import Entry, SearchIndex
from codeact_bridges.tools.catalog.signature import Signature, signature_of
from codeact_bridges.values import JsonValue

MAX_SUMMARY = 120
MAX_DESCRIPTION = 4_000
MAX_SHOWN_NAME = 120
MAX_NEAREST = 4
MAX_LISTED = 1_000
"""Tools in one result of `search` or `list`."""


@dataclass(frozen=True, eq=False)
class CatalogTool:
    """One tool of one downstream server."""

    server: str
    name: str
    """The name that programs use: the server's own, unless the operator renamed the tool (`tool_filter`)."""
    description: str = ""
    input_schema: Schema = field(default_factory=dict[str, JsonValue])
    output_schema: Schema | None = None
    read_only: bool = False
    idempotent: bool = False
    """As the server claims: enough to decide whether to repeat a lost call, not to trust the tool."""
    destructive: bool = False
    """Only if the server says so: the specification's default would make nearly every tool destructive."""
    open_world: bool = True
    """False only if the server says that the tool has a closed world, as a calculator does."""
    sent_as: str = ""
    """The server's own name, if it differs from `name`."""
    fixed: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue], repr=False)
    """Arguments that the operator adds to every call. They are not in `input_schema`."""
    withheld: frozenset[str] = frozenset()
    """Names of arguments that a program cannot pass: those in `fixed`, and fixed ones that the tool does not take."""
    timeout_s: float | None = None
    """Timeout of a call, if the operator set one for this tool."""
    literal: bool = False
    """Whether a text result that is a Python literal is parsed as one."""

    @property
    def full_name(self) -> str:
        """`server.tool`, as programs write it."""
        return f"{self.server}.{self.name}"

    @property
    def own_name(self) -> str:
        """The server's own name, which is sent."""
        return self.sent_as or self.name

    @cached_property
    def schema_digest(self) -> str:
        """Twelve hexadecimal digits that stand for the input schema."""
        schema = json.dumps(self.input_schema, sort_keys=True, default=repr)
        return hashlib.sha256(schema.encode(errors="replace")).hexdigest()[:12]

    @cached_property
    def signature(self) -> Signature:
        return signature_of(self.full_name, self.input_schema, self.output_schema)

    @cached_property
    def summary(self) -> str:
        """The first sentence of the description."""
        return first_sentence(self.description, MAX_SUMMARY)

    @cached_property
    def _check(self) -> ArgumentsCheck:
        return ArgumentsCheck(self.input_schema)

    def is_same_as(self, other: "CatalogTool") -> bool:
        """Whether all fields are equal."""
        return all(getattr(self, each.name) == getattr(other, each.name) for each in fields(self))

    def check(self, arguments: Mapping[str, JsonValue]) -> None:
        """Raise `BadArguments` if `arguments` do not match the schema: lists every problem, and the signature."""
        problems = [f"there is no {name!r}" for name in sorted(self.withheld & arguments.keys())]
        if problems := problems or self._check.problems(arguments):
            raise BadArguments(self.server, self.name, f"{'; '.join(problems)}. Signature: {self.signature}")


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A row in search results and lists."""

    name: str
    signature: str
    summary: str


@dataclass(frozen=True, eq=False)
class Catalog:
    """All tools of all servers. Immutable: a change makes a new catalog."""

    tools: tuple[CatalogTool, ...] = ()
    servers: tuple[str, ...] = ()
    """In the operator's order, including those without tools."""

    @staticmethod
    def of(tools_by_server: Mapping[str, Iterable[CatalogTool]]) -> "Catalog":
        """Create the catalog of these servers."""
        return Catalog(tuple(tool for tools in tools_by_server.values() for tool in tools), tuple(tools_by_server))

    def resolve(self, name: str) -> CatalogTool:
        """The tool with the name `name`. Raises `UnknownTool`, whose text suggests similar names."""
        for names in (self._full_names, self._exact_names, self._loose_names):
            found = names.get(name if names is not self._loose_names else as_identifier(name), ())
            if len(found) == 1:
                return found[0]
            if found:
                candidates = _some(found)
                raise UnknownTool(
                    "", one_line(name, MAX_SHOWN_NAME), f"several servers have a tool of this name: {candidates}"
                )
        raise UnknownTool("", one_line(name, MAX_SHOWN_NAME), self._nearest(name))

    def search(self, query: str, server: str | None = None, limit: int = 10) -> list[CatalogTool]:
        """The tools that match `query`, best first. Tools whose name equals `query` come first."""
        limit = max(0, min(limit, MAX_LISTED))
        named = self._exact_names.get(query.strip(), ()) or self._loose_names.get(as_identifier(query.strip()), ())
        # The tools of one server are selected from all matches: an index for each server would not be faster.
        ranked = (self.tools[at] for at in self._index.find(query, limit if server is None else len(self.tools)))
        wanted = dict.fromkeys(tool for tool in (*named, *ranked) if server is None or _same(tool.server, server))
        return list(wanted)[:limit]

    def of_server(self, server: str | None = None) -> list[CatalogTool]:
        """All tools, or those of one server. Raises `UnknownTool` if there is no such server."""
        if server is None:
            return list(self.tools)
        if not any(_same(known, server) for known in self.servers):
            shown = ", ".join(one_line(known, MAX_SHOWN_NAME) for known in self.servers[:20])
            raise UnknownTool(
                "", one_line(server, MAX_SHOWN_NAME), f"there is no such server; the servers are: {shown or 'none'}"
            )
        return [tool for tool in self.tools if _same(tool.server, server)]

    def describe(self, name: str, seen: str | None = None) -> str:
        """Signature, return value and description of the tool. `seen` is the shape of its results so far."""
        tool = self.resolve(name)
        parts = [str(tool.signature)]
        if tool.output_schema is None:
            parts.append(
                f"returns (seen so far): {seen}" if seen else "returns: not declared; print a result to see its shape"
            )
        if tool.description:
            parts.append(lines(tool.description, MAX_DESCRIPTION))
        return "\n\n".join(parts)

    @cached_property
    def _full_names(self) -> Mapping[str, tuple[CatalogTool, ...]]:
        return _grouped((tool.full_name, tool) for tool in self.tools)

    @cached_property
    def _exact_names(self) -> Mapping[str, tuple[CatalogTool, ...]]:
        return _grouped((tool.name, tool) for tool in self.tools)

    @cached_property
    def _loose_names(self) -> Mapping[str, tuple[CatalogTool, ...]]:
        return _grouped((as_identifier(name), tool) for tool in self.tools for name in (tool.full_name, tool.name))

    @cached_property
    def _index(self) -> SearchIndex:
        return SearchIndex(
            Entry(tool.server, tool.name, tool.description, tuple(properties(tool.input_schema))) for tool in self.tools
        )

    def _nearest(self, name: str) -> str:
        """The text for an unknown tool name: similar names, or the tools of the server with that name."""
        name = name[:MAX_SHOWN_NAME]
        if not self.tools:
            return "no server has any tools"
        own = [tool for tool in self.tools if _same(tool.server, name)]
        if own:
            more = f" (list_tools({one_line(own[0].server, MAX_SHOWN_NAME)!r}) shows all)" if own[MAX_NEAREST:] else ""
            return f"this is the name of a server; its tools: {_some(own)}{more}"
        server = named_server(name, self.servers)
        # If the server's name is right, compare only the rest: the common prefix would hide the difference.
        spellings = (
            ((as_identifier(tool.name), tool) for tool in self.tools if tool.server == server)
            if server is not None
            else ((as_identifier(name), tool) for tool in self.tools for name in (tool.full_name, tool.name))
        )
        names = dict(spellings)
        wanted = as_identifier(name[len(server) + 1 :] if server is not None else name)
        alike = difflib.get_close_matches(wanted, names, n=MAX_NEAREST, cutoff=0.65)
        near = list(dict.fromkeys(_shown(names[spelled]) for spelled in alike))
        near = near or [_shown(tool) for tool in self.search(name, limit=MAX_NEAREST)]
        hint = "Call search_tools(words) to find tools"
        return (
            f"there is no such tool; did you mean {' or '.join(near)}? {hint}"
            if near
            else f"there is no such tool. {hint}"
        )


def found(tool: CatalogTool) -> SearchHit:
    """The row of `tool` in search results and lists. Its name is whole: it is what a program calls."""
    return SearchHit(tool.full_name, tool.signature.line, tool.summary)


def named_server(name: str, servers: Iterable[str]) -> str | None:
    """The server of `servers` that `name`, a server's or a tool's name, begins with; None if there is none."""
    loose = as_identifier(name)
    named = [server for server in servers if f"{loose}_".startswith(f"{as_identifier(server)}_")]
    return max(named, key=len, default=None)


def _grouped(names: Iterable[tuple[str, CatalogTool]]) -> Mapping[str, tuple[CatalogTool, ...]]:
    groups: dict[str, dict[CatalogTool, None]] = {}
    for name, tool in names:
        groups.setdefault(name, {})[tool] = None
    return {name: tuple(group) for name, group in groups.items()}


def _same(server: str, other: str) -> bool:
    return as_identifier(server) == as_identifier(other)


def _some(tools: Sequence[CatalogTool]) -> str:
    """The first few names, and the number of the others."""
    more = len(tools) - MAX_NEAREST
    return ", ".join(map(_shown, tools[:MAX_NEAREST])) + (f" and {more} more" if more > 0 else "")


def _shown(tool: CatalogTool) -> str:
    return one_line(tool.full_name, MAX_SHOWN_NAME)
