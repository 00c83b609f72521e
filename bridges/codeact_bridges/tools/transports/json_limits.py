"""Limits on the size and the number of parts of one JSON message from a downstream server."""

import re
from typing import Final

MAX_MESSAGE_BYTES = 40_000_000
"""Bytes of one message. Enough for a result of 16 MB, a run's default limit, sent twice: as structured content and as
escaped text. Results are checked against the run's own limit later; this bound protects our memory."""


MAX_PARTS = 1_000_000
"""Arrays, objects and commas in one message. Parsing that many takes up to 0.7 s and 200 MB; the limit in bytes alone
would allow 13 million arrays: 15 s and 6 GB."""


# The closing quote is optional: without that, an unterminated string would make the search quadratic.
_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)


def has_too_many_parts(data: bytes | str) -> bool:
    """Whether `data`, which is JSON, has more than `MAX_PARTS` parts and would take too long to parse.

    Parsing in a thread would not help: pydantic and `json` hold the GIL while they parse.
    """
    raw = data if isinstance(data, bytes) else data.encode(errors="surrogatepass")
    if _parts(raw) <= MAX_PARTS:
        return False
    # Most messages with so many commas hold one long string, such as a table. So count again without the strings. Two
    # strings have a comma or a colon between them, so that more than `3 * MAX_PARTS` strings are too many parts.
    between, strings = _STRING.subn(b"", raw, count=3 * MAX_PARTS)
    return strings == 3 * MAX_PARTS or _parts(between) > MAX_PARTS


def _parts(raw: bytes) -> int:
    return raw.count(b",") + raw.count(b"[") + raw.count(b"{")
