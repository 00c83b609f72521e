"""Read downstream servers from the configuration files of MCP clients, each with its dialect.

| key | clients | peculiarities |
|---|---|---|
| `mcpServers` | Claude Desktop and Code, Cursor, Windsurf, Gemini; our own files | `serverUrl`, `httpUrl`, `envFile` |
| `servers` | VS Code | `${input:…}`, a prompt that only VS Code can show; in its `settings.json` under `mcp` |
| `context_servers` | Zed | `command` as a table; servers that an extension provides |
| `mcp_servers` | Codex | `env_vars`, `bearer_token_env_var`, timeouts |

Every form is accepted under every key. Other keys belong to the client that the file was written for and are ignored.
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
from codeact_server.config.document import Node, key_text
from codeact_server.config.expansion import ExpansionContext, ExpansionError

SECTIONS = ("mcpServers", "servers", "context_servers", "mcp_servers")
"""The top-level keys that contain servers. A file may use more than one."""

T = TypeVar("T")
Transport: TypeAlias = Literal["stdio"] | RemoteTransport

GivenSettings: TypeAlias = Mapping[str, Any]
"""The settings that the operator wrote for one server, by their names in `ServerSettings`; validated and expanded."""

_TRANSPORTS: dict[str, Transport] = {"stdio": "stdio", "http": "http", "streamablehttp": "http", "sse": "sse"}
_ADDRESSES = ("httpUrl", "serverUrl", "url")
_ALLOWED = ("enabled_tools", "includeTools")
_DENIED = ("disabled_tools", "excludeTools")
"""Codex's and Gemini's lists of tools."""
_CODEX_TIMEOUTS = {"start_timeout_s": "startup_timeout_sec", "call_timeout_s": "tool_timeout_sec"}
_MAX_ENV_FILE_BYTES = 100_000
"""An `envFile` has a few lines. A larger file is a mistake and would not fit into a process's environment."""


@dataclass(slots=True)
class ParsedServers:
    """The servers found in a file."""

    servers: list[ServerSpec] = field(default_factory=list[ServerSpec])
    skipped: list[str] = field(default_factory=list[str])
    """Names of the servers that are not used: disabled ones, Zed's extensions, codeact-mcp itself."""
    notes: list[str] = field(default_factory=list[str])


class Hidden(Mapping[str, str]):
    """Environment variables or headers. The `repr` shows names, never values."""

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
    """Return the form in which names of servers are compared: a hyphen and an underscore are the same."""
    return folded(usable_name(name))


def servers(
    root: Node, context: ExpansionContext, settings: Mapping[str, GivenSettings], limits: Limits
) -> ParsedServers:
    """Return every server of the file, in its order, or raise `ConfigError`.

    `settings` are keyed by `identity`; `limits` has the default timeouts.
    """
    found = ParsedServers()
    places: dict[str, Node] = {}
    for section in _sections(root):
        for name, node in section.table().items():
            name = _server_name(name, node)
            if (other := places.setdefault(identity(name), node)) is not node:
                raise node.error(
                    f"has the same name as {key_text(other.key)} (a hyphen and an underscore are the same)"
                )
            entry = _Entry(name, node, _flat(node.table()), context, found.notes)
            if (reason := entry.reason_to_skip()) is not None:
                found.skipped.append(name)
                if reason:
                    found.notes.append(f"{key_text(node.key)}: skipped: {reason}")
                continue
            found.servers.append(entry.server(settings.get(identity(name), {}), limits))
    return found


def _sections(root: Node) -> Iterator[Node]:
    """Yield the tables that contain servers."""
    top = root.table()
    yield from (top[section] for section in SECTIONS if section in top)
    # VS Code's settings.json. Other programs use `mcp` for other things.
    if "mcp" in top and isinstance(top["mcp"].value, dict) and "servers" in (inner := top["mcp"].table()):
        yield inner["servers"]


