"""A JSON schema validator that a hostile schema cannot hang. Pure.

`jsonschema` does the work. Left out of it: regular expressions (one bad pattern and a long string take years),
`uniqueItems` (quadratic), what few use and is slow (`unevaluated…`, `$dynamicRef`), and everything remote. Counted:
every keyword that is looked at, since references that branch can double the work at each level.
"""

from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from functools import cache
from typing import Any, cast

import referencing
from jsonschema import Draft202012Validator, ValidationError, validators

from codeact_bridges.tools.catalog.schema import Schema

MAX_STEPS = 50_000
"""Keywords, array items and object fields looked at in one check: about 50 ms. A call with three arguments needs 10."""

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
    """The schema is broken, or the check takes too many steps: nobody knows whether the value fits."""


class Validator:
    """Finds what is wrong with values by one schema."""

    def __init__(self, schema: Schema) -> None:
        base = validators.validator_for(dict(schema), default=Draft202012Validator)
        # An empty registry retrieves nothing: a `$ref` to elsewhere is an error here, never a request.
        self._inner = _bounded(base)(dict(schema), registry=referencing.Registry[Any]())

    def errors(self, value: Mapping[str, Any]) -> Iterator[ValidationError]:
        """What is wrong, in no particular order. Raises `CannotTellError`."""
        token = _steps_left.set([MAX_STEPS])
        try:
            yield from self._inner.iter_errors(value)
        except CannotTellError:
            raise
        # A schema can be broken in more ways than can be listed: a reference to nothing, a loop, a wrong operand.
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
            return None  # which names are additional is a question for regular expressions
        return check(validator, operand, value, schema)

    return counted


def _ignored(*_: Any) -> None:
    return None
