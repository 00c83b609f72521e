"""A JSON schema validator that a hostile schema cannot hang. Pure.

Uses `jsonschema` without regular expressions (a bad pattern and a long string can take years), `uniqueItems`
(quadratic), slow and rare keywords (`unevaluated…`, `$dynamicRef`), and remote references. Every keyword that is
evaluated counts towards a limit, since branching references can double the work at each level.
"""

from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from functools import cache
from typing import Any, cast

import referencing
from jsonschema import Draft202012Validator, ValidationError, validators

from codeact_bridges.tools.catalog.schema import Schema

MAX_STEPS = 50_000
"""Keywords, array items and object fields evaluated in one check: about 50 ms. A call with three arguments needs 10."""

_LEFT_OUT = (
    "pattern",
    "patternProperties",
    "format",
    "uniqueItems",
    "unevaluatedItems",
    "unevaluatedProperties",
    "$dynamicRef",
)

_Keyword = Callable[[Any, Any, Any, Any], Iterator[ValidationError] | None]

_steps_left: ContextVar[list[int]] = ContextVar("steps_left")


class CannotTellError(Exception):
    """The schema is invalid, or the check needs too many steps: the result is unknown."""


class Validator:
    """Finds the errors in values by one schema."""

    def __init__(self, schema: Schema) -> None:
        base = validators.validator_for(dict(schema), default=Draft202012Validator)
        # The empty registry retrieves nothing: a remote `$ref` is an error, never a request.
        self._inner = _bounded(base)(dict(schema), registry=referencing.Registry[Any]())

    def errors(self, value: Mapping[str, Any]) -> Iterator[ValidationError]:
        """The errors in `value`, in no particular order. Raises `CannotTellError`."""
        token = _steps_left.set([MAX_STEPS])
        try:
            yield from self._inner.iter_errors(value)
        except CannotTellError:
            raise
        # An invalid schema can raise almost anything: for a dangling reference, a loop, a wrong operand.
        except Exception as exc:
            raise CannotTellError(str(exc)) from exc
        finally:
            _steps_left.reset(token)


@cache
def _bounded(base: Any) -> Any:
    keywords = {name: _counted(check) for name, check in cast("dict[str, _Keyword]", base.VALIDATORS).items()}
    extend: Any = getattr(validators, "extend")  # noqa: B009 - its stub has no types
    return extend(base, {**keywords, **dict.fromkeys(_LEFT_OUT, _ignored)})


def _counted(check: _Keyword) -> _Keyword:
    def counted(validator: Any, operand: Any, value: Any, schema: Any) -> Iterator[ValidationError] | None:
        left = _steps_left.get()
        left[0] -= 1 + (len(cast("list[Any]", value)) if isinstance(value, list | dict) else 0)
        if left[0] < 0:
            raise CannotTellError("too many steps")
        if operand is False and "patternProperties" in schema:
            return None  # only regular expressions could tell which names are additional
        return check(validator, operand, value, schema)

    return counted


def _ignored(*_: Any) -> None:
    return None
