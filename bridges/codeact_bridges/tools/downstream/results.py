"""Turns the result of a downstream tool into the value that the program gets. Pure.

The value is exact: structured content as it is; else one text, read as JSON if that loses nothing, or as a Python
literal if the operator says that the server writes such; else the text; several parts as several values. A result that
JSON cannot carry (NaN, an unpaired surrogate) or that is too large is an error, never a changed value.
"""

import base64
import json
import re
from collections.abc import Callable, Sequence
from typing import Final, cast

from mcp.types import (
    AudioContent,
    BlobResourceContents,
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    ReadResourceResult,
    ResourceLink,
    TextContent,
    TextResourceContents,
)
from pydantic_core import PydanticSerializationError, to_json

from codeact_bridges.errors import DownstreamFailed
from codeact_bridges.text import lines
from codeact_bridges.tools.catalog.catalog import CatalogTool
from codeact_bridges.tools.catalog.schema import wrapped_result
from codeact_bridges.tools.downstream.literals import MAX_CHARS, literal_or_text
from codeact_bridges.tools.transports.json_limits import has_too_many_parts
from codeact_bridges.values import Data, JsonValue, Link, Media, ToolParts, ToolValue

DEFAULT_LIMIT_BYTES = 16_000_000
MAX_ERROR = 4_000
"""Characters of a server's own error message that reach the program."""

MAX_LITERALS = MAX_CHARS
"""Bytes of all texts of one result that are read as Python literals; so many take half a second."""

_STRICT_JSON = json.JSONEncoder(allow_nan=False, ensure_ascii=False, separators=(",", ":"))
_LAX_JSON = json.JSONEncoder(ensure_ascii=False)


