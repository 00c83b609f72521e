"""How much one JSON message of a downstream server may hold."""

import re
from typing import Final

MAX_MESSAGE_BYTES = 40_000_000
"""One message: a result of the 16 MB that a run takes by default, as structured content and once more as text, escaped.
Results are cut down to the run's own limit later; this protects our memory."""


MAX_PARTS = 1_000_000
"""Arrays, objects and commas in one message. Reading that many takes up to 0.7 s and 200 MB; the bytes alone would let
through 13 million arrays, 15 s and 6 GB."""


# What is open at the end counts as a string too: looking for another one to begin with would take quadratic time.
_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)


def has_too_many_parts(data: bytes | str) -> bool:
    """Whether reading `data`, which is JSON, would take too long. A thread would not help: neither pydantic nor `json`
    lets go of the interpreter while it reads."""
    raw = data if isinstance(data, bytes) else data.encode(errors="surrogatepass")
    if _parts(raw) <= MAX_PARTS:
        return False
    # Most texts with so many commas are one long string, a table perhaps. Between two strings is a comma or a colon.
    between, strings = _STRING.subn(b"", raw, count=3 * MAX_PARTS)
    return strings == 3 * MAX_PARTS or _parts(between) > MAX_PARTS


def _parts(raw: bytes) -> int:
    return raw.count(b",") + raw.count(b"[") + raw.count(b"{")
