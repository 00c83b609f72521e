"""Masks injected secrets in responses, so that an echo does not show them to the guest. Pure.

Finds the secret as it is, percent-encoded, in base64 (alone or inside a longer text), in hex and in JSON. That covers
servers that merely echo; a server that wants to leak a secret can encode it in other ways.
"""

import binascii
import html
import json
from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import quote, quote_plus

IN_PATH, IN_QUERY = "/!$&'()*+,;=:@", "/!$&'()*+,;=:@?[]|`{}^"
"""Characters that URL builders leave unencoded. Some encode more."""

MASK = b"[masked]"
MIN_SECRET_CHARS = 6
"""Shorter values occur in ordinary text by chance."""
_MIN_VARIANT = 8
_MOST_OVERLAPS = 4
"""How often a cut is moved because a secret lies across it. Only secrets that overlap themselves need more."""

_PLAIN_HEADERS = frozenset(
    (
        *("accept", "accept-charset", "accept-language", "cache-control", "content-type", "from", "origin", "pragma"),
        *("prefer", "range", "referer", "user-agent"),
    )
)


@dataclass(frozen=True, slots=True)
class Mask:
    """Replaces every known form of every secret."""

    forms: tuple[bytes, ...] = field(default=(), repr=False)
    """Longest first, so that a form is replaced before any part of it."""

    @classmethod
    def of_headers(cls, headers: Iterable[tuple[str, str]]) -> "Mask":
        """Masks the values of these headers, except headers that never hold a secret."""
        forms = {form for name, value in headers for secret in _secrets(name, value) for form in _forms(secret)}
        return cls(tuple(sorted(forms, key=lambda form: (-len(form), form))))

    @property
    def longest(self) -> int:
        return len(self.forms[0]) if self.forms else 0

    def data(self, data: bytes) -> bytes:
        for form in self.forms:
            if form in data:
                data = data.replace(form, MASK)
        return data

    def text(self, text: str) -> str:
        if not self.forms:
            return text
        return self.data(text.encode("utf-8", "surrogatepass")).decode("utf-8", "replace")


class MaskedStream:
    """As `Mask.data`, for data in pieces: finds secrets across two pieces too."""

    def __init__(self, mask: Mask) -> None:
        self._mask = mask
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """The masked data that is safe to pass on so far."""
        if not self._mask.forms:
            return data
        data = self._held + data
        cut = len(data) - self._unfinished(data)
        for _ in range(_MOST_OVERLAPS):
            begin = self._start_of_form_across(data, cut)
            if begin == cut:
                break
            cut = begin
        self._held = data[cut:]
        return self._mask.data(data[:cut])

    def end(self) -> bytes:
        held, self._held = self._held, b""
        return self._mask.data(held)

    def _unfinished(self, data: bytes) -> int:
        """The length of the longest suffix of `data` that the next piece could complete to a secret."""
        tail = data[-(self._mask.longest - 1) :]
        best = 0
        for form in self._mask.forms:
            for size in range(min(len(form) - 1, len(tail)), best, -1):
                if tail.endswith(form[:size]):
                    best = size
                    break
        return best

    def _start_of_form_across(self, data: bytes, cut: int) -> int:
        """The start of the first secret that a cut at `cut` would divide, or `cut`."""
        begin = cut
        for form in self._mask.forms:
            at = data.find(form, max(0, cut - len(form) + 1), cut + len(form) - 1)
            if 0 <= at < begin:
                begin = at
        return begin


def _secrets(name: str, value: str) -> set[str]:
    if name.lower() in _PLAIN_HEADERS or name.lower().endswith("-version"):
        return set()
    found = {value}
    scheme, _, credential = value.partition(" ")
    if credential:
        found.add(credential.strip())
    if scheme.lower() == "basic":
        try:
            pair = b64decode(credential, validate=True).decode()
        except (binascii.Error, ValueError):
            pass
        else:
            found |= {pair, pair.partition(":")[2]}
    if name.lower() == "cookie":
        found |= {cookie.partition("=")[2].strip() for cookie in value.split(";")}
    return {secret for secret in found if len(secret) >= MIN_SECRET_CHARS}


def _forms(secret: str) -> set[bytes]:
    raw = secret.encode()
    in_json = json.dumps(secret)[1:-1]
    texts = {html.escape(secret), in_json, in_json.replace("/", "\\/"), quote_plus(secret)}
    texts |= {quote(secret, safe=literal) for literal in ("", "/", IN_PATH, IN_QUERY)}
    texts |= {_lower_escapes(text) for text in texts}
    forms = {text.encode() for text in texts} | {raw, secret.encode("latin-1", "ignore")}
    encoded = {*_in_base64(raw), binascii.hexlify(raw), binascii.hexlify(raw).upper()}
    return forms | {form for form in encoded if len(form) >= _MIN_VARIANT}


def _in_base64(raw: bytes) -> set[bytes]:
    """The base64 characters for `raw` inside any longer text, for each of the three alignments."""
    found: set[bytes] = set()
    for before in range(3):
        whole = b64encode(bytes(before) + raw)
        first = (0, 2, 3)[before]  # characters that also depend on the bytes before
        last = (len(raw) + before) * 8 // 6  # characters that depend on `raw` alone
        form = whole[first:last]
        found |= {form, form.replace(b"+", b"-").replace(b"/", b"_")}
    return found


def _lower_escapes(text: str) -> str:
    parts = text.split("%")
    return "%".join([parts[0], *(part[:2].lower() + part[2:] for part in parts[1:])])
