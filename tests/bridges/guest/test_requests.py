"""What a guest sends is untrusted: it becomes a frozen value, or an error the guest can read."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from codeact_bridges.errors import BadGuestCall
from codeact_bridges.guest import requests
from codeact_bridges.values import JsonValue

MODELS: list[type[BaseModel]] = [
    requests.CallTool, requests.SearchTools, requests.DescribeTool, requests.ListTools, requests.Sleep, requests.Wait,
    requests.Cancel, requests.GetModule, requests.ReadModuleData, requests.DisplayValue, requests.DisplayMedia,
    requests.Request,
]  # fmt: skip


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
@pytest.mark.parametrize(
    "text", ["", "null", "[]", "{", '{"surely_unknown":1}', '"text"', "1", '{"name":' + "[" * 10_000]
)
def test_what_is_not_of_the_form_is_a_bad_call_that_names_the_operation(model: type[BaseModel], text: str) -> None:
    with pytest.raises(BadGuestCall, match=r"^some\.operation: "):
        requests.parse(model, "some.operation", text)


@given(st.text())
def test_any_text_is_read_as_a_call_or_refused(text: str) -> None:
    for model in MODELS:
        try:
            requests.parse(model, "x", text)
        except BadGuestCall:
            continue


@pytest.mark.parametrize(
    ("model", "text", "said"),
    [
        (requests.Sleep, '{"seconds":-1}', "x: seconds: "),
        (requests.Sleep, '{"seconds":NaN}', "x: seconds: "),
        (requests.Sleep, '{"seconds":"1"}', None),
        (requests.CallTool, '{"tool":1,"arguments":{}}', "x: tool: "),
        (requests.CallTool, '{"tool":"t","arguments":[]}', "x: arguments: "),
        (requests.DisplayMedia, '{"kind":"image","mime_type":"<b>","base64":""}', "x: mime_type: "),
        (requests.DisplayMedia, '{"kind":"image","mime_type":"image/png","base64":"a b"}', "x: base64: "),
    ],
)
def test_the_first_thing_that_is_wrong_is_named(model: type[BaseModel], text: str, said: str | None) -> None:
    if said is None:
        requests.parse(model, "x", text)
        return
    with pytest.raises(BadGuestCall) as refused:
        requests.parse(model, "x", text)
    assert str(refused.value).startswith(said)


def test_a_submission_is_a_number_an_operation_and_its_arguments_untouched() -> None:
    submit = requests.parse_submit('7 tools.call\n{"tool":"a\\nb"}')
    assert (submit.id, submit.operation, submit.text) == (7, "tools.call", '{"tool":"a\\nb"}')


@pytest.mark.parametrize("text", ["", "x tools.call\n{}", "-1 a\n", "1" * 17 + " a\n", "٣ a\n", " a\n"])
def test_a_submission_without_a_number_is_refused(text: str) -> None:
    with pytest.raises(BadGuestCall, match="begins with a number"):
        requests.parse_submit(text)


def is_finite(value: JsonValue) -> bool:
    match value:
        case float():
            return math.isfinite(value)
        case list():
            return all(is_finite(each) for each in value)
        case dict():
            return all(is_finite(each) for each in value.values())
        case _:
            return True


WORDS = st.sampled_from(["NaN", "Infinity", "1e999", "plain"]) | st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=10,
)


@given(st.dictionaries(WORDS, VALUES, max_size=4))
def test_arguments_are_read_as_they_are_unless_a_number_is_not_finite(arguments: dict[str, Any]) -> None:
    text = json.dumps({"tool": "t", "arguments": arguments})
    if is_finite(arguments):
        assert requests.parse_tool_call(text).arguments == arguments
    else:
        with pytest.raises(BadGuestCall, match="call_tool: an argument holds NaN, an infinity or a number too large"):
            requests.parse_tool_call(text)


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999", "-1E+400", "0.1e500", "1" * 400 + ".0"])
def test_a_number_that_no_float_can_hold_is_refused(number: str) -> None:
    with pytest.raises(BadGuestCall):
        requests.parse_tool_call(f'{{"tool":"t","arguments":{{"deep":[{{"x":{number}}}]}}}}')
