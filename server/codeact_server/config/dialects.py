"""Downstream servers as the configuration files of other MCP clients write them.

| key | written for | its own ways |
|---|---|---|
| `mcpServers` | Claude Desktop and Code, Cursor, Windsurf, Gemini; our own files | `serverUrl`, `httpUrl`, `envFile` |
| `servers` | VS Code | `${input:…}`, which only VS Code can ask; in its `settings.json` under `mcp` |
| `context_servers` | Zed | `command` as a table; servers that an extension brings |
| `mcp_servers` | Codex | `env_vars`, `bearer_token_env_var`, timeouts |

All forms are read under all keys. A key that is not listed here belongs to the client that the file was written for
and is ignored.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from glob import escape
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar
from urllib.parse import urlsplit

from codeact_bridges.limits import Limits
from codeact_bridges.names import folded
from codeact_bridges.tools.spec import HttpServer, RemoteTransport, ServerSpec, StdioServer, ToolSelection
from codeact_server.config.command_line import MAX_NAME_LENGTH, is_ourselves, usable_name
from codeact_server.config.document import Node, written
from codeact_server.config.expansion import ExpansionContext, ExpansionError

SECTIONS = ("mcpServers", "servers", "context_servers", "mcp_servers")
"""The top-level keys that hold servers. More than one may be used."""

T = TypeVar("T")
Transport: TypeAlias = Literal["stdio"] | RemoteTransport

GivenSettings: TypeAlias = Mapping[str, Any]
"""The settings that the operator wrote for one server, by their names in `ServerSettings`: valid and expanded."""

_TRANSPORTS: dict[str, Transport] = {"stdio": "stdio", "http": "http", "streamablehttp": "http", "sse": "sse"}
_ADDRESSES = ("httpUrl", "serverUrl", "url")
_ALLOWED = ("enabled_tools", "includeTools")
_DENIED = ("disabled_tools", "excludeTools")
"""Lists of tools, by Codex and by Gemini."""
_CODEX_TIMEOUTS = {"start_timeout_s": "startup_timeout_sec", "call_timeout_s": "tool_timeout_sec"}
_MAX_ENV_FILE_BYTES = 100_000
"""An `envFile` holds a few lines. A larger file is a mistake, and would not fit into a process's environment."""


@dataclass(slots=True)
class ParsedServers:
    """The servers of a file."""

    servers: list[ServerSpec] = field(default_factory=list[ServerSpec])
    left_out: list[str] = field(default_factory=list[str])
    """Names of the servers that are not started: disabled ones, Zed's extensions, ourselves."""
    notes: list[str] = field(default_factory=list[str])


