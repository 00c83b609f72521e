"""What the host replies to a guest is JSON, and a value that has been encoded is not encoded again."""

import json

import pytest

from codeact_bridges.errors import ToolDenied
from codeact_bridges.guest.replies import error_text, reply_text
from codeact_bridges.values import Data, Link, Media, ToolParts, ToolValue


@pytest.mark.parametrize(
    ("value", "reply"),
    [
        (Data({"a": [1, None, "é"]}), {"data": {"a": [1, None, "é"]}}),
        (
            Media("image", "image/png", "AAAA"),
            {"media": {"kind": "image", "mime_type": "image/png", "base64": "AAAA", "uri": None}},
        ),
        (
            Link("memo://a", "a", None, "shop"),
            {"link": {"uri": "memo://a", "name": "a", "mime_type": None, "server": "shop"}},
        ),
        (ToolParts((Data(1), Data("x", '"x"'))), {"parts": [{"data": 1}, {"data": "x"}]}),
        (ToolParts(()), {"parts": []}),
    ],
)
def test_a_value_becomes_json(value: ToolValue, reply: object) -> None:
    assert json.loads(reply_text(value)) == reply


def test_a_value_that_has_been_encoded_is_carried_as_it_is() -> None:
    assert reply_text(Data({"a": 1}, '{"a": 1}')) == '{"data":{"a": 1}}'


@pytest.mark.parametrize("value", [Data("half \ud800"), Data(object())])  # type: ignore[arg-type]
def test_a_value_that_json_cannot_carry_is_a_value_error(value: Data) -> None:
    with pytest.raises(ValueError, match="serializ"):
        reply_text(value)


def test_an_error_names_the_guests_exception_and_its_facts() -> None:
    assert json.loads(error_text(ToolDenied("shop", "drop", "not today"))) == {
        "type": "ToolDenied",
        "message": "shop.drop: not today",
        "facts": {"server": "shop", "tool": "drop", "reason": "not today"},
    }
