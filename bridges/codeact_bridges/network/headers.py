"""Request headers: which ones a program may set, and which follow a redirect. Pure."""

import re
from collections.abc import Iterable, Sequence
from typing import TypeAlias

Headers: TypeAlias = tuple[tuple[str, str], ...]

MAX_HEADERS = 100
MAX_HEADER_BYTES = 32_000
"""All names and values together. Servers accept 8 to 32 kB."""

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_VALUE = re.compile(r"[\t\x20-\x7e\xa0-\xff]*")

_FRAMING = frozenset(
    ("host", "content-length", "transfer-encoding", "te", "trailer", "connection", "keep-alive", "upgrade", "expect")
)
"""Headers of the connection. With one of these a request could become two, or go to a host that was not checked."""
_OVERRIDES = frozenset(
    (
        *("x-http-method", "x-http-method-override", "x-method-override"),
        *("x-original-url", "x-original-uri", "x-rewrite-url", "x-rewrite-uri", "x-original-host", "x-host"),
        *("forwarded", "x-real-ip"),
    )
)
"""With these a server may use a method, path or host that was not checked, or take us for another client."""
_PREFIXES = ("proxy-", "x-forwarded-", "sec-", "http2-", ":")

_OURS = frozenset(("accept-encoding",))
"""Dropped silently: we decompress, so we name the encodings."""

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
    """A header that must not be sent. The text says why."""


def checked(headers: Iterable[tuple[str, str]], *, setter: str) -> Headers:
    """The headers, if they may be sent.

    Args:
        setter: for the error text, `programs` or `rules`.

    Raises:
        BadHeader: one is malformed, belongs to the connection, or is a way around the rules.
    """
    accepted = tuple(
        (name, _checked_value(name, value.strip(" \t"), setter)) for name, value in headers if not _is_ours(name)
    )
    if len(accepted) > MAX_HEADERS or sum(len(name) + len(value) for name, value in accepted) > MAX_HEADER_BYTES:
        raise BadHeader(f"more than {MAX_HEADERS} headers or {MAX_HEADER_BYTES:,} bytes of headers")
    return accepted


def complete(own: Headers, injected: Headers) -> Headers:
    """All headers but `Host` and the framing. Injected ones replace the program's, and the program's the defaults."""
    taken = {_folded(name) for name, _ in injected}
    from_program = [(name, value) for name, value in own if _folded(name) not in taken]
    taken |= {_folded(name) for name, _ in from_program}
    return (*(each for each in DEFAULTS if _folded(each[0]) not in taken), *from_program, *injected)


def without_credentials(headers: Headers) -> Headers:
    """The headers that may follow a redirect to another origin."""
    return tuple(header for header in headers if _folded(header[0]) not in _CREDENTIALS)


def without_body(headers: Headers) -> Headers:
    """The headers of a request whose body a redirect dropped."""
    return tuple(header for header in headers if _folded(header[0]) not in _OF_THE_BODY)


def size_of(headers: Sequence[tuple[bytes, bytes]]) -> int:
    return sum(len(name) + len(value) for name, value in headers)


def _checked_value(name: str, value: str, setter: str) -> str:
    if not _NAME.fullmatch(name):
        raise BadHeader(f"{name[:100]!a} is not a valid header name")
    folded = _folded(name)
    if folded in _FRAMING or folded in _OVERRIDES or folded.startswith(_PREFIXES):
        raise BadHeader(f"the header {name} cannot be set by {setter}")
    if not _VALUE.fullmatch(value):
        raise BadHeader(f"the value of the header {name} contains a character that headers cannot carry")
    return value


def _is_ours(name: str) -> bool:
    return _folded(name) in _OURS


def _folded(name: str) -> str:
    """Servers that turn headers into variables treat an underscore as a hyphen."""
    return name.lower().replace("_", "-")
