"""Access to an untrusted JSON schema."""

from typing import Any

import pytest

from codeact_bridges.tools.catalog.schema import (
    MAX_DEPTH,
    MAX_NODES,
    MAX_REFS,
    deref,
    properties,
    required,
    why_unusable,
    wrapped_result,
)


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for _ in range(levels):
        schema = {"not": schema}
    return schema


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "object", "properties": {"type": {"type": "string"}, "required": {"type": ["null", "number"]}}},
        {"properties": {"a": {"required": True, "default": {"type": "nonsense"}}}},
        {"enum": [{"type": 5}]},
        nested(MAX_DEPTH),
    ],
)
def test_a_schema_that_describes_an_object_can_be_used(schema: dict[str, Any]) -> None:
    assert why_unusable(schema) is None


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        (None, "NoneType, not an object"),
        ([], "list, not an object"),
        ({"type": "array"}, "of type 'array'"),
        ({"properties": {"a": {"type": "str"}}}, "has the type 'str'"),
        ({"properties": {"a": {"type": ["string", 5]}}}, "has the type '5'"),
        ({"properties": []}, "'properties' in the input schema"),
        ({"required": "a"}, "'required' in the input schema"),
        (nested(MAX_DEPTH + 1), "levels deep"),
        ({"enum": [list[int]()] * (MAX_NODES + 1)}, "objects and arrays"),
    ],
)
def test_a_schema_that_cannot_be_used_says_why(schema: object, why: str) -> None:
    assert why in str(why_unusable(schema))


def test_a_schema_that_contains_itself_has_an_end() -> None:
    schema: dict[str, Any] = {}
    schema["not"] = schema

    assert "levels deep" in str(why_unusable(schema))


def test_parts_of_the_wrong_type_count_as_missing() -> None:
    assert properties({"properties": [1]}) == {}
    assert required({"required": ["a", 1, None]}) == {"a"}
    assert required({"required": True}) == frozenset()


@pytest.mark.parametrize(
    ("ref", "found"),
    [
        ("#/$defs/a", {"type": "null"}),
        ("#/$defs/a~1b", {"type": "array"}),
        ("#/$defs/a%20b", {"type": "number"}),
        ("#/list/1", {"type": "string"}),
        ("#/list/2", {}),
        ("#/list/99999999999", {}),
        ("#/missing", {}),
        ("https://example.org/schema", {}),
        (5, {}),
    ],
)
def test_a_local_reference_is_followed(ref: object, found: dict[str, Any]) -> None:
    root = {
        "$defs": {"a": {"type": "null"}, "a/b": {"type": "array"}, "a b": {"type": "number"}},
        "list": [{}, {"type": "string"}],
    }

    assert deref({"$ref": ref}, root) == found


def test_a_chain_of_references_has_an_end() -> None:
    root = {
        "$defs": {str(n): {"$ref": f"#/$defs/{n + 1}"} for n in range(MAX_REFS)} | {str(MAX_REFS): {"type": "null"}}
    }

    assert deref({"$ref": "#/$defs/2"}, root) == {"type": "null"}
    assert deref({"$ref": "#/$defs/1"}, root) == {}
    assert deref({"$ref": "#/a"}, {"a": {"$ref": "#/a"}}) == {}


@pytest.mark.parametrize(
    ("schema", "wrapped"),
    [
        (None, None),
        ({"properties": {"result": {"type": "string"}}, "required": ["result"]}, {"type": "string"}),
        ({"properties": {"result": {"type": "string"}}}, None),
        ({"properties": {"result": {}, "more": {}}, "required": ["result"]}, None),
        ({"properties": {"result": {}, "more": {}}, "x-fastmcp-wrap-result": True}, {}),
    ],
)
def test_a_wrapped_result_is_recognised(schema: dict[str, Any] | None, wrapped: dict[str, Any] | None) -> None:
    assert wrapped_result(schema) == wrapped