def _flat(table: dict[str, Node]) -> dict[str, Node]:
    """Return the entry with Zed's former `command = {path, args, env}` flattened."""
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
        raise node.error("a server name must contain a letter or a digit")
    if len(usable) > MAX_NAME_LENGTH:
        raise node.error(f"a server name may have at most {MAX_NAME_LENGTH} characters")
    return usable


@dataclass(frozen=True, slots=True)
class _Entry:
    """The entry of one server."""

    name: str
    node: Node
    table: dict[str, Node]
    context: ExpansionContext
    notes: list[str]

    def reason_to_skip(self) -> str | None:
        """Return why the server is not used, or None. The reason is empty if the file itself disables the server."""
        disabled, enabled = self.table.get("disabled"), self.table.get("enabled")
        if (disabled and disabled.flag()) or (enabled and not enabled.flag()):
            return ""
        command = self.table.get("command")
        if command and is_ourselves([command.text(), *(arg.text() for arg in self._list("args"))]):
            return "it is codeact-mcp itself, which would start itself endlessly"
        if "settings" in self.table and not {"command", *_ADDRESSES} & self.table.keys():
            return "a Zed extension provides it, and only Zed can start it"
        return None

    def server(self, given: GivenSettings, limits: Limits) -> ServerSpec:
        """Return the server with the `given` settings, else those of its entry, else those of `limits`."""
        settings = {
            "start_timeout_s": limits.start_timeout_s,
            "call_timeout_s": limits.call_timeout_s,
            **self._timeouts(given),
            **given,
            "tools": self._selection(given.get("tools", ToolSelection())),
        }
        return replace(self._without_settings(given), **settings)

    def _without_settings(self, given: GivenSettings) -> StdioServer | HttpServer:
        """Return the server as described by its entry, with default settings."""
        transport, where = self._transport()
        if transport != "stdio":
            return HttpServer(name=self.name, url=self._url(where), transport=transport, headers=self._headers())
        for setting in ("transport", "oauth"):
            if setting in given:
                raise where.error(
                    f"a server that is started by a command cannot have codeact.servers.{self.name}.{setting}"
                )
        if not (command := self._expanded(where, self.context.command)):
            raise where.error("is empty")
        args = tuple(self._expanded(arg, self.context.expand) for arg in self._list("args"))
        return StdioServer(name=self.name, command=command, args=args, env=self._env(), cwd=self._path("cwd"))

    def _timeouts(self, given: GivenSettings) -> dict[str, float]:
        """Return the timeouts that Codex's keys set and the operator does not."""
        return {
            setting: self.table[key].seconds()
            for setting, key in _CODEX_TIMEOUTS.items()
            if key in self.table and setting not in given
        }

    def _selection(self, given: ToolSelection) -> ToolSelection:
        allow = given.allow or self._tool_names(_ALLOWED)
        return replace(given, allow=allow, deny=(*given.deny, *self._tool_names(_DENIED)))

    def _tool_names(self, keys: tuple[str, ...]) -> tuple[str, ...]:
        """Return the tools in these lists as patterns that match only them. Gemini may write `tool(argument)`."""
        names = (item.text().partition("(")[0].strip() for key in keys for item in self._list(key))
        return tuple(escape(name) for name in names if name)

    def _transport(self) -> tuple[Transport, Node]:
        """Return the transport, and the command or the address."""
        declared = self._declared_transport()
        command = self.table.get("command")
        address = next((self.table[key] for key in _ADDRESSES if key in self.table), None)
        if not command and not address:
            raise self.node.error("needs a command or a url")
        if command and address and not declared:
            raise self.node.error("has both a command and a url; remove one of them")
        if declared == "stdio" or not address:
            if not command:
                raise self.node.error("has type stdio and needs a command")
            if declared not in {"stdio", None}:
                raise self.node.error(f"has type {declared} and needs a url")
            return "stdio", command
        return declared or self._likely_transport(address), address

    def _declared_transport(self) -> Transport | None:
        node = self.table.get("type") or self.table.get("transport")
        if node is None:
            return None
        if (known := _TRANSPORTS.get(re.sub(r"[-_ ]", "", node.text().lower()))) is None:
            raise node.error("must be stdio, http (also called streamable-http) or sse")
        return known

    def _likely_transport(self, address: Node) -> Transport:
        """Guess the transport: in Gemini's files `url` means SSE and `httpUrl` HTTP; elsewhere the path is a hint."""
        if address.key[-1] == "httpUrl":
            return "http"
        from_gemini = Path(address.file).parent.name == ".gemini"
        return "sse" if from_gemini or urlsplit(self._url(address)).path.rstrip("/").endswith("/sse") else "http"

    def _url(self, node: Node) -> str:
        url = self._expanded(node, self.context.expand).strip()
        try:
            parts = urlsplit(url)
            usable = parts.scheme in {"http", "https"} and parts.hostname and (parts.port is None or parts.port > 0)
        except ValueError:  # an invalid port or an unclosed bracket
            usable = False
        if not usable or not url.isprintable() or " " in url:
            raise node.error("must be an http:// or https:// address")
        return url

    def _headers(self) -> Hidden:
        """Return the headers. Literal values take precedence over those from environment variables."""
        headers: dict[str, str] = {}
        if bearer := self.table.get("bearer_token_env_var"):
            headers["Authorization"] = f"Bearer {self._variable(bearer)}"
        headers |= {name: self._variable(node) for name, node in self._table("env_http_headers").items()}
        for name, node in (self._table("http_headers") | self._table("headers")).items():
            headers = {other: value for other, value in headers.items() if other.lower() != name.lower()}
            headers[name] = self._expanded(node, self.context.expand)
        for name, value in headers.items():
            if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name) or not re.fullmatch(r"[\t\x20-\x7e]*", value):
                place = self.node.child("headers", None).child(name, None)
                raise place.error("header names and values must be printable ASCII, names without separators")
        return Hidden(headers)

    def _env(self) -> Hidden:
        """Return the environment: variables passed on, overridden by `envFile`, overridden by `env`."""
        env: dict[str, str] = {}
        for item in self._list("env_vars"):
            name = (item.table().get("name", item) if isinstance(item.value, dict) else item).text()
            if name in self.context.environ:  # like Codex, skip silently those that are not set
                env[name] = self.context.environ[name]
        if file := self.table.get("envFile"):
            env |= self._env_file(file)
        for name, node in self._table("env").items():
            if not name or "=" in name or not name.isprintable():
                raise node.error("is not a valid name of an environment variable")
            env[name] = self._expanded(node, self.context.expand)
            if re.fullmatch(r"\$[A-Z_][A-Z0-9_]*", env[name]) and env[name] == node.value:
                self.notes.append(f"{key_text(node.key)}: not expanded; write ${{VAR}} for an environment variable")
        return Hidden(env)

    def _env_file(self, node: Node) -> dict[str, str]:
        """Read `NAME=value` lines, with comments, blank lines, `export` and quoted values as in a shell."""
        path = self._path("envFile")
        try:
            if path is not None and not path.exists():
                raise node.error("the file does not exist")
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
                raise node.error(f"line {number} of the file is not NAME=value")
            name, value = known.groups()
            quoted = re.fullmatch(r"""(["'])(.*)\1\s*(?:#.*)?""", value)
            env[name] = quoted.group(2) if quoted else re.sub(r"\s+#.*", "", value)
        return env

    def _expanded(self, node: Node, expand: Callable[[str], T]) -> T:
        try:
            return expand(node.scalar())
        except ExpansionError as exc:
            raise node.error(str(exc)) from exc

    def _variable(self, node: Node) -> str:
        return self._expanded(node, self.context.variable)

    def _path(self, key: str) -> Path | None:
        return self._expanded(self.table[key], self.context.path) if key in self.table else None

    def _list(self, key: str) -> list[Node]:
        return self.table[key].items() if key in self.table else []

    def _table(self, key: str) -> dict[str, Node]:
        return self.table[key].table() if key in self.table else {}
