"""Converts between Python's values and JSON, without loss or with an error.

A value becomes JSON text only if JSON can express it exactly; tuples become arrays, as everywhere in Python. Any other
value raises an error that names an alternative; as a program's result it is shown as its `repr`.
"""

import dataclasses
import datetime
import decimal
import enum
import json
import math
import pathlib
import uuid
from binascii import a2b_base64

from codeact_guest import host, loop

MAX_DEPTH = 100
"""Levels of nesting. The host's JSON decoder stops at 200."""

MAX_INT_BITS = 13_287
"""The size of an integer of 4,000 digits. JSON decoders, including the host's, refuse more than 4,300 digits."""

_INSTEAD: tuple[tuple[type, str], ...] = (
    (datetime.datetime, "x.isoformat()"),
    (datetime.date, "x.isoformat()"),
    (datetime.time, "x.isoformat()"),
    (datetime.timedelta, "x.total_seconds()"),
    (decimal.Decimal, "str(x), or float(x)"),
    (bytes, "base64.b64encode(x).decode(), or x.decode()"),
    (bytearray, "base64.b64encode(x).decode(), or x.decode()"),
    (set, "sorted(x), or list(x)"),
    (frozenset, "sorted(x), or list(x)"),
    (pathlib.PurePath, "str(x)"),
    (uuid.UUID, "str(x)"),
    (complex, "[x.real, x.imag]"),
    (enum.Enum, "x.value"),
)


_strictly_to_text = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode

_PLAIN = {str, int, float, bool, type(None)}
_ONLY_STR = {str}
# The C encoder that `JSONEncoder.encode` creates again for every value; this one is for flat objects.
_flat_to_pieces = json.encoder.c_make_encoder(
    None, repr, json.encoder.encode_basestring, None, ": ", ", ", False, False, False
)

SHORT_TEXT = 4_000
"""A text of this length cannot contain an integer that is too long."""


class NotJson(Exception):
    """JSON cannot express this value."""


def to_json(value: object) -> str:
    """Return JSON text for `value`.

    Raises:
        NotJson: gives the place of the value that JSON cannot express, and what to write instead.
    """
    if type(value) is dict and {*map(type, value)} <= _ONLY_STR and {*map(type, value.values())} <= _PLAIN:
        # Nearly every call has arguments like these. The general path below takes half the time of a call.
        try:
            text = "".join(_flat_to_pieces(value, 0))
        except ValueError:  # a number that is not finite
            text = ""
        if text.isascii() and 0 < len(text) <= SHORT_TEXT:
            return text
    text = _strictly_to_text(_plain(value, "", 0))
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        surrogate = exc.object[exc.start]
        raise NotJson(f"it contains {surrogate!r}, an unpaired surrogate, which UTF-8 cannot encode") from None
    return text


def from_wire(wire: dict[str, object]) -> object:
    """Convert a tool's result, which has one of the four forms in `codeact_bridges/guest/replies.py`."""
    if "data" in wire:
        return wire["data"]
    if "parts" in wire:
        return [from_wire(part) for part in wire["parts"]]
    if "media" in wire:
        return Media.of(**wire["media"])
    return Link(**wire["link"])


@dataclasses.dataclass(frozen=True)
class Media:
    """An image, a sound or a file's content that a tool returned. `display()` shows it to the user."""

    kind: str
    mime_type: str
    data: bytes = dataclasses.field(repr=False)
    uri: str | None = None

    @classmethod
    def of(cls, kind: str, mime_type: str, base64: str, uri: str | None) -> "Media":
        return cls(kind, mime_type, a2b_base64(base64), uri)

    @property
    def text(self) -> str:
        """The data, read as UTF-8."""
        return self.data.decode()

    def __repr__(self) -> str:
        where = f", uri={self.uri!r}" if self.uri else ""
        return f"<{self.kind} {self.mime_type}, {len(self.data):,} bytes{where}>"


@dataclasses.dataclass(frozen=True)
class Link:
    """A resource that a tool's result links to. `read()` returns its content: a `Media`, or a list of them."""

    uri: str
    name: str
    mime_type: str | None = None
    server: str = dataclasses.field(default="", repr=False)

    def read(self) -> object:
        """Read the resource from its server and wait for it.

        Raises:
            ToolError: the resource cannot be read, or is too large.
        """
        return from_wire(host.call("tools.read_resource", server=self.server, uri=self.uri))

    async def read_async(self) -> object:
        """Like `read`; `await` several concurrently with `asyncio.gather`."""
        return from_wire(
            await loop.call_async("tools.read_resource", host.to_text({"server": self.server, "uri": self.uri}))
        )


def _plain(value: object, where: str, depth: int) -> object:
    if depth > MAX_DEPTH:
        raise NotJson(f"it is nested more than {MAX_DEPTH} levels deep{_at(where)}")
    match value:
        case None | bool():
            return value
        case enum.Enum() if not isinstance(value, str | int | float):
            pass
        case str():
            return str.__str__(value)
        case int():
            if value.bit_length() > MAX_INT_BITS:
                raise NotJson(f"an integer of more than 4,000 digits{_at(where)} is too long for JSON: pass str(x)")
            return int(value)
        case float():
            if math.isfinite(value):
                return float(value)
            raise NotJson(f"JSON has no {value!r}{_at(where)}: pass None or a string")
        case list() | tuple():
            return [_plain(item, f"{where}[{index}]", depth + 1) for index, item in enumerate(value)]
        case dict():
            plain: dict[str, object] = {}
            for key, item in value.items():
                if not isinstance(key, str):
                    raise NotJson(
                        f"a JSON object's keys must be strings, but {key!r}{_at(where)} is {_a(key)}: write str(key)"
                    )
                plain[str.__str__(key)] = _plain(item, f"{where}[{key!r}]", depth + 1)
            return plain
        case _ if dataclasses.is_dataclass(value) and not isinstance(value, type):
            names = [field.name for field in dataclasses.fields(value)]
            return {name: _plain(getattr(value, name), f"{where}.{name}", depth + 1) for name in names}
    instead = next((form for kind, form in _INSTEAD if isinstance(value, kind)), "a dict, list, string or number")
    raise NotJson(f"JSON has no {type(value).__name__}{_at(where)}: pass {instead}")


def _at(where: str) -> str:
    return f" (at {where.lstrip('.')})" if where else ""


def _a(value: object) -> str:
    name = type(value).__name__
    return f"an {name}" if name[0] in "aeiou" else f"a {name}"
