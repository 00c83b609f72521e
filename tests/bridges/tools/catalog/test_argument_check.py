"""Arguments are looked at before anything is sent, and whoever got them wrong learns all of it at once."""

import time
from typing import Any

import pytest

from codeact_bridges.errors import BadArguments
from codeact_bridges.tools.catalog.catalog import CatalogTool

SEARCH: dict[str, Any] = {
    "type": "object",
    "properties": {
        "query": {"type": "string"},
        "limit": {"type": "integer", "minimum": 1},
        "state": {"enum": ["open", "closed"]},
        "rows": {"type": "array", "items": {"$ref": "#/$defs/Row"}},
    },
    "required": ["query"],
    "$defs": {"Row": {"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"]}},
}


def complaint(arguments: dict[str, Any], schema: dict[str, Any] | None = None) -> str:
    """What is said against `arguments`; empty if nothing is."""
    try:
        CatalogTool("shop", "search", input_schema=SEARCH if schema is None else schema).check(arguments)
    except BadArguments as exc:
        return exc.reason
    return ""


def test_good_arguments_pass() -> None:
    assert not complaint({"query": "x", "limit": 3, "state": "open", "rows": [{"id": 1, "extra": 2}]})


def test_everything_wrong_is_said_at_once_with_the_signature() -> None:
    found = complaint({"qury": "x", "limit": "3", "state": "ajar", "rows": [{"id": 1}, {"id": None}, {}]})
    for part in (
        "'query' is missing",
        "there is no 'qury' (did you mean 'query'?)",
        "limit must be int, not str '3'",
        'state must be Literal["open", "closed"], not str \'ajar\'',
        "rows[1]['id'] must be int, not None",
        "rows[2] lacks 'id'",
        "Signature: shop.search(query: str, limit: int = ...",
    ):
        assert part in found


def test_a_number_out_of_range_is_said_with_the_bound() -> None:
    assert "limit is int 0, against minimum int 1" in complaint({"query": "x", "limit": 0})


def test_an_unknown_argument_is_refused_even_where_the_schema_forgot_to() -> None:
    assert "there is no 'colour'" in complaint({"colour": "red"}, {"properties": {"size": {}}})


ROOMY: list[dict[str, Any]] = [
    {},
    {"type": "object"},
    {"properties": {"size": {}}, "additionalProperties": True},
    {"properties": {"size": {}}, "patternProperties": {"^c": {}}, "additionalProperties": False},
    {"properties": {"size": {}}, "allOf": [{"properties": {"colour": {}}}]},
]


@pytest.mark.parametrize("schema", ROOMY)
def test_an_argument_that_the_schema_leaves_room_for_passes(schema: dict[str, Any]) -> None:
    assert not complaint({"colour": "red"}, schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"x": {"$ref": "https://example.com/schema.json"}}},
        {"properties": {"x": {"$ref": "#/$defs/Nowhere"}}},
        {"properties": {"x": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"$ref": "#/$defs/A"}}},
        {"properties": {"x": {"minLength": "many"}}},
    ],
)
def test_what_a_broken_schema_cannot_tell_is_left_to_the_server(schema: dict[str, Any]) -> None:
    assert not complaint({"x": "value"}, schema)


def test_no_schema_can_make_the_check_take_long() -> None:
    doubling = {f"A{n}": {"anyOf": [{"$ref": f"#/$defs/A{n + 1}"}] * 2} for n in range(40)}
    regular: dict[str, Any] = {"type": "string", "pattern": "(a+)+$"}
    schema: dict[str, Any] = {
        "properties": {
            "x": {"$ref": "#/$defs/A0"},
            "y": regular,
            "z": {"type": "array", "uniqueItems": True, "items": {}},
        },
        "$defs": {**doubling, "A40": {"type": "string"}},
    }
    started = time.process_time()
    complaint({"x": 5}, schema)
    complaint({"y": "a" * 40 + "!"}, schema)
    complaint({"z": [{"n": n} for n in range(20_000)]}, schema)
    assert time.process_time() - started < 60  # CPU seconds; 2 with the bounds, years without


def test_a_complaint_is_bounded_whatever_the_arguments() -> None:
    assert len(complaint({f"unknown{n}" * 50: n for n in range(1_000)})) < 3_000


def test_a_suggestion_is_made_only_where_there_are_few_names_and_only_for_the_first_three() -> None:
    few: dict[str, Any] = {"properties": {f"colour{n}": {} for n in range(200)}}
    many: dict[str, Any] = {"properties": {f"colour{n}": {} for n in range(201)}}
    assert complaint({f"color{n}": "red" for n in range(5)}, few).count("did you mean 'colour") == 3
    found = complaint({"color1": "red"}, many)
    assert "there is no 'color1'" in found
    assert "did you mean" not in found


def test_a_name_of_any_length_is_compared_by_its_beginning() -> None:
    found = complaint({"x" * 59 + "y" * 100_000: 1}, {"properties": {"x" * 60 + "z" * 100_000: {}}})
    assert f"did you mean '{'x' * 59}…'" in found


def test_missing_and_unknown_arguments_are_listed_up_to_a_number() -> None:
    names = [f"name{n:03}" for n in range(500)]
    found = complaint({}, {"properties": {name: {} for name in names}, "required": names})
    assert found.count("is missing") == 8
    assert "and more" in found
    assert complaint({f"unknown{n}": n for n in range(9)}).count("there is no") == 7  # and one is missing
