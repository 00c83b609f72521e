"""Text that is a Python literal, as servers write it that answer with `str(rows)`. Pure.

`ast.literal_eval` reads it. What could make that slow, or overflow the C stack of the parser, is sorted out before:
long texts, deep nesting, chains of signs.
"""

import ast
import re
import warnings
from typing import Final, cast

from codeact_bridges.values import JsonValue

MAX_CHARS = 1_000_000
"""Longest text that is read: half a second, and 100 MB for a moment. Longer ones stay text."""

MAX_DEPTH = 50

# Strings, then everything else that a literal consists of. Names but these three, and calls, are no literals.
_PARTS: Final = re.compile(
    r"""(?P<string>[bB]?(?:'(?:[^'\\\n]|\\.)*+'|"(?:[^"\\\n]|\\.)*+"))"""
    r"|(?P<open>[\[({])|(?P<close>[\])}])"
    r"|(?P<number>[-+]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][-+]?[0-9]++)?(?![\w.]))"
    r"|(?P<rest>True\b|False\b|None\b|[\s,:]++)"
)


def literal_or_text(text: str) -> JsonValue:
    """`text` read as a Python literal where JSON has words for all of it (a tuple is a list), else `text`."""
    stripped = text.strip()
    if not stripped or stripped[0] not in "[({'\"TFN" or len(stripped) > MAX_CHARS or not _is_harmless(stripped):
        return text
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # "\d" in a text: their business
            value = cast(object, ast.literal_eval(stripped))
        return _plain(value)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return text


def _is_harmless(text: str) -> bool:
    depth, at = 0, 0
    while at < len(text):
        part = _PARTS.match(text, at)
        if part is None:
            return False
        depth += (part.lastgroup == "open") - (part.lastgroup == "close")
        if depth > MAX_DEPTH:
            return False
        at = part.end()
    return depth == 0


def _plain(value: object) -> JsonValue:
    """`value` as JSON says it. Raises ValueError where it cannot: bytes, sets, a key that is no text, inf."""
    match value:
        case None | bool() | int() | str():
            return value
        case float() if value == value and abs(value) != float("inf"):
            return value
        case list() | tuple():
            return [_plain(item) for item in cast("list[object]", value)]
        case dict():
            pairs = cast("dict[object, object]", value)
            if not all(isinstance(key, str) for key in pairs):
                raise ValueError("a key is no text")
            return {cast(str, key): _plain(item) for key, item in pairs.items()}
        case _:
            raise ValueError(f"JSON has no {type(value).__name__}")
