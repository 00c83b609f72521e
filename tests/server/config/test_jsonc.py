"""JSON with comments and trailing commas, turned into standard JSON."""

import json
from typing import Any

import pytest

from codeact_server.config.jsonc import without_comments


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1} // end', {"a": 1}),
        ('{/* a */"a": 1, /* b\n * c */ "b": 2}', {"a": 1, "b": 2}),
        ('{"a": [1, 2,],}', {"a": [1, 2]}),
        ('{"a": 1, // one\n}', {"a": 1}),
        ('{"url": "https://a//b"}', {"url": "https://a//b"}),
        (r'{"a": "\" // \\", "b": "/* */,}"}', {"a": '" // \\', "b": "/* */,}"}),
    ],
)
def test_comments_and_last_commas_go_and_strings_stay(text: str, value: Any) -> None:
    assert json.loads(without_comments(text)) == value


def test_every_character_stays_in_its_line_and_column() -> None:
    text = '{ // one\n  /* two\n three */ "a": 1,\n}'
    plain = without_comments(text)

    assert [len(line) for line in plain.split("\n")] == [len(line) for line in text.split("\n")]
    assert plain.index('"a"') == text.index('"a"')


@pytest.mark.parametrize("text", ["/*" * 200_000, '"' * 200_001, "/*" + "*" * 400_000, '"' + "\\" * 400_000])
def test_what_is_never_closed_does_not_take_long(text: str) -> None:
    """A quadratic search would take minutes here."""
    with pytest.raises(json.JSONDecodeError):
        json.loads(without_comments(text))
