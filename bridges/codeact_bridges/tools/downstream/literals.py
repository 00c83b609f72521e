"""Text results that are Python literals, from servers that return `str(rows)`. Pure.

`ast.literal_eval` parses them. Texts that could make it slow, or overflow the C stack of the parser, are excluded
first: long texts, deep nesting, chains of signs.
"""

import ast
import re
import warnings
from typing import Final, cast

from codeact_bridges.values import JsonValue

MAX_CHARS = 1_000_000
"""Longest text that is parsed, in half a second and a temporary 100 MB. Longer ones stay text."""

MAX_DEPTH = 50

# Strings, then all other tokens of literals. Other names, and calls, are not literals.
_PARTS: Final = re.compile(
    r"""(?P<string>[bB]?(?:'(?:[^'\\\n]|\\.)*+'|"(?:[^"\\\n]|\\.)*+"))"""
    r"|(?P<open>[\[({])|(?P<close>[\])}])"
    r"|(?P<number>[-+]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][-+]?[0-9]++)?(?![\w.]))"
    r"|(?P<rest>True\b|False\b|None\b|[\s,:]++)"
)


def literal_or_text(text: str) -> JsonValue:
    """`text` parsed as a Python literal if JSON can represent it (a tuple becomes a list), else `text`."""
    stripped = text.strip()
    if not stripped or stripped[0] not in "[({'\"TFN" or len(stripped) > MAX_CHARS or not _is_harmless(stripped):
        return text
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # for "\d" in a string of the server's
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
    """`value` as JSON data. Raises ValueError if JSON cannot represent it: bytes, sets, non-string keys, infinity."""
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
                raise ValueError("a key is not a string")
            return {cast(str, key): _plain(item) for key, item in pairs.items()}
        case _:
            raise ValueError(f"JSON has no {type(value).__name__}")
