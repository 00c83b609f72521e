"""The client behind a request: the owner of its runs, what it supports, how long it waits."""

from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from mcp.server.context import ServerRequestContext
from mcp.types import ClientCapabilities
from mcp.types.version import MODERN_PROTOCOL_VERSIONS

from codeact_bridges.tools.port import ClientRequestKind


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownClient:
    """What is known of a client."""

    answer_after_s: float | None = None
    """Seconds after which to answer, a little less than its own limit for a request. None: no limit is known."""
    shown_bytes: int = 8_000
    """Bytes of printed output that its model gets; and as many of the value, and of all that was displayed."""
    reads_links: bool = False
    """Whether it reads a block that links to a resource. Where it does not, such a block can cost the whole result:
    Claude Desktop refuses it (modelcontextprotocol/modelcontextprotocol#1638), and langchain-mcp-adapters makes a file
    of it, which Chat Completions refuse (measured)."""


KNOWN_CLIENTS: dict[str, KnownClient] = {
    "claude-ai": KnownClient(answer_after_s=220),
    "claude-code": KnownClient(answer_after_s=570, shown_bytes=32_000),
    "codex-mcp-client": KnownClient(answer_after_s=280, shown_bytes=5_000),
    "copilot-cli": KnownClient(answer_after_s=165, shown_bytes=6_000),
    "gemini-cli-mcp-client": KnownClient(answer_after_s=570, shown_bytes=32_000),
    "mcp-inspector": KnownClient(shown_bytes=32_000, reads_links=True),
    "opencode": KnownClient(answer_after_s=50, shown_bytes=16_000),
    "qwen-cli-mcp-client": KnownClient(answer_after_s=280),
}
"""By the name that the client declares, to which some add `-` and the name of the server.

Seconds after which a silent request is ended: Claude Desktop about 240 (read), Codex 300, Gemini CLI 600 (read),
opencode 60, Copilot CLI 180, Qwen Code 300; Claude Code still waited after 660 (measured). Progress extends those of
opencode, Copilot CLI and, to 600, Qwen Code. Bytes of a whole result, measured: Codex shows 12,000; Copilot CLI
16,000, but only 500 of 24,000; Qwen Code 24,000, but only 2,000 of 64,000; opencode 50,000; Gemini CLI and, see
`CLAUDE_RESULT_CHARS`, Claude Code 97,000. `mcp`, the SDK's default name, tells nothing of the client.
"""

CLAUDE_RESULT_CHARS = 200_000
"""Characters of a result that Claude Code is to show its model. Without it, a result of 64,000 becomes a file and a
preview of 2,000 bytes (both measured)."""

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
    shown_bytes: int
    """See `KnownClient`."""
    reads_links: bool

    @property
    def anonymous(self) -> bool:
        return self.owner == ANONYMOUS


def client_of(ctx: ServerRequestContext[Any], answer_after_s: float) -> Client:
    """The client behind a request. `answer_after_s` applies to clients whose limit is not known."""
    capabilities = ctx.session.client_capabilities
    params = ctx.session.client_params
    known = known_client(params.client_info.name if params is not None else "")
    return Client(
        owner=_owner(ctx),
        serves=_serves(capabilities) if capabilities is not None else frozenset(),
        modern=ctx.protocol_version in MODERN_PROTOCOL_VERSIONS,
        answer_after_s=answer_after_s if known.answer_after_s is None else known.answer_after_s,
        shown_bytes=known.shown_bytes,
        reads_links=known.reads_links,
    )


def known_client(name: str) -> KnownClient:
    """Return what is known of the client that declares `name`."""
    for known, client in KNOWN_CLIENTS.items():
        if name == known or name.startswith(known + "-"):
            return client
    return KnownClient()


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
