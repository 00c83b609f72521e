"""The shape of a result: types and keys."""

import json

import pytest

from codeact_bridges.tools.catalog.shapes import MAX_TEXT, from_plain, merged, plain, shape_of
from codeact_bridges.values import Data, JsonValue, Link, Media, ToolParts


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("secret", "str"),
        (None, "None"),
        ([], "list"),
        ([1, 2.5, None], "list[float | int | None]"),
        ({"id": 1, "tags": ["a"]}, '{"id": int, "tags": list[str]}'),
        ([{"id": 1}, {"id": 2, "note": None}], 'list[{"id": int, "note"?: None}]'),
    ],
)
def test_a_shape_shows_types_and_keys_and_no_values(value: JsonValue, text: str) -> None:
    assert str(shape_of(Data(value))) == text


def test_shapes_of_several_results_are_merged() -> None:
    found = merged(shape_of(Data({"id": 1})), shape_of(Data({"id": "x", "more": True})))
    assert str(found) == '{"id": int | str, "more"?: bool}'


@pytest.mark.parametrize("key", ["ada@example.com", "2026-10-01", "12", "report.pdf", "https://a.b", "x" * 41, ""])
def test_keys_that_are_data_are_not_part_of_a_shape(key: str) -> None:
    assert str(shape_of(Data({key: {"id": 1}}))) == 'dict[str, {"id": int}]'


def test_an_object_whose_keys_differ_between_results_is_a_mapping() -> None:
    shape = shape_of(Data({"alan": 1}))
    for number in range(4):
        shape = merged(shape, shape_of(Data({f"name{chr(97 + number)}{chr(97 + n)}": 1 for n in range(20)})))
    assert str(shape) == "dict[str, int]"


@pytest.mark.parametrize("value", [None, [], [[1], {"a": None}], {"a": {"b": [1, "x"]}, "c": {"1": 2.0}}])
def test_a_shape_survives_a_round_trip_through_json(value: JsonValue) -> None:
    shape = merged(shape_of(Data(value)), shape_of(Data({"more": 1})))
    assert from_plain(json.loads(json.dumps(plain(shape)))) == shape


@pytest.mark.parametrize("found", [None, [], {"keys": []}, {"scalars": "str"}, {"items": {"items": 1}}])
def test_invalid_shapes_are_refused(found: object) -> None:
    with pytest.raises(ValueError, match="not a shape"):
        from_plain(found)


def test_media_and_parts_have_shapes() -> None:
    assert (
        str(shape_of(ToolParts((Data("x"), Media("image", "image/png", ""), Link("u", "n")))))
        == "list[Image | Link | str]"
    )


def test_a_shape_is_bounded_for_any_value() -> None:
    deep: JsonValue = 1
    for number in range(100):
        deep = {f"key{number}{n}" * 20: deep for n in range(3)} if number > 95 else {"k": deep}
    assert len(str(shape_of(Data(deep)))) <= MAX_TEXT
