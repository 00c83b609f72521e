"""Sentences for configuration errors, without the value, which may be a secret."""

import difflib
from collections.abc import Sequence
from dataclasses import is_dataclass
from typing import Any, get_args, get_type_hints

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from codeact_server.config.document import key_text
from codeact_server.config.model import Settings

_PATTERNS = {
    "packages": "must be the plain name of an installed package, without version or extras",
    "rename": "must be 1 to 128 letters, digits, '_', '.' or '-'",
    "issuer": "must be an http:// or https:// address",
}
"""The rule behind a regular expression, by the key of the text or of its table."""

_LISTS_OF_TABLES = (("network",), ("policy", "rules"))


_SENTENCES = {
    "missing": "is missing",
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "model_type": "must be a table",
    "dataclass_type": "must be a table",
    "dict_type": "must be a table",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "recursion_loop": "is nested too deeply",
    "json_invalid": "contains a value that cannot be read",
}


def sentence(details: ErrorDetails, place: tuple[str | int, ...]) -> str:
    """Return the sentence for one of pydantic's errors at `place`, a key below `codeact`."""
    kind, message = details["type"], details["msg"]
    if kind == "tuple_type" and place in _LISTS_OF_TABLES:
        return f"must be a list of tables; in TOML each starts with [[{key_text(('codeact', *place))}]]"
    if kind == "model_type" and place[:1] == ("files",) and len(place) == 2:
        return 'must be a table like { path = "reports", mode = "ro" }'
    if kind in {"extra_forbidden", "unexpected_keyword_argument"}:
        known = _keys_at(Settings, place[:-1])
        return f"unknown key{nearest_name(str(place[-1]), known, 'keys')}"
    if kind in _SENTENCES:
        return _SENTENCES[kind]
    if kind == "string_pattern_mismatch" and (known := [_PATTERNS[key] for key in place if key in _PATTERNS]):
        return known[-1]
    message = message.removeprefix("Value error, ").replace("Input should", "must", 1)
    return message[:1].lower() + message[1:]


def _keys_at(annotation: Any, place: tuple[str | int, ...]) -> list[str]:
    """Return the keys of the model at `place` below the type `annotation`."""
    if (keys := _keys_of(annotation)) is not None:
        if not place:
            return list(keys)
        return _keys_at(keys[str(place[0])], place[1:]) if place[0] in keys else []
    arguments = [argument for argument in get_args(annotation) if argument is not type(None) and argument is not ...]
    return _keys_at(arguments[-1], place[1:]) if arguments else []


def _keys_of(annotation: Any) -> dict[str, Any] | None:
    """Return the keys of a pydantic model or a dataclass with the types of their values; None for other types."""
    if is_dataclass(annotation):
        return get_type_hints(annotation)  # without the bounds of `Annotated`
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {key: each.annotation for key, each in annotation.model_fields.items()}
    return None


def nearest_name(name: str, known: Sequence[str], what: str) -> str:
    """Return a hint: the `known` name nearest to `name`, or all of them if they are few, or nothing."""
    if near := difflib.get_close_matches(name[:100], known, n=1, cutoff=0.6):
        return f"; did you mean {near[0]}?"
    return f"; known {what}: {', '.join(known)}" if 0 < len(known) <= 20 else ""
