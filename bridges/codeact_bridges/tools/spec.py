"""The downstream servers: how each one is reached, and its settings.

Each setting of `codeact.servers.NAME` is declared here, once: its key, type, bounds and default. The dataclasses
validate nothing by themselves; pydantic validates the operator's settings against them when the configuration is
loaded.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, Field, with_config
from pydantic import JsonValue as AnyJson

from codeact_bridges.names import folded

if TYPE_CHECKING:
    from mcp.server import Server
    from mcp.server.mcpserver import MCPServer

Start: TypeAlias = Literal["eager", "lazy"]
Era: TypeAlias = Literal["auto", "handshake"]
RemoteTransport: TypeAlias = Literal["http", "sse"]

Pattern: TypeAlias = Annotated[str, Field(min_length=1, max_length=200)]
"""Matches the tool names that the server uses: `*`, `?` and `[…]` are wildcards; `-` and `_` are the same."""

Seconds: TypeAlias = Annotated[float, Field(gt=0, le=86_400)]
ToolName: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,128}$")]


def _distinct(rename: Mapping[str, str]) -> Mapping[str, str]:
    names = [folded(name) for name in rename.values()]
    if len(names) != len(set(names)):
        raise ValueError("gives two tools the same name (a hyphen and an underscore are the same)")
    return rename


def _complete(oauth: "OAuth") -> "OAuth":
    if oauth.grant == "client_credentials" and not (oauth.client_id and oauth.client_secret and oauth.issuer):
        raise ValueError("grant client_credentials needs a client_id, a client_secret and an issuer")
    if oauth.client_secret and not oauth.client_id:
        raise ValueError("a client_secret needs the client_id that it belongs to")
    return oauth


@with_config(extra="forbid")
@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSelection:
    """The tools that programs may call (`codeact.servers.NAME.tools`)."""

    allow: Annotated[tuple[Pattern, ...], Field(max_length=1_000)] = ()
    """If not empty, only tools that match one of these patterns."""

    deny: Annotated[tuple[Pattern, ...], Field(max_length=1_000)] = ()
    """No tool that matches one of these patterns. Takes precedence over `allow`."""

    read_only: bool = False
    """Only tools that the server declares read-only (`readOnlyHint`)."""


@dataclass(frozen=True, kw_only=True)
class ToolFilter:
    """Which of a server's tools programs may call, and how programs see them. `tool_filter.py` applies it."""

    tools: ToolSelection = ToolSelection()
    """The selected tools. The lists in the server's entry (Codex, Gemini) are used where `allow` is empty; a tool that
    either `deny` list matches is not available."""

    rename: Annotated[Mapping[Pattern, ToolName], Field(max_length=1_000), AfterValidator(_distinct)] = field(
        default_factory=dict[str, str]
    )
    """New names for tools, by the server's name: `{ "search_repositories_v2" = "search" }`."""

    fixed: Annotated[Mapping[Pattern, Mapping[str, AnyJson]], Field(max_length=1_000)] = field(
        default_factory=dict[str, Mapping[str, AnyJson]], repr=False
    )
    """By pattern, arguments that are added to every call and that programs neither see nor change:
    `{ "*" = { repo = "me/app" } }`. `${VAR}` and `${cmd:…}` are expanded. Not in the `repr`: some are secrets."""

    tool_timeouts_s: Annotated[Mapping[Pattern, Seconds], Field(max_length=1_000)] = field(
        default_factory=dict[str, float]
    )
    """By pattern, seconds one call may take. The first pattern that matches applies; otherwise `call_timeout_s`."""

    literal: bool = False
    """Parse text results that are Python literals (`{'id': 1}`) as values."""


@dataclass(frozen=True, kw_only=True)
class CommonSettings(ToolFilter):
    """The settings of every downstream server, local or remote."""

    start: Start = "eager"
    """`lazy`: start the server when a program first calls, searches or lists its tools."""

    era: Era = "auto"
    """How the connection begins. `auto` first finds out which protocol the server speaks. `handshake` begins with the
    older protocol's handshake: for servers that do not answer unknown requests, where `auto` costs one start
    timeout."""

    start_timeout_s: Seconds = 20.0
    """Seconds the server may take to start and list its tools. Takes precedence over Codex's `startup_timeout_sec` in
    the server's entry and over `limits.start_timeout_s`."""

    call_timeout_s: Seconds = 30.0
    """Seconds one call may take. Takes precedence over Codex's `tool_timeout_sec` in the server's entry and over
    `limits.call_timeout_s`. Other clients' `timeout` is ignored: its unit is milliseconds for some, seconds for
    others."""

    concurrent_calls: Annotated[int | None, Field(ge=1, le=10_000)] = None
    """Calls in flight at once, of all runs together; further calls wait. Without it, only each run's
    `limits.concurrent_calls` applies."""


@with_config(extra="forbid")
@dataclass(frozen=True, slots=True, kw_only=True)
class OAuth:
    """How to get access to a remote server that requires OAuth (`codeact.servers.NAME.oauth`)."""

    grant: Literal["authorization_code", "client_credentials"] = "authorization_code"
    """`authorization_code`: a person logs in once with `codeact-mcp login NAME`. `client_credentials`: we have an id
    and a secret of our own."""

    client_id: str | None = None
    """Without it, we register ourselves if the authorization server permits that."""

    client_secret: str | None = field(default=None, repr=False)
    """In `client_id` and `client_secret`, `${VAR}` and `${cmd:…}` are expanded."""

    scope: str | None = None
    """Scopes, separated by spaces. Without it, the scopes that the server requests."""

    issuer: Annotated[str | None, Field(pattern=r"^https?://\S+$")] = None
    """The address of the authorization server that issued `client_id`. The secret is sent to no other server."""

    redirect_port: Annotated[int, Field(ge=0, le=65_535)] = 0
    """The port on 127.0.0.1 to which a login redirects; 0 takes a free one. For authorization servers where
    `http://127.0.0.1:PORT/callback` was registered by hand."""


@with_config(extra="forbid")
@dataclass(frozen=True, kw_only=True)
class ServerSettings(CommonSettings):
    """All settings of one downstream server, beside its entry (`codeact.servers.NAME`)."""

    transport: RemoteTransport = "http"
    """For a remote server: streamable HTTP, or the older SSE transport that the 2026-07-28 specification deprecates.
    Takes precedence over the server's entry."""

    oauth: Annotated[OAuth, AfterValidator(_complete)] | None = None
    """For a remote server that requires OAuth."""


@dataclass(frozen=True, kw_only=True)
class _Server(CommonSettings):
    name: str

    policy_tools: tuple[str, ...] = ()
    """Tools of this server that rules of the policy name, as programs call them. Used only to report names that match
    no tool."""


@dataclass(frozen=True, kw_only=True)
class StdioServer(_Server):
    """A server that we start, and reach over its stdin and stdout."""

    command: str
    args: tuple[str, ...] = field(default=(), repr=False)

    env: Mapping[str, str] = field(default_factory=dict[str, str])
    """Added to the few variables that every child process gets (HOME, PATH and the like; `mcp.client.stdio`)."""

    cwd: Path | None = None


@dataclass(frozen=True, kw_only=True)
class HttpServer(_Server, ServerSettings):
    """A server that runs elsewhere."""

    url: str = field(repr=False)
    """Not in the `repr`: an address can hold a secret."""

    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, kw_only=True)
class MemoryServer(_Server):
    """A server in this process, called without a transport: for tests, and for programs that embed us."""

    server: "Server[Any] | MCPServer"


ServerSpec: TypeAlias = StdioServer | HttpServer | MemoryServer
