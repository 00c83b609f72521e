"""Between Python's values and JSON: exactly, or not at all.

JSON text is what a value becomes only where JSON says the same thing. Tuples may become arrays, as everywhere in
Python; everything else that JSON has no word for is an error that names the way out, or a `repr`.
"""

import dataclasses
import datetime
import decimal
import enum
import json
import math
import pathlib
import uuid

from codeact_guest import host as door

MAX_DEPTH = 100
"""Levels of nesting. The host's JSON reader stops at 200."""

MAX_INT_BITS = 13_287
"""Of 4,000 digits. Readers of JSON, the host's among them, refuse integers of more than 4,300."""

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
# What `JSONEncoder.encode` makes anew for every value, for values without others in them.
_flat_to_pieces = json.encoder.c_make_encoder(
    None, repr, json.encoder.encode_basestring, None, ": ", ", ", False, False, False
)

SHORT_TEXT = 4_000
"""Too short to hold an integer that is too long."""


class NotJson(Exception):
    """JSON cannot say this value."""


def to_json(value: object) -> str:
    """JSON text for `value`.

    Raises:
        NotJson: with the place of what does not fit, and what to write instead.
    """
    if type(value) is dict and {*map(type, value)} <= _ONLY_STR and {*map(type, value.values())} <= _PLAIN:
        # What nearly every call has. Half the time of a call goes into finding out what else there may be.
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
        raise NotJson(f"it holds {exc.object[exc.start]!r}, half of a character, which UTF-8 cannot say") from None
    return text


def from_wire(wire: dict[str, object]) -> object:
    """What a tool gave: see `codeact_bridges/run.py` for the four forms."""
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
        from binascii import a2b_base64

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
    """A resource that a tool pointed to. `read()` gives what it holds: a `Media`, or a list of them."""

    uri: str
    name: str
    mime_type: str | None = None
    server: str = dataclasses.field(default="", repr=False)

    def read(self) -> object:
        """Ask the server for the resource and wait for it.

        Raises:
            ToolError: it cannot be read, or is too large.
        """

        return from_wire(door.ask("tools.read_resource", server=self.server, uri=self.uri))

    async def read_async(self) -> object:
        """As `read`; `await` several at once with `asyncio.gather`."""
        from codeact_guest import loop

        return from_wire(
            await loop.ask_async("tools.read_resource", door.to_text({"server": self.server, "uri": self.uri}))
        )


def _plain(value: object, where: str, depth: int) -> object:
    if depth > MAX_DEPTH:
        raise NotJson(f"it is nested more than {MAX_DEPTH} deep{_at(where)}")
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
                        f"a JSON object's keys are strings, and {key!r}{_at(where)} is {_a(key)}: write str(key)"
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
