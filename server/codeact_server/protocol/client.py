"""The client behind a request: the owner of its runs, what it supports, how long it waits."""

from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from mcp.server.context import ServerRequestContext
from mcp.types import ClientCapabilities
from mcp.types.version import MODERN_PROTOCOL_VERSIONS

from codeact_bridges.tools.port import ClientRequestKind

KNOWN_LIMITS_S: dict[str, float] = {
    "claude-ai": 220.0,
    "codex-mcp-client": 280.0,
    "gemini-cli-mcp-client": 570.0,
}
"""Seconds after which to answer clients with a known request timeout, by client name: Claude Desktop's is near 240 s
(read), Codex's 300 s (measured), Gemini CLI's 600 s (read). Progress extends none of them."""

ANONYMOUS = "anonymous"
"""The owner of every run over stateless HTTP. Such clients cannot be told apart: only handles protect their runs."""


@dataclass(frozen=True, slots=True)
class Client:
    """The client of one request."""

    owner: str
    serves: frozenset[ClientRequestKind]
    """The kinds of client requests that it has declared as capabilities."""
    modern: bool
    """The client speaks 2026-07-28, in which a server cannot send requests to a client."""
    answer_after_s: float

    @property
    def anonymous(self) -> bool:
        return self.owner == ANONYMOUS


def client_of(ctx: ServerRequestContext[Any], answer_after_s: float) -> Client:
    """The client behind a request. `answer_after_s` applies to clients that are not in `KNOWN_LIMITS_S`."""
    capabilities = ctx.session.client_capabilities
    params = ctx.session.client_params
    name = params.client_info.name if params is not None else ""
    return Client(
        owner=_owner(ctx),
        serves=_serves(capabilities) if capabilities is not None else frozenset(),
        modern=ctx.protocol_version in MODERN_PROTOCOL_VERSIONS,
        answer_after_s=KNOWN_LIMITS_S.get(name, answer_after_s),
    )


def _serves(capabilities: ClientCapabilities) -> frozenset[ClientRequestKind]:
    elicitation = capabilities.elicitation
    supported: dict[ClientRequestKind, bool] = {
        # An empty capability means forms (2025-06-18); since 2025-11-25 it may name `url` alone.
        "form": elicitation is not None and (elicitation.form is not None or elicitation.url is None),
        "url": elicitation is not None and elicitation.url is not None,
        "sampling": capabilities.sampling is not None,
        "roots": capabilities.roots is not None,
    }
    return frozenset(kind for kind, is_supported in supported.items() if is_supported)


def owner_of(transport: Literal["http", "sse"], session_id: str) -> str:
    """The owner of all that the client of a session leaves here. The identifier is a secret that we have issued."""
    # The SDK takes an SSE session's identifier in every form that `UUID` reads.
    return f"{transport} session {UUID(session_id).hex if transport == 'sse' else session_id}"


def _owner(ctx: ServerRequestContext[Any]) -> str:
    """A name that no other client can have. Stdio has only one client."""
    request = ctx.request
    if request is None:
        return "the one client"
    if request.url.path.startswith("/messages") and (session_id := request.query_params.get("session_id")):
        return owner_of("sse", session_id)
    # 2026-07-28 has no sessions: we did not issue the value that such a client puts into this header.
    if ctx.protocol_version not in MODERN_PROTOCOL_VERSIONS and (session_id := request.headers.get("mcp-session-id")):
        return owner_of("http", session_id)
    return ANONYMOUS