class Hidden(Mapping[str, str]):
    """Environment variables or headers. Shows their names and never their values."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)

    def __getitem__(self, key: str) -> str:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"<{', '.join(self._values)}>"


def identity(name: str) -> str:
    """What two names must differ in to be two servers: a hyphen and an underscore are the same."""
    return folded(usable_name(name))


def servers(
    root: Node, around: ExpansionContext, settings: Mapping[str, GivenSettings], limits: Limits
) -> ParsedServers:
    """Every server of the file, in its order. `settings` go by `identity`; `limits` hold the default timeouts."""
    found = ParsedServers()
    places: dict[str, Node] = {}
    for section in _sections(root):
        for name, node in section.table().items():
            name = _server_name(name, node)
            if (other := places.setdefault(identity(name), node)) is not node:
                raise node.error(f"has the same name as {written(other.key)} (a hyphen and an underscore are the same)")
            entry = _Entry(name, node, _flat(node.table()), around, found.notes)
            if (reason := entry.why_left_out()) is not None:
                found.left_out.append(name)
                if reason:
                    found.notes.append(f"{written(node.key)}: left out: {reason}")
                continue
            found.servers.append(entry.server(settings.get(identity(name), {}), limits))
    return found


def _sections(root: Node) -> Iterator[Node]:
    """The tables that hold servers."""
    top = root.table()
    yield from (top[section] for section in SECTIONS if section in top)
    # VS Code's settings.json. Other programs write other things under `mcp`.
    if "mcp" in top and isinstance(top["mcp"].value, dict) and "servers" in (inner := top["mcp"].table()):
        yield inner["servers"]


def _flat(table: dict[str, Node]) -> dict[str, Node]:
    """The entry with what Zed once wrote as `command = {path, args, env}` beside the command."""
    command = table.get("command")
    if command is None or not isinstance(command.value, dict):
        return table
    inner = command.table()
    if "path" not in inner:
        raise command.error("needs a path")
    return table | inner | {"command": inner["path"]}


def _server_name(name: str, node: Node) -> str:
    usable = usable_name(name)
    if not usable:
        raise node.error("a server's name needs a letter or a digit")
    if len(usable) > MAX_NAME_LENGTH:
        raise node.error(f"a server's name may have at most {MAX_NAME_LENGTH} characters")
    return usable


@dataclass(frozen=True, slots=True)
class _Entry:
    """One server's entry, read piece by piece."""

    name: str
    node: Node
    table: dict[str, Node]
    around: ExpansionContext
    notes: list[str]

    def why_left_out(self) -> str | None:
        """None if the server is to be used; else the reason, empty where the file itself gives it."""
        disabled, enabled = self.table.get("disabled"), self.table.get("enabled")
        if (disabled and disabled.flag()) or (enabled and not enabled.flag()):
            return ""
        command = self.table.get("command")
        if command and is_ourselves([command.text(), *(arg.text() for arg in self._list("args"))]):
            return "it is codeact-mcp itself, which would start itself for ever"
        if "settings" in self.table and not {"command", *_ADDRESSES} & self.table.keys():
            return "an extension of Zed brings it, and only Zed knows how to start it"
        return None

    def server(self, given: GivenSettings, limits: Limits) -> ServerSpec:
        """The server with the `given` settings; for what they leave open, those of its entry; else the `limits`."""
        settings = {
            "start_timeout_s": limits.start_timeout_s,
            "call_timeout_s": limits.call_timeout_s,
            **self._timeouts(given),
            **given,
            "tools": self._selection(given.get("tools", ToolSelection())),
        }
        return replace(self._reached(given), **settings)

    def _reached(self, given: GivenSettings) -> StdioServer | HttpServer:
        """The server as its entry says how to reach it, without settings."""
        transport, where = self._transport()
        if transport != "stdio":
            return HttpServer(name=self.name, url=self._url(where), transport=transport, headers=self._headers())
        for setting in ("transport", "oauth"):
            if setting in given:
                raise where.error(f"is a command, for which codeact.servers.{self.name}.{setting} cannot be set")
        if not (command := self._filled(where, self.around.command)):
            raise where.error("is empty")
        args = tuple(self._filled(arg, self.around.expand) for arg in self._list("args"))
        return StdioServer(name=self.name, command=command, args=args, env=self._env(), cwd=self._path("cwd"))

    def _timeouts(self, given: GivenSettings) -> dict[str, float]:
        """Codex's timeouts, except those that are given."""
        return {
            setting: self.table[key].seconds()
            for setting, key in _CODEX_TIMEOUTS.items()
            if key in self.table and setting not in given
        }

    def _selection(self, given: ToolSelection) -> ToolSelection:
        allow = given.allow or self._tool_names(_ALLOWED)
        return replace(given, allow=allow, deny=(*given.deny, *self._tool_names(_DENIED)))

    def _tool_names(self, keys: tuple[str, ...]) -> tuple[str, ...]:
        """The tools in these lists, as patterns that fit nothing else. Gemini may write `tool(argument)`."""
        names = (item.text().partition("(")[0].strip() for key in keys for item in self._list(key))
        return tuple(escape(name) for name in names if name)

    def _transport(self) -> tuple[Transport, Node]:
        """Which kind of server, and its command or address."""
        said = self._said_transport()
        command = self.table.get("command")
        address = next((self.table[key] for key in _ADDRESSES if key in self.table), None)
        if not command and not address:
            raise self.node.error("needs a command or a url")
        if command and address and not said:
            raise self.node.error("has both a command and a url; keep one of them")
        if said == "stdio" or not address:
            if not command:
                raise self.node.error("is of type stdio and needs a command")
            if said not in {"stdio", None}:
                raise self.node.error(f"is of type {said} and needs a url")
            return "stdio", command
        return said or self._likely_transport(address), address

    def _said_transport(self) -> Transport | None:
        node = self.table.get("type") or self.table.get("transport")
        if node is None:
            return None
        if (known := _TRANSPORTS.get(re.sub(r"[-_ ]", "", node.text().lower()))) is None:
            raise node.error("must be stdio, http (also called streamable-http) or sse")
        return known

    def _likely_transport(self, address: Node) -> Transport:
        """Gemini means SSE by `url` and says `httpUrl` for the other; elsewhere the address is the best hint."""
        if address.key[-1] == "httpUrl":
            return "http"
        is_geminis = Path(address.file).parent.name == ".gemini"
        return "sse" if is_geminis or urlsplit(self._url(address)).path.rstrip("/").endswith("/sse") else "http"

    def _url(self, node: Node) -> str:
        url = self._filled(node, self.around.expand).strip()
        try:
            parts = urlsplit(url)
            usable = parts.scheme in {"http", "https"} and parts.hostname and (parts.port is None or parts.port > 0)
        except ValueError:  # a port that is no number, an open bracket
            usable = False
        if not usable or not url.isprintable() or " " in url:
            raise node.error("must be an http:// or https:// address")
        return url

    def _headers(self) -> Hidden:
        """What the entry says outright wins over what it takes from variables."""
        headers: dict[str, str] = {}
        if bearer := self.table.get("bearer_token_env_var"):
            headers["Authorization"] = f"Bearer {self._variable(bearer)}"
        headers |= {name: self._variable(node) for name, node in self._table("env_http_headers").items()}
        for name, node in (self._table("http_headers") | self._table("headers")).items():
            headers = {other: value for other, value in headers.items() if other.lower() != name.lower()}
            headers[name] = self._filled(node, self.around.expand)
        for name, value in headers.items():
            if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name) or not re.fullmatch(r"[\t\x20-\x7e]*", value):
                place = self.node.child("headers", None).child(name, None)
                raise place.error("a header's name and value must be printable ASCII, the name without separators")
        return Hidden(headers)

    def _env(self) -> Hidden:
        """From the least particular to the most: names to pass on, the file, the entry's own values."""
        env: dict[str, str] = {}
        for item in self._list("env_vars"):
            name = (item.table().get("name", item) if isinstance(item.value, dict) else item).text()
            if name in self.around.environ:  # Codex passes on what is there and says nothing of the rest
                env[name] = self.around.environ[name]
        if file := self.table.get("envFile"):
            env |= self._env_file(file)
        for name, node in self._table("env").items():
            if not name or "=" in name or not name.isprintable():
                raise node.error("is not a name for an environment variable")
            env[name] = self._filled(node, self.around.expand)
            if re.fullmatch(r"\$[A-Z_][A-Z0-9_]*", env[name]) and env[name] == node.value:
                self.notes.append(f"{written(node.key)}: passed on as it is; write ${{VAR}} to have it expanded")
        return Hidden(env)

    def _env_file(self, node: Node) -> dict[str, str]:
        """`NAME=value` lines; comments, blank lines, `export` and quotes around a value as in a shell."""
        path = self._path("envFile")
        try:
            if path is not None and not path.exists():
                raise node.error("there is no such file")
            if path is None or not path.is_file() or path.stat().st_size > _MAX_ENV_FILE_BYTES:
                raise node.error(f"is not a file of at most {_MAX_ENV_FILE_BYTES:,} bytes")
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, ValueError) as exc:
            raise node.error("cannot be read as UTF-8 text") from exc
        env: dict[str, str] = {}
        for number, line in enumerate(lines, start=1):
            if not (text := line.strip()) or text.startswith("#"):
                continue
            known = re.fullmatch(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_.]*)\s*=\s*([^\0]*)", text)
            if known is None:
                raise node.error(f"line {number} of that file is not NAME=value")
            name, value = known.groups()
            quoted = re.fullmatch(r"""(["'])(.*)\1\s*(?:#.*)?""", value)
            env[name] = quoted.group(2) if quoted else re.sub(r"\s+#.*", "", value)
        return env

    def _filled(self, node: Node, fill: Callable[[str], T]) -> T:
        try:
            return fill(node.scalar())
        except ExpansionError as exc:
            raise node.error(str(exc)) from exc

    def _variable(self, node: Node) -> str:
        return self._filled(node, self.around.variable)

    def _path(self, key: str) -> Path | None:
        return self._filled(self.table[key], self.around.path) if key in self.table else None

    def _list(self, key: str) -> list[Node]:
        return self.table[key].items() if key in self.table else []

    def _table(self, key: str) -> dict[str, Node]:
        return self.table[key].table() if key in self.table else {}
