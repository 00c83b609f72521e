"""Errors of the configuration, in plain words and without the value."""

import difflib
from collections.abc import Sequence
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from codeact_server.config import document as documents
from codeact_server.config.model import Settings

_LISTS_OF_TABLES = (("network",), ("policy", "rules"))


_SENTENCES = {
    "missing": "is missing",
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "model_type": "must be a table",
    "dict_type": "must be a table",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "string_pattern_mismatch": "must be the plain name of an installed package, without version or extras",
    "recursion_loop": "is nested too deeply",
    "json_invalid": "holds a value that cannot be read",
}


def sentence(details: ErrorDetails, place: tuple[str | int, ...]) -> str:
    """One of pydantic's errors in plain words and without the value."""
    kind, message = details["type"], details["msg"]
    if kind == "tuple_type" and place in _LISTS_OF_TABLES:
        return f"must be a list of tables; in TOML each begins with [[{documents.written(('codeact', *place))}]]"
    if kind == "model_type" and place[:1] == ("files",) and len(place) == 2:
        return 'must be a table, as { path = "reports", mode = "ro" }'
    if kind == "extra_forbidden":
        known = _keys_at(Settings, place[:-1])
        return f"unknown key{nearest_name(str(place[-1]), known, 'keys')}"
    if kind in _SENTENCES:
        return _SENTENCES[kind]
    message = message.removeprefix("Value error, ").replace("Input should", "must", 1)
    return message[:1].lower() + message[1:]


def _keys_at(annotation: Any, place: tuple[str | int, ...]) -> list[str]:
    """The keys of the model that stands at `place` below `annotation`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if not place:
            return list(annotation.model_fields)
        inner = annotation.model_fields.get(str(place[0]))
        return _keys_at(inner.annotation, place[1:]) if inner else []
    arguments = [argument for argument in get_args(annotation) if argument is not type(None) and argument is not ...]
    return _keys_at(arguments[-1], place[1:]) if arguments else []


def nearest_name(name: str, known: Sequence[str], what: str) -> str:
    """The nearest of the `known` names, or all of them if they are few."""
    if near := difflib.get_close_matches(name[:100], known, n=1, cutoff=0.6):
        return f"; did you mean {near[0]}?"
    return f"; the {what}: {', '.join(known)}" if 0 < len(known) <= 20 else ""
