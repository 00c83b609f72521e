"""Kept results as MCP resources: `result://ID`, and a slice of one as `result://ID?offset=N&length=N` (characters)."""

from urllib.parse import parse_qsl, urlsplit

from mcp import MCPError, types

from codeact_bridges.runs.result_store import ResultStore

MAX_SLICE_CHARS = 500_000
"""Longest text in one answer: over SSE, a client's reader takes 1 MiB at most (measured, mcp 2.3)."""

RESOURCE_NOT_FOUND = -32002


def listed(kept: ResultStore, owner: str) -> types.ListResourcesResult:
    """What is kept for this client. Not for an anonymous one: who knows a name may read, nobody may look for names."""
    return types.ListResourcesResult(
        resources=[
            types.Resource(uri=uri, name=what, mime_type=mime_type, size=size)
            for uri, what, mime_type, size in kept.of(owner)
        ]
    )


def templates() -> types.ListResourceTemplatesResult:
    """How to ask for a slice."""
    slice_of_one = types.ResourceTemplate(
        uri_template="result://{id}{?offset,length}",
        name="kept result",
        description=f"A result that was too long to show; slices of at most {MAX_SLICE_CHARS:,} characters.",
    )
    return types.ListResourceTemplatesResult(resource_templates=[slice_of_one])


def read(kept: ResultStore, owner: str, uri: str) -> types.ReadResourceResult:
    """The text of a kept result, or the slice that was asked for.

    Raises:
        MCPError: there is none for this client, or the slice is not one.
    """
    try:
        parts = urlsplit(uri)
        mime_type, text = kept.read(owner, f"{parts.scheme}://{parts.netloc}{parts.path}")
    except (LookupError, ValueError) as exc:
        raise MCPError(RESOURCE_NOT_FOUND, str(exc)) from exc
    asked = dict(parse_qsl(parts.query))
    offset, length = _number(asked, "offset", 0), _number(asked, "length", MAX_SLICE_CHARS)
    piece = text[offset : offset + min(length, MAX_SLICE_CHARS)]
    whole = offset == 0 and len(piece) == len(text)
    meta = None if whole else {"codeact-mcp/slice": {"offset": offset, "length": len(piece), "total": len(text)}}
    # A part of JSON text is not JSON.
    contents = types.TextResourceContents(
        uri=uri, text=piece, mime_type=mime_type if whole else "text/plain", _meta=meta
    )
    return types.ReadResourceResult(contents=[contents])


def _number(asked: dict[str, str], name: str, default: int) -> int:
    text = asked.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise MCPError(types.INVALID_PARAMS, f"{name} is a number of characters, not {text[:50]!r}")
    return int(text)
