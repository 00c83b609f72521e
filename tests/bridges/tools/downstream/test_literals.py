"""Text results that are Python literals: parsed exactly, or left as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeact_bridges.tools.downstream.literals import MAX_CHARS, literal_or_text
from codeact_bridges.values import JsonValue

JSON: st.SearchStrategy[JsonValue] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.lists(JSON, max_size=3))
def test_a_literal_that_python_wrote_is_parsed_to_its_value(value: list[JsonValue]) -> None:
    assert literal_or_text(repr(value)) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{'id': 1, 'ok': True}", {"id": 1, "ok": True}),
        ("[('a', 1), ('b', None)]", [["a", 1], ["b", None]]),
        ("None", None),
        ("'it\\'s'", "it's"),
        (" ( ) ", []),
    ],
)
def test_a_literal_is_a_value(text: str, value: JsonValue) -> None:
    assert literal_or_text(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "prose",
        "",
        "[1, 2",
        "{1: 'a'}",
        "{'a', 'b'}",
        "b'bytes'",
        "[datetime.date(2026, 1, 1)]",
        "[Decimal('1')]",
        "[__import__('os').system('id')]",
        "[f'{x}']",
        "[1e999]",
        "3.10",
        "[" * 60 + "]" * 60,
        "[" * 100_000,
        "[" + "-" * 100_000 + "1]",
        "['" + "x" * MAX_CHARS + "']",
        "[1 for x in y]",
        "[" + "9" * 5_000 + "]",
    ],
)
def test_everything_else_stays_text(text: str) -> None:
    assert literal_or_text(text) == text
