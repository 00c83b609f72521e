"""Who is calling: as far as handles, permissions and sessions depend on it."""

from dataclasses import dataclass
from typing import Any

from mcp.server.context import ServerRequestContext
from mcp.types import ClientCapabilities
from mcp.types.version import MODERN_PROTOCOL_VERSIONS

from codeact_bridges.tools.port import ClientRequestKind

KNOWN_LIMITS_S: dict[str, float] = {
    "claude-ai": 220.0,
    "codex-mcp-client": 280.0,
    "gemini-cli-mcp-client": 570.0,
}
"""When to answer clients whose own limit is known, by the name they give: Claude Desktop gives up near 240 s (read),
Codex at 300 s (measured), Gemini CLI at 600 s (read). Progress extends none of them."""

ANONYMOUS = "anonymous"
"""The owner of what is begun over stateless HTTP: no client is told from another, so handles alone protect it."""


@dataclass(frozen=True, slots=True)
class Client:
    """One request's client."""

    owner: str
    serves: frozenset[ClientRequestKind]
    """What it says that it can answer."""
    modern: bool
    """It speaks 2026-07-28: no requests from us to it."""
    answer_after_s: float

    @property
    def anonymous(self) -> bool:
        return self.owner == ANONYMOUS


def client_of(ctx: ServerRequestContext[Any], answer_after_s: float) -> Client:
    """The client behind a request. `answer_after_s` holds for those not in `KNOWN_LIMITS_S`."""
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
    asks = capabilities.elicitation
    able: dict[ClientRequestKind, bool] = {
        # An empty capability means forms (2025-06-18); since 2025-11-25 it may say `url` alone.
        "form": asks is not None and (asks.form is not None or asks.url is None),
        "url": asks is not None and asks.url is not None,
        "sampling": capabilities.sampling is not None,
        "roots": capabilities.roots is not None,
    }
    return frozenset(kind for kind, is_able in able.items() if is_able)


def _owner(ctx: ServerRequestContext[Any]) -> str:
    """What no other client has: over HTTP its secret session identifier; on stdio there is but one client."""
    request = ctx.request
    if request is None:
        return "the one client"
    if request.url.path.startswith("/messages") and (session_id := request.query_params.get("session_id")):
        return f"sse session {session_id}"
    # 2026-07-28 has no sessions: what such a client writes into the header is nothing that we gave it.
    if ctx.protocol_version not in MODERN_PROTOCOL_VERSIONS and (session := request.headers.get("mcp-session-id")):
        return f"http session {session}"
    return ANONYMOUS
