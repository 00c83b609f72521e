"""A validator that a hostile schema cannot hang."""

from typing import Any

import pytest

from codeact_bridges.tools.catalog.validator import MAX_STEPS, CannotTellError, Validator


def messages(schema: dict[str, Any], value: dict[str, Any]) -> list[str]:
    return sorted(error.message for error in Validator(schema).errors(value))


def test_every_error_is_found() -> None:
    schema = {"properties": {"a": {"type": "integer"}, "b": {"enum": ["x"]}}, "required": ["c"]}

    assert messages(schema, {"a": "1", "b": "y"}) == [
        "'1' is not of type 'integer'",
        "'c' is a required property",
        "'y' is not one of ['x']",
    ]


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"a": {"pattern": "^(a+)+$"}}},
        {"patternProperties": {"^(a+)+$": {"type": "null"}}},
        {"properties": {"a": {"format": "regex"}}},
    ],
)
def test_regular_expressions_of_a_schema_are_not_evaluated(schema: dict[str, Any]) -> None:
    assert messages(schema, {"a": "a" * 60 + "!"}) == []


def test_names_that_only_a_pattern_could_allow_are_not_refused() -> None:
    schema: dict[str, Any] = {"patternProperties": {"^x-": {}}, "additionalProperties": False}

    assert messages(schema, {"x-a": 1}) == []


@pytest.mark.parametrize("ref", ["https://evil.example/schema", "file:///etc/passwd", "#/missing", "other.json"])
def test_a_reference_to_elsewhere_is_not_followed(ref: str) -> None:
    with pytest.raises(CannotTellError):
        messages({"properties": {"a": {"$ref": ref}}}, {"a": 1})


def test_references_that_branch_are_followed_for_a_number_of_steps() -> None:
    schema: dict[str, Any] = {
        "properties": {"a": {"$ref": "#/$defs/0"}},
        "$defs": {str(n): {"allOf": [{"$ref": f"#/$defs/{n + 1}"}] * 2} for n in range(40)} | {"40": {}},
    }
    with pytest.raises(CannotTellError, match="too many steps"):
        messages(schema, {"a": 1})


def test_a_value_counts_by_its_size() -> None:
    with pytest.raises(CannotTellError, match="too many steps"):
        messages({"properties": {"a": {"items": {}}}}, {"a": [0] * (MAX_STEPS + 1)})


@pytest.mark.parametrize("schema", [{"$ref": "#"}, {"type": 5}, {"minProperties": "x"}])
def test_an_invalid_schema_tells_nothing(schema: dict[str, Any]) -> None:
    with pytest.raises(CannotTellError):
        messages(schema, {"a": 1})
