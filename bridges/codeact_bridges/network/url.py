"""URLs, parsed into canonical targets. Pure.

The target that is checked is the target that is used: the request line and the connection are made of its parts. A URL
that servers interpret differently, such as one with a backslash or a user name, is refused and not repaired.
"""

import ipaddress
import re
import unicodedata
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast
from urllib.parse import unquote_to_bytes, urljoin

Scheme: TypeAlias = Literal["http", "https"]

DEFAULT_PORTS: dict[Scheme, int] = {"http": 80, "https": 443}
MAX_URL_CHARS = 8_000
"""As servers and proxies commonly accept."""
MAX_READINGS = 32
"""Ways to read one path. A path with more is refused."""

_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_IN_PATH = _UNRESERVED | frozenset("!$&'()*+,;=:@/")
_IN_QUERY = _IN_PATH | frozenset("?[]|`{}^")
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_PERCENT = re.compile(r"%([0-9A-Fa-f]{2})")
_DOTS = re.compile(r"[. ]*\.[. ]*")


class BadUrl(ValueError):
    """A URL that no request can safely be sent to. The text says why, for the program's author."""


@dataclass(frozen=True, slots=True)
class Target:
    """The place that a request is sent to."""

    scheme: Scheme
    host: str
    """A name in its ASCII form and lower case, or an address in its one canonical spelling (IPv6 without brackets)."""
    port: int
    path: str
    """Percent-encoded only where needed, without dot segments."""
    query: str | None = None

    @property
    def origin(self) -> tuple[Scheme, str, int]:
        return self.scheme, self.host, self.port

    @property
    def authority(self) -> str:
        """The value of the `Host` header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def place(self) -> str:
        """The URL without its query, which may contain secrets."""
        return f"{self.scheme}://{self.authority}{self.path}"

    @property
    def request_target(self) -> str:
        return self.path if self.query is None else f"{self.path}?{self.query}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.request_target}"


def parse(text: str) -> Target:
    """The target of an absolute http or https URL; its fragment is dropped.

    Raises:
        BadUrl: it is not one, or servers could interpret it differently.
    """
    _check_characters(text)
    scheme, separator, rest = text.partition("://")
    if not separator or scheme.lower() not in DEFAULT_PORTS:
        raise BadUrl("a URL must begin with http:// or https://")
    scheme = cast("Scheme", scheme.lower())
    rest = rest.partition("#")[0]
    at = next((index for index, char in enumerate(rest) if char in "/?"), len(rest))
    authority, rest = rest[:at], rest[at:]
    path, has_query, query = rest.partition("?")
    host, port = _authority(authority, scheme)
    target = Target(scheme, host, port, canonical_path(path), _encoded(query, _IN_QUERY) if has_query else None)
    if len(str(target)) > 2 * MAX_URL_CHARS:
        raise BadUrl("the URL is too long")
    return target


def join(base: Target, location: str) -> Target:
    """The target of a `Location` header that came from `base`.

    Raises:
        BadUrl: as `parse`.
    """
    # Servers send spaces. urljoin resolves the location, and its result is parsed like any other URL.
    location = location.strip(" ").replace(" ", "%20")
    _check_characters(location)
    try:
        return parse(urljoin(str(base), location))
    except ValueError as exc:
        raise BadUrl(str(exc)) from exc


def canonical_host(text: str) -> str:
    """A host name or address in its canonical spelling, with which rules are compared.

    Raises:
        BadUrl: it is neither, or programs could interpret the spelling differently.
    """
    if text.startswith("[") and text.endswith("]"):
        return _ipv6(text[1:-1])
    host = (text if text.isascii() else _idna(text)).lower().removesuffix(".")
    labels = host.split(".")
    if len(host) > 253 or not all(map(_LABEL.fullmatch, labels)):
        raise BadUrl(f"{_shown(text)} is not a host name")
    if labels[-1].isdigit() or re.fullmatch(r"0x[0-9a-f]*", labels[-1]):
        try:
            return str(ipaddress.IPv4Address(host if text.isascii() else text))
        except ValueError:
            raise BadUrl(
                f"{_shown(text)}: write an IPv4 address as four decimal numbers, such as 203.0.113.7"
            ) from None
    return host


def canonical_path(text: str) -> str:
    """The canonical path, which is sent and with which rules are compared first.

    Raises:
        BadUrl: servers could interpret it differently; see `readings`.
    """
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        raise BadUrl("in the path, % must be followed by two hexadecimal digits; write %25 for the character itself")
    written = _encoded(text, _IN_PATH) or "/"
    path = _without_dot_segments(written)
    if path != written:
        # The segment that a '..' removes may itself be a '..' to some servers: '/a/..;/..'.
        readings("/".join(segment for segment in written.split("/") if segment not in (".", "..")))
    readings(path)
    return path


def readings(path: str) -> tuple[str, ...]:
    """Every path as which a server could interpret the canonical `path`, itself first.

    Servers and the proxies before them decode once or several times, merge slashes, drop `;parameters`, cut at a
    `;` or a decoded `?`, or fold look-alike characters. A path that contains '..' in any of these readings is refused.
    """
    found = {path: None}
    waiting = [path]
    while waiting:
        reading = waiting.pop()
        for other in _read_differently(reading):
            if other not in found:
                if len(found) >= MAX_READINGS:
                    raise BadUrl("the path is percent-encoded too many times")
                found[other] = None
                waiting.append(other)
    for reading in found:
        if any(ord(char) < 32 or ord(char) == 127 or char == "\\" for char in reading):
            raise BadUrl("the path contains a hidden control character or backslash")
        if any(_DOTS.fullmatch(segment) for segment in reading.split("/")):
            raise BadUrl("the path contains a hidden '..' or dot segment")
    return tuple(found)


def _read_differently(path: str) -> list[str]:
    others = [re.sub(r"/{2,}", "/", path), re.split(r"[?#]", path, maxsplit=1)[0], re.sub(r";[^/]*", "", path)]
    others.append(path.partition(";")[0])  # Apache Shiro cuts there, whatever follows
    if "%" in path:
        try:
            others.append(unquote_to_bytes(path).decode())
        except UnicodeDecodeError:
            raise BadUrl("the path's percent-encoded bytes are not UTF-8") from None
    if not path.isascii():
        others.append(unicodedata.normalize("NFKC", path))
    return others


def _check_characters(text: str) -> None:
    if len(text) > MAX_URL_CHARS:
        raise BadUrl(f"the URL is longer than {MAX_URL_CHARS:,} characters")
    if text.isascii() and text.isprintable() and " " not in text and "\\" not in text:
        return
    for char in text:
        if char.isspace() or not (char.isprintable() or ord(char) > 127):
            raise BadUrl(
                f"the URL contains {char!a}; percent-encode it (urllib.parse.quote), or pass the query as params={{…}}"
            )
        if char == "\\":
            raise BadUrl("the URL contains a backslash, which some programs read as a slash")
        if "\ud800" <= char <= "\udfff":
            raise BadUrl("the URL contains an unpaired surrogate, which UTF-8 cannot encode")


def _authority(text: str, scheme: Scheme) -> tuple[str, int]:
    if "@" in text:
        raise BadUrl("the URL contains user information (name@host); pass credentials as headers={…}")
    host, port = text, ""
    if text.startswith("["):
        host, bracket, after = text.partition("]")
        host += bracket
        if after and not after.startswith(":"):
            raise BadUrl(f"{_shown(text)} is not a host and a port")
        port = after[1:]
    elif ":" in text:
        host, _, port = text.partition(":")
    if not host:
        raise BadUrl("the URL has no host")
    if not port:
        return canonical_host(host), DEFAULT_PORTS[scheme]
    if not re.fullmatch(r"[1-9][0-9]{0,4}", port) or int(port) > 65_535:
        raise BadUrl("the URL's port is not a number from 1 to 65535")
    return canonical_host(host), int(port)


def _ipv6(text: str) -> str:
    if "%" in text:
        raise BadUrl("an IPv6 address with a zone is valid on one machine only")
    try:
        return str(ipaddress.IPv6Address(text))
    except ValueError:
        raise BadUrl(f"{_shown(text)} is not an IPv6 address") from None


def _idna(text: str) -> str:
    import idna  # takes 5 ms, for such names only

    try:
        # IDNA 2008 without the UTS 46 mapping: a full-width or styled letter is an error, not mapped to its look-alike.
        return idna.encode(unicodedata.normalize("NFC", text.lower())).decode()
    except (idna.IDNAError, UnicodeError):
        raise BadUrl(f"{_shown(text)} is not an internationalised host name") from None


def _encoded(text: str, literal: frozenset[str]) -> str:
    """`text` with all characters outside `literal` percent-encoded, and needless encodings decoded."""
    parts: list[str] = []
    for index, piece in enumerate(_PERCENT.split(text)):
        if index % 2:
            char = chr(int(piece, 16))
            parts.append(char if char in _UNRESERVED else f"%{piece.upper()}")
        else:
            parts.append("".join(char if char in literal else _percent(char) for char in piece))
    return "".join(parts)


def _percent(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode())


def _without_dot_segments(path: str) -> str:
    """RFC 3986, section 5.2.4, for a path that begins with a slash."""
    result: list[str] = []
    segments = path.split("/")[1:]
    for index, segment in enumerate(segments):
        last = index == len(segments) - 1
        if segment == "..":
            if result[-1:] == [""]:
                raise BadUrl("the path contains '//..', which servers resolve differently")
            del result[-1:]
        elif segment != ".":
            result.append(segment)
            continue
        if last:
            result.append("")
    return "/" + "/".join(result)


def _shown(text: str) -> str:
    return ascii(text[:100])
