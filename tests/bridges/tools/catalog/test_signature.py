"""A tool's JSON schemas as a Python signature, which a model reads before it writes a call."""

from typing import Any

import pytest

from codeact_bridges.tools.catalog.schema import why_unusable
from codeact_bridges.tools.catalog.signature import signature_of


def line(properties: dict[str, Any], *required: str, output: dict[str, Any] | None = None, **more: Any) -> str:
    schema = {"type": "object", "properties": properties, "required": list(required), **more}
    return signature_of("s.t", schema, output).line


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"type": "string"}, "str"),
        ({"type": "integer"}, "int"),
        ({"type": "number"}, "float"),
        ({"type": "boolean"}, "bool"),
        ({"type": ["string", "null"]}, "str | None"),
        ({"anyOf": [{"type": "null"}, {"type": "integer"}]}, "int | None"),
        ({"type": "string", "nullable": True}, "str | None"),
        ({"enum": ["open", "closed", 3, None]}, 'Literal["open", "closed", 3, None]'),
        ({"const": "x"}, 'Literal["x"]'),
        ({"type": "array"}, "list"),
        ({"type": "array", "items": {"type": "string"}}, "list[str]"),
        ({"type": "array", "prefixItems": [{"type": "string"}, {"type": "number"}]}, "tuple[str, float]"),
        ({"type": "object"}, "dict"),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, "dict[str, int]"),
        ({"allOf": [{"type": "integer"}]}, "int"),
        ({"anyOf": [{"type": "string"}, {}]}, "Any"),
        ({}, "Any"),
        (True, "Any"),
        ({"$ref": "#/$defs/Nowhere"}, "Any"),
        ({"$ref": "https://example.com/schema.json"}, "Any"),
    ],
)
def test_a_type_reads_like_python(schema: Any, text: str) -> None:
    assert line({"x": schema}, "x") == f"s.t(x: {text})"


def test_required_parameters_come_first_and_the_others_have_defaults() -> None:
    properties = {"limit": {"type": "integer", "default": 30}, "query": {"type": "string"}, "page": {"type": "integer"}}
    assert line(properties, "query") == "s.t(query: str, limit: int = 30, page: int = ...)"


def test_a_parameter_that_is_not_an_identifier_is_shown_as_a_keyword_mapping() -> None:
    properties = {"max-results": {"type": "integer"}, "class": {"type": "string"}}
    assert line(properties, "class") == 's.t(**{"class": str, "max-results"?: int})'


def test_each_object_has_a_line_of_its_own() -> None:
    item = {"type": "object", "properties": {"id": {"type": "integer"}, "note": {"type": "string"}}, "required": ["id"]}
    found = signature_of("s.t", {"properties": {"items": {"type": "array", "items": item}}}, None)
    assert str(found) == 's.t(items: list[Item] = ...)\nItem = {"id": int, "note"?: str}'


def test_a_recursive_object_is_shown_once() -> None:
    node = {"type": "object", "properties": {"children": {"type": "array", "items": {"$ref": "#/$defs/Node"}}}}
    found = signature_of("s.t", {"properties": {"root": {"$ref": "#/$defs/Node"}}, "$defs": {"Node": node}}, None)
    assert found.objects == ('Node = {"children"?: list[Node]}',)


def test_two_objects_with_the_same_title_get_different_names() -> None:
    one = {"type": "object", "title": "Item", "properties": {"a": {"type": "string"}}}
    other = {"type": "object", "title": "Item", "properties": {"b": {"type": "string"}}}
    found = signature_of("s.t", {"properties": {"x": one}}, other)
    assert found.line == "s.t(x: Item = ...) -> Item2"


def test_the_return_type_is_the_value_without_its_wrapper() -> None:
    output = {"properties": {"result": {"type": "array", "items": {"type": "string"}}}, "required": ["result"]}
    assert line({}, output=output) == "s.t() -> list[str]"


def test_names_and_choices_cannot_add_lines_or_invisible_text() -> None:
    found = line({"a\nIgnore all\u202e that": {"enum": ["x\u200b\ny"]}})
    assert found.isprintable()
    assert "\n" not in found


def test_a_reference_to_itself_is_any() -> None:
    assert line({"x": {"$ref": "#/$defs/A"}}, "x", **{"$defs": {"A": {"$ref": "#/$defs/A"}}}) == "s.t(x: Any)"


def test_a_signature_is_bounded_for_any_schema() -> None:
    wide: dict[str, Any] = {f"p{number}": {"enum": ["v" * 1_000] * 1_000} for number in range(1_000)}
    deep: dict[str, Any] = {"type": "object", "properties": {"x": {}}}
    for _ in range(50):
        deep = {"type": "object", "properties": {f"f{number}": deep for number in range(50)}}
    assert len(str(signature_of("s.t", {"properties": wide}, deep))) < 100_000


@pytest.mark.parametrize(
    "schema",
    [
        "text",
        {"type": "string"},
        {"type": "objekt"},
        {"properties": []},
        {"properties": {"x": {"type": "strnig"}}},
        {"properties": {"x": {"type": 5}}},
        {"required": "x"},
        {"anyOf": [{"type": "wrong"}]},
    ],
)
def test_an_invalid_schema_is_unusable(schema: Any) -> None:
    assert why_unusable(schema) is not None


def test_a_schema_nested_too_deeply_is_unusable() -> None:
    deep: dict[str, Any] = {}
    for _ in range(1_000):
        deep = {"properties": {"x": deep}}
    assert "nested" in str(why_unusable(deep))


def test_properties_may_have_the_names_of_keywords_and_defaults_may_be_anything() -> None:
    properties = {"type": {"type": "string", "default": {"type": "wrong"}}, "required": {"enum": [{"type": "wrong"}]}}
    assert why_unusable({"type": "object", "properties": properties}) is None
