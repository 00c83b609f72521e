"""Request headers: which ones a program may set, and which follow a redirect. Pure."""

import re
from collections.abc import Iterable, Sequence
from typing import TypeAlias

Headers: TypeAlias = tuple[tuple[str, str], ...]

MAX_HEADERS = 100
MAX_HEADER_BYTES = 32_000
"""All names and values together. Servers take 8 to 32 kB."""

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_VALUE = re.compile(r"[\t\x20-\x7e\xa0-\xff]*")

_FRAMING = frozenset(
    ("host", "content-length", "transfer-encoding", "te", "trailer", "connection", "keep-alive", "upgrade", "expect")
)
"""The connection's own: with one of these a request could become two, or go to another host than the one checked."""
_DISGUISES = frozenset(
    (
        *("x-http-method", "x-http-method-override", "x-method-override"),
        *("x-original-url", "x-original-uri", "x-rewrite-url", "x-rewrite-uri", "x-original-host", "x-host"),
        *("forwarded", "x-real-ip"),
    )
)
"""With these a server may act on another method, path or host than the one checked, or take us for somebody else."""
_PREFIXES = ("proxy-", "x-forwarded-", "sec-", "http2-", ":")

_OURS = frozenset(("accept-encoding",))
"""Left out silently: we decompress, so we say what we can."""

_CREDENTIALS = frozenset(
    ("authorization", "cookie", "x-api-key", "api-key", "apikey", "x-auth-token", "x-access-token", "private-token")
)
_OF_THE_BODY = frozenset(("content-type", "content-encoding", "content-language", "content-location", "digest"))

DEFAULTS: Headers = (
    ("User-Agent", "codeact-mcp"),
    ("Accept", "*/*"),
    ("Accept-Encoding", "gzip, deflate"),
)


class BadHeader(ValueError):
    """A header that no request may carry. The text says why."""


def checked(headers: Iterable[tuple[str, str]]) -> Headers:
    """The headers, if a request may carry them.

    Raises:
        BadHeader: one is malformed, belongs to the connection, or is a way around the rules.
    """
    kept = tuple((name, _checked_value(name, value.strip(" \t"))) for name, value in headers if not _is_ours(name))
    if len(kept) > MAX_HEADERS or sum(len(name) + len(value) for name, value in kept) > MAX_HEADER_BYTES:
        raise BadHeader(f"more than {MAX_HEADERS} headers or {MAX_HEADER_BYTES:,} bytes of them")
    return kept


def complete(own: Headers, injected: Headers) -> Headers:
    """What is sent besides `Host` and the framing: ours win over the program's, the program's over the defaults."""
    taken = {_folded(name) for name, _ in injected}
    asked = [(name, value) for name, value in own if _folded(name) not in taken]
    taken |= {_folded(name) for name, _ in asked}
    return (*(each for each in DEFAULTS if _folded(each[0]) not in taken), *asked, *injected)


def without_credentials(headers: Headers) -> Headers:
    """What a redirect to another origin may still carry."""
    return tuple(header for header in headers if _folded(header[0]) not in _CREDENTIALS)


def without_body(headers: Headers) -> Headers:
    """What a request carries that lost its body to a redirect."""
    return tuple(header for header in headers if _folded(header[0]) not in _OF_THE_BODY)


def size_of(headers: Sequence[tuple[bytes, bytes]]) -> int:
    return sum(len(name) + len(value) for name, value in headers)


def _checked_value(name: str, value: str) -> str:
    if not _NAME.fullmatch(name):
        raise BadHeader(f"{name[:100]!a} is not the name of a header")
    folded = _folded(name)
    if folded in _FRAMING or folded in _DISGUISES or folded.startswith(_PREFIXES):
        raise BadHeader(f"the header {name} is not for programs to set")
    if not _VALUE.fullmatch(value):
        raise BadHeader(f"the value of the header {name} holds a character that headers cannot carry")
    return value


def _is_ours(name: str) -> bool:
    return _folded(name) in _OURS


def _folded(name: str) -> str:
    """Servers that turn headers into variables take an underscore for a hyphen."""
    return name.lower().replace("_", "-")