def unwrap(tool: CatalogTool, result: CallToolResult, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> ToolValue:
    """Return the value of `result`. Raises `DownstreamFailed` if it is an error, or cannot be passed on unchanged."""
    if result.is_error:
        raise DownstreamFailed(tool.server, tool.name, _error_text(result))
    try:
        value, size = _value_and_size(tool, result, limit_bytes)
    except ValueError as exc:
        raise DownstreamFailed(tool.server, tool.name, f"the result cannot be read: {_why(exc)}") from exc
    if size > limit_bytes:
        reason = f"the result has {size:,} bytes, more than the {limit_bytes:,} allowed; ask for less of it"
        raise DownstreamFailed(tool.server, tool.name, reason)
    return value


def _value_and_size(tool: CatalogTool, result: CallToolResult, limit_bytes: int) -> tuple[ToolValue, int]:
    structured = cast(JsonValue, result.structured_content)
    if structured is None and "structured_content" not in result.model_fields_set:
        return _from_content(tool, result.content, limit_bytes)
    if wrapped_result(tool.output_schema) is not None:
        structured = _unwrapped(structured)
    try:
        encoded = _encoded(structured)
    except (ValueError, RecursionError) as exc:
        # Text, if the server sent both, still has exactly what the server meant.
        if any(isinstance(part, TextContent) for part in result.content):
            return _from_content(tool, result.content, limit_bytes)
        raise ValueError(f"JSON cannot carry it: {_why(exc)}") from exc
    data, size = Data(structured, encoded.decode()), len(encoded)
    media = [_part(tool.server, part, _as_it_is) for part in result.content if not isinstance(part, TextContent)]
    if not media:
        return data, size
    # Pictures are not part of the structured content, and may be what the tool was called for.
    return ToolParts((data, *(value for value, _ in media))), size + sum(size for _, size in media)


def _encoded(value: JsonValue) -> bytes:
    """Encode `value` as JSON. This is the only time that it is encoded: the reply to the guest carries the text.

    Raises:
        ValueError: JSON cannot carry the value.
    """
    try:
        encoded = to_json(value, inf_nan_mode="constants")
    except PydanticSerializationError:  # an unpaired surrogate, which the next line names, or over 255 levels
        _STRICT_JSON.encode(value).encode()
        raise ValueError("too many levels of nesting") from None
    if b"NaN" in encoded or b"Infinity" in encoded:  # as a number, or inside a string
        _STRICT_JSON.encode(value)
    return encoded


def _unwrapped(value: JsonValue) -> JsonValue:
    return value["result"] if isinstance(value, dict) and value.keys() == {"result"} else value


def _from_content(tool: CatalogTool, content: Sequence[ContentBlock], limit_bytes: int) -> tuple[ToolValue, int]:
    # Before anything is parsed: texts that are too large are refused, and parsing them could take many seconds.
    size = sum(_size(part.text) for part in content if isinstance(part, TextContent))
    read = _as_it_is if size > limit_bytes else _literal if tool.literal and size <= MAX_LITERALS else json_or_text
    return _as_one([_part(tool.server, part, read) for part in content])


def _as_it_is(text: str) -> JsonValue:
    return text


def _literal(text: str) -> JsonValue:
    value = json_or_text(text)
    return literal_or_text(text) if value == text else value


def _as_one(parts: Sequence[tuple[Data | Media | Link, int]]) -> tuple[ToolValue, int]:
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return Data(None), 0
    return ToolParts(tuple(value for value, _ in parts)), sum(size for _, size in parts)


def _part(server: str, part: ContentBlock, read: Callable[[str], JsonValue]) -> tuple[Data | Media | Link, int]:
    match part:
        case TextContent(text=text):
            return Data(read(text)), _size(text)
        case ImageContent(data=data, mime_type=mime):
            return Media("image", mime, _base64(data)), len(data)
        case AudioContent(data=data, mime_type=mime):
            return Media("audio", mime, _base64(data)), len(data)
        case ResourceLink():
            return Link(str(part.uri), part.name, part.mime_type, server), _size(part.name)
        case EmbeddedResource():
            return _resource(part.resource)


def unwrap_resource(
    server: str, uri: str, result: ReadResourceResult, limit_bytes: int = DEFAULT_LIMIT_BYTES
) -> ToolValue:
    """Return the content of the resource `uri`. Raises `DownstreamFailed` if it cannot be passed on unchanged."""
    try:
        value, size = _as_one([_resource(inner) for inner in result.contents])
    except ValueError as exc:
        raise DownstreamFailed(server, uri, f"the resource cannot be read: {_why(exc)}") from exc
    if size > limit_bytes:
        reason = f"the resource has {size:,} bytes, more than the {limit_bytes:,} allowed"
        raise DownstreamFailed(server, uri, reason)
    return value


def _resource(inner: TextResourceContents | BlobResourceContents) -> tuple[Media, int]:
    if isinstance(inner, BlobResourceContents):
        mime = inner.mime_type or "application/octet-stream"
        return Media("resource", mime, _base64(inner.blob), str(inner.uri)), len(inner.blob)
    data = base64.b64encode(inner.text.encode(errors="replace")).decode()
    return Media("resource", inner.mime_type or "text/plain", data, str(inner.uri)), len(data)


def _base64(data: str) -> str:
    """Return `data`. Raises ValueError if it is not base64, so that the program never gets it."""
    base64.b64decode(data, validate=True)
    return data


def json_or_text(text: str) -> JsonValue:
    """Return `text` read as JSON if that loses nothing, else `text`.

    These stay text: NaN and Infinity, numbers too large for a float or too long to parse, an object with a key twice,
    an unpaired surrogate, more values than a message may have, and a bare number that Python would write differently
    (`3.10`), which is more often a version or a code than an amount.
    """
    stripped = text.strip()
    if not stripped or stripped[0] not in '{["-0123456789tfn':
        return text
    if has_too_many_parts(stripped):
        return text
    # A hook in Python for each of a million numbers takes a second: used only if a number may be too large for a float.
    reader = _JSON_READER_OF_LARGE if _MAY_BE_LARGE.search(stripped) else _JSON_READER
    try:
        value = cast(JsonValue, reader.decode(stripped))
        if "\\ud" in stripped or "\\uD" in stripped:
            _STRICT_JSON.encode(value).encode()
    except (ValueError, RecursionError):
        return text
    if isinstance(value, int | float) and not isinstance(value, bool) and json.dumps(value) != stripped:
        return text
    return value


def _only_once(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key occurs twice")
    return found


def _finite(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise ValueError("too large for a float")
    return value


def _no_constant(name: str) -> JsonValue:
    raise ValueError(f"{name} is not JSON")


_JSON_READER = json.JSONDecoder(object_pairs_hook=_only_once, parse_constant=_no_constant)
_JSON_READER_OF_LARGE = json.JSONDecoder(object_pairs_hook=_only_once, parse_float=_finite, parse_constant=_no_constant)
# Without either a number is less than 1e100 * 1e99. From the start of the digits: else each digit starts a search.
_MAY_BE_LARGE: Final = re.compile(r"[0-9][eE]\+?[0-9]{3}|(?<![0-9])[0-9]{100}")


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode(errors="replace"))


def _why(exc: Exception) -> str:
    match exc:
        case UnicodeEncodeError():
            return "an unpaired surrogate"
        case RecursionError():
            return "too many levels of nesting"
        case _:
            return str(exc)


def _error_text(result: CallToolResult) -> str:
    texts = [part.text for part in result.content if isinstance(part, TextContent)]
    if not texts and result.structured_content is not None:
        texts = [_beginning(cast(object, result.structured_content), 2 * MAX_ERROR)]
    return lines("\n".join(texts), MAX_ERROR) or "the tool failed and gave no reason"


def _beginning(value: object, limit: int) -> str:
    """Return the first `limit` characters of `value` as JSON. No more than that is encoded."""
    written: list[str] = []
    left = limit
    try:
        for piece in _LAX_JSON.iterencode(value):
            written.append(piece[:left])
            left -= len(piece)
            if left <= 0:
                break
    except (ValueError, TypeError, RecursionError):
        written.append("…")
    return "".join(written)
