"""A URL as a program spells it, turned into the one place that it names. Pure.

What is checked is what is sent: `Target` is canonical, and the request line and the connection are made of its parts.
What servers read differently from each other, such as a backslash or a user name, is refused and not repaired.
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
"""What servers and proxies commonly take."""
MAX_READINGS = 32
"""Ways in which one path can be read before we call it a disguise."""

_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_IN_PATH = _UNRESERVED | frozenset("!$&'()*+,;=:@/")
_IN_QUERY = _IN_PATH | frozenset("?[]|`{}^")
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_PERCENT = re.compile(r"%([0-9A-Fa-f]{2})")
_DOTS = re.compile(r"[. ]*\.[. ]*")


class BadUrl(ValueError):
    """It names no place that a request can safely go to. The text says why, for the program's author."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a request goes."""

    scheme: Scheme
    host: str
    """A name in its ASCII form and lower case, or an address in its one canonical spelling (IPv6 without brackets)."""
    port: int
    path: str
    """Percent-encoded, without dot segments, with what need not be encoded decoded."""
    query: str | None = None

    @property
    def origin(self) -> tuple[Scheme, str, int]:
        return self.scheme, self.host, self.port

    @property
    def authority(self) -> str:
        """As the `Host` header has it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def place(self) -> str:
        """The URL without its query, which may hold what a log should not."""
        return f"{self.scheme}://{self.authority}{self.path}"

    @property
    def request_target(self) -> str:
        return self.path if self.query is None else f"{self.path}?{self.query}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.request_target}"


def parse(text: str) -> Target:
    """The target of an absolute http or https URL; its fragment is dropped.

    Raises:
        BadUrl: it is not one, or not in a spelling that everybody reads alike.
    """
    _check_characters(text)
    scheme, separator, rest = text.partition("://")
    if not separator or scheme.lower() not in DEFAULT_PORTS:
        raise BadUrl("a URL begins with http:// or https://")
    scheme = cast("Scheme", scheme.lower())
    rest = rest.partition("#")[0]
    at = next((index for index, char in enumerate(rest) if char in "/?"), len(rest))
    authority, rest = rest[:at], rest[at:]
    path, asked, query = rest.partition("?")
    host, port = _authority(authority, scheme)
    target = Target(scheme, host, port, canonical_path(path), _encoded(query, _IN_QUERY) if asked else None)
    if len(str(target)) > 2 * MAX_URL_CHARS:
        raise BadUrl("the URL is too long")
    return target


def join(base: Target, location: str) -> Target:
    """The target of a `Location` header that came from `base`.

    Raises:
        BadUrl: as `parse`.
    """
    # Servers send spaces; urljoin resolves, and what it makes of the text is parsed like any other URL.
    location = location.strip(" ").replace(" ", "%20")
    _check_characters(location)
    try:
        return parse(urljoin(str(base), location))
    except ValueError as exc:
        raise BadUrl(str(exc)) from exc


def canonical_host(text: str) -> str:
    """A host's name or address in the one spelling that rules are compared with.

    Raises:
        BadUrl: it is neither, or spelt in a way that programs disagree on.
    """
    if text.startswith("[") and text.endswith("]"):
        return _ipv6(text[1:-1])
    host = (text if text.isascii() else _idna(text)).lower().removesuffix(".")
    labels = host.split(".")
    if len(host) > 253 or not all(map(_LABEL.fullmatch, labels)):
        raise BadUrl(f"{_shown(text)} is not the name of a host")
    if labels[-1].isdigit() or re.fullmatch(r"0x[0-9a-f]*", labels[-1]):
        try:
            return str(ipaddress.IPv4Address(host if text.isascii() else text))
        except ValueError:
            raise BadUrl(f"{_shown(text)}: write an IPv4 address as four decimal numbers, as 203.0.113.7") from None
    return host


def canonical_path(text: str) -> str:
    """The path that is sent, and that rules are compared with first.

    Raises:
        BadUrl: some server could read it as another path than others do; see `readings`.
    """
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        raise BadUrl("in the path, a % stands before two hexadecimal digits; write %25 for the character itself")
    written = _encoded(text, _IN_PATH) or "/"
    path = _without_dot_segments(written)
    if path != written:
        # What a step up takes away may have been a step up itself, to some: '/a/..;/..'.
        readings("/".join(segment for segment in written.split("/") if segment not in (".", "..")))
    readings(path)
    return path


def readings(path: str) -> tuple[str, ...]:
    """Every path that a server could take the canonical `path` for, itself first.

    Servers and the proxies before them decode once or several times, merge slashes, drop `;parameters`, cut at a
    decoded `?`, or fold look-alike characters. A path that becomes a step up in any of these readings is refused.
    """
    found = {path: None}
    waiting = [path]
    while waiting:
        reading = waiting.pop()
        for other in _read_differently(reading):
            if other not in found:
                if len(found) >= MAX_READINGS:
                    raise BadUrl("the path is encoded more often than any honest one")
                found[other] = None
                waiting.append(other)
    for reading in found:
        if any(ord(char) < 32 or ord(char) == 127 or char == "\\" for char in reading):
            raise BadUrl("the path hides a control character or a backslash")
        if any(_DOTS.fullmatch(segment) for segment in reading.split("/")):
            raise BadUrl("the path hides a step up ('..') or a dot segment")
    return tuple(found)


def _read_differently(path: str) -> list[str]:
    others = [re.sub(r"/{2,}", "/", path), re.split(r"[?#]", path, maxsplit=1)[0], re.sub(r";[^/]*", "", path)]
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
                f"the URL holds {char!a}; percent-encode it (urllib.parse.quote), or pass the query as params={{…}}"
            )
        if char == "\\":
            raise BadUrl("the URL holds a backslash, which some programs read as a slash")
        if "\ud800" <= char <= "\udfff":
            raise BadUrl("the URL holds half a character, which UTF-8 cannot say")


def _authority(text: str, scheme: Scheme) -> tuple[str, int]:
    if "@" in text:
        raise BadUrl("the URL holds user information (name@host); pass credentials as headers={…}")
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
        raise BadUrl("an IPv6 address with a zone means something only to the machine itself")
    try:
        return str(ipaddress.IPv6Address(text))
    except ValueError:
        raise BadUrl(f"{_shown(text)} is not an IPv6 address") from None


def _idna(text: str) -> str:
    import idna  # 5 ms that only such names pay

    try:
        # IDNA 2008 without the mapping of UTS 46: a full-width or styled letter is an error and not its look-alike.
        return idna.encode(unicodedata.normalize("NFC", text.lower())).decode()
    except (idna.IDNAError, UnicodeError):
        raise BadUrl(f"{_shown(text)} is not an internationalised host name") from None


def _encoded(text: str, literal: frozenset[str]) -> str:
    """`text` with what is not in `literal` percent-encoded, and with what needs no encoding decoded."""
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
    kept: list[str] = []
    segments = path.split("/")[1:]
    for index, segment in enumerate(segments):
        last = index == len(segments) - 1
        if segment == "..":
            if kept[-1:] == [""]:
                raise BadUrl("the path steps up over an empty segment ('//..'), which servers resolve differently")
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
            continue
        if last:
            kept.append("")
    return "/" + "/".join(kept)


def _shown(text: str) -> str:
    return ascii(text[:100])
