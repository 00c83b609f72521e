"""Checks the arguments of a call against the tool's schema before anything is sent, so that a wrong call costs nothing.

It reports all mistakes at once (names, types, choices, ranges). It does not replace the server's own check: what it
cannot decide, it leaves to the server. Pure.

An argument that the schema does not name is refused even if the schema lacks `additionalProperties: false`: a server
that ignores a misspelled argument does something else than the program meant.
"""

import difflib
from collections.abc import Mapping
from typing import cast

from jsonschema import ValidationError

from codeact_bridges.text import cut, one_line
from codeact_bridges.tools.catalog.schema import Schema, mapping, properties, required
from codeact_bridges.tools.catalog.signature import type_text
from codeact_bridges.tools.catalog.validator import CannotTellError, Validator
from codeact_bridges.values import JsonValue

MAX_PROBLEMS = 8
MAX_SHOWN = 60
MAX_SUGGESTIONS = 3
MAX_SUGGESTED_FROM = 200
"""Names with which a wrong one is compared, at 0.2 ms for each long one. If there are more, nothing is suggested."""


class ArgumentsCheck:
    """The check of one tool's arguments. Reuse it: it costs 0.1 ms to make and 0.02 ms to use."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._names = frozenset(properties(schema))
        self._required = required(schema)
        self._closed = is_closed(schema)
        self._validator = Validator(schema)

    def problems(self, arguments: Mapping[str, JsonValue]) -> list[str]:
        """Return a phrase for each mistake in `arguments`."""
        missing = sorted(self._required - arguments.keys())[: MAX_PROBLEMS + 1]
        found = [f"{_quoted(name)} is missing" for name in missing]
        if self._closed and (unknown := arguments.keys() - self._names):
            for number, name in enumerate(sorted(unknown)[: MAX_PROBLEMS + 1]):
                found.append(f"there is no {_quoted(name)}{self._meant(name) if number < MAX_SUGGESTIONS else ''}")
        if len(found) <= MAX_PROBLEMS:
            found += self._wrong_ones(arguments, MAX_PROBLEMS + 1 - len(found))
        return found if len(found) <= MAX_PROBLEMS else [*found[:MAX_PROBLEMS], "and more"]

    def _wrong_ones(self, arguments: Mapping[str, JsonValue], limit: int) -> list[str]:
        """Return phrases for up to `limit` known arguments whose values are wrong."""
        found: list[str] = []
        try:
            for error in self._validator.errors(arguments):
                if error.absolute_path:  # missing and unknown arguments are reported by the caller
                    found.append(self._wrong(error))
                if len(found) == limit:
                    break
        except CannotTellError:
            pass
        return found

    def _meant(self, name: str) -> str:
        if len(self._names) > MAX_SUGGESTED_FROM:
            return ""
        names = {known[:MAX_SHOWN]: known for known in self._names}
        near = difflib.get_close_matches(name[:MAX_SHOWN], names, n=1, cutoff=0.6)
        return f" (did you mean {_quoted(names[near[0]])}?)" if near else ""

    def _wrong(self, error: ValidationError) -> str:
        where = _path(list(error.absolute_path))
        keyword, value = str(error.validator), cast(object, error.instance)
        schema = mapping(cast(object, error.schema))
        if keyword == "required":
            missing = sorted(required(schema) - mapping(value).keys())
            return f"{where} lacks {', '.join(map(_quoted, missing[:4]))}"
        if keyword == "additionalProperties":
            extra = sorted(mapping(value).keys() - properties(schema).keys())
            return f"{where} has no field {', '.join(map(_quoted, extra[:4]))}"
        if keyword in {"type", "enum", "const", "anyOf", "oneOf"}:
            return f"{where} must be {cut(type_text(schema, self._schema), 4 * MAX_SHOWN)}, not {_value(value)}"
        return f"{where} is {_value(value)}, against {keyword} {_value(cast(object, error.validator_value))}"


def is_closed(schema: Schema) -> bool:
    """Whether the schema names all possible arguments."""
    if "patternProperties" in schema or schema.get("additionalProperties", False) is not False:
        return False
    if any(key in schema for key in ("$ref", "allOf", "anyOf", "oneOf", "if", "unevaluatedProperties")):
        return "additionalProperties" in schema
    return "properties" in schema


def _quoted(name: object) -> str:
    return repr(one_line(str(name), MAX_SHOWN))


def _path(steps: list[str | int]) -> str:
    first, *rest = steps
    return cut(
        str(first) + "".join(f"[{step if isinstance(step, int) else _quoted(step)}]" for step in rest[:8]),
        2 * MAX_SHOWN,
    )


def _value(value: object) -> str:
    if value is None:
        return "None"
    kind = type(value).__name__
    shown = (
        one_line(repr(value[:MAX_SHOWN] if isinstance(value, str) else value), MAX_SHOWN) if _is_small(value) else ""
    )
    return f"{kind} {shown}".rstrip()


def _is_small(value: object) -> bool:
    return isinstance(value, str | float | bool) or (isinstance(value, int) and abs(value) < 10**40)
