"""Stored results as MCP resources: `result://ID`, and a slice as `result://ID?offset=N&length=N` (in characters)."""

from urllib.parse import parse_qsl, urlsplit

from mcp import MCPError, types

from codeact_bridges.runs.result_store import ResultStore

MAX_SLICE_CHARS = 500_000
"""Longest text in one response: over SSE, a client's reader accepts at most 1 MiB (measured, mcp 2.3)."""

RESOURCE_NOT_FOUND = -32002


def listed(store: ResultStore, owner: str) -> types.ListResourcesResult:
    """List the stored results of this client.

    Do not call it for an anonymous client: such clients share an owner. They can read a URI that they already hold
    (a capability URL).
    """
    return types.ListResourcesResult(
        resources=[
            types.Resource(uri=link.uri, name=link.what, mime_type=link.mime_type, size=link.size_bytes)
            for link in store.links(owner)
        ]
    )


def templates() -> types.ListResourceTemplatesResult:
    """The URI template for a slice."""
    slice_of_one = types.ResourceTemplate(
        uri_template="result://{id}{?offset,length}",
        name="stored result",
        description=f"A result that was too long to show; slices of at most {MAX_SLICE_CHARS:,} characters.",
    )
    return types.ListResourceTemplatesResult(resource_templates=[slice_of_one])


def read(store: ResultStore, owner: str, uri: str) -> types.ReadResourceResult:
    """Read a stored result, or the slice of it that `uri` names.

    Raises:
        MCPError: this client has no such result, or the slice is invalid.
    """
    try:
        parts = urlsplit(uri)
        mime_type, text = store.read(owner, f"{parts.scheme}://{parts.netloc}{parts.path}")
    except (LookupError, ValueError) as exc:
        raise MCPError(RESOURCE_NOT_FOUND, str(exc)) from exc
    query = dict(parse_qsl(parts.query))
    offset, length = _number(query, "offset", 0), _number(query, "length", MAX_SLICE_CHARS)
    piece = text[offset : offset + min(length, MAX_SLICE_CHARS)]
    whole = offset == 0 and len(piece) == len(text)
    meta = None if whole else {"codeact-mcp/slice": {"offset": offset, "length": len(piece), "total": len(text)}}
    # A part of JSON text is not JSON.
    contents = types.TextResourceContents(
        uri=uri, text=piece, mime_type=mime_type if whole else "text/plain", _meta=meta
    )
    return types.ReadResourceResult(contents=[contents])


def _number(query: dict[str, str], name: str, default: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise MCPError(types.INVALID_PARAMS, f"{name} must be a number of characters, not {text[:50]!r}")
    return int(text)
