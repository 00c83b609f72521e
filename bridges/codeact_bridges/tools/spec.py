"""How to reach a downstream server, and what programs get of it. Plain values; the configuration file is parsed
elsewhere."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from codeact_bridges.values import JsonValue

if TYPE_CHECKING:
    from mcp.server import Server
    from mcp.server.mcpserver import MCPServer

Start: TypeAlias = Literal["eager", "lazy"]
"""When a server is started: with us, or when somebody first asks for one of its tools."""

Era: TypeAlias = Literal["auto", "handshake"]
"""How to introduce ourselves: ask first which era the server is of, or begin with the handshake of the older one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolFilter:
    """Which of a server's tools programs get, and in which form. Patterns (`*`, `?`, `[…]`) are over the server's own
    names; `-` and `_` are the same. `offer.py` acts on it."""

    allow: tuple[str, ...] = ()
    """Where there are any, a tool must fit one of them."""
    deny: tuple[str, ...] = ()
    """A tool that fits one of them is not there, whatever else is said."""
    read_only: bool = False
    """Only tools that say of themselves that they only read."""
    rename: Mapping[str, str] = field(default_factory=dict[str, str])
    """The name that programs use, by the server's own."""
    fixed: Mapping[str, Mapping[str, JsonValue]] = field(
        default_factory=dict[str, "Mapping[str, JsonValue]"], repr=False
    )
    """By pattern, arguments that we put in and programs neither see nor choose. Not in the `repr`: some are secrets."""
    timeouts_s: Mapping[str, float] = field(default_factory=dict[str, float])
    """By pattern, how long a call may take. The first that fits counts; without one, the server's own timeout."""
    literal: bool = False
    """Text that is a Python literal is read as one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuth:
    """How we come by access to a remote server that asks for OAuth."""

    grant: Literal["authorization_code", "client_credentials"] = "authorization_code"
    """A person logs in once (`codeact-mcp login NAME`), or we are known to the authorization server ourselves."""
    client_id: str | None = None
    """Without one we register ourselves, where the authorization server lets us."""
    client_secret: str | None = field(default=None, repr=False)
    scope: str | None = None
    issuer: str | None = None
    """The authorization server that the client id and secret belong to, and are given to."""
    redirect_port: int = 0
    """Where on loopback a login comes back to. 0 takes a free port; some authorization servers want one they know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Server:
    name: str
    start: Start = "eager"
    era: Era = "auto"
    start_timeout_s: float = 20.0
    call_timeout_s: float = 30.0
    concurrent_calls: int | None = None
    """Calls under way at once, of all runs together; further ones wait their turn."""
    offer: ToolFilter = field(default_factory=ToolFilter)
    ruled: tuple[str, ...] = ()
    """Its tools that rules of the policy name, as programs call them. Here only to say so where there is no such
    tool."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StdioServer(_Server):
    """A server that we start and speak to over its stdin and stdout."""

    command: str
    args: tuple[str, ...] = field(default=(), repr=False)
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    """Added to the few variables a child gets anyway (HOME, PATH and the like; `mcp.client.stdio`)."""
    cwd: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpServer(_Server):
    """A server that runs elsewhere."""

    url: str = field(repr=False)
    """Not in the `repr`: an address can hold a secret."""
    transport: Literal["http", "sse"] = "http"
    """`http` is streamable HTTP; `sse` the older transport that the 2026-07-28 specification deprecates."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    oauth: OAuth | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryServer(_Server):
    """A server in this process, called without a wire between: for tests, and for programs that embed us."""

    server: "Server[Any] | MCPServer"


ServerSpec: TypeAlias = StdioServer | HttpServer | MemoryServer
