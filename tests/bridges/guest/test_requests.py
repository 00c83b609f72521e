"""What a guest sends is untrusted: it becomes a frozen value, or an error the guest can read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from codeact_bridges.errors import BadGuestCall
from codeact_bridges.guest import requests as calls

MODELS: list[type[BaseModel]] = [
    calls.CallTool, calls.SearchTools, calls.DescribeTool, calls.ListTools, calls.Sleep, calls.Wait, calls.Cancel,
    calls.GetModule, calls.ReadModuleData, calls.DisplayValue, calls.DisplayMedia, calls.Request,
]  # fmt: skip


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
@pytest.mark.parametrize(
    "text", ["", "null", "[]", "{", '{"surely_unknown":1}', '"text"', "1", '{"name":' + "[" * 10_000]
)
def test_what_is_not_of_the_form_is_a_bad_call_that_names_the_operation(model: type[BaseModel], text: str) -> None:
    with pytest.raises(BadGuestCall, match=r"^some\.operation: "):
        calls.parse(model, "some.operation", text)


@given(st.text())
def test_any_text_is_read_as_a_call_or_refused(text: str) -> None:
    for model in MODELS:
        try:
            calls.parse(model, "x", text)
        except BadGuestCall:
            continue


@pytest.mark.parametrize(
    ("model", "text", "said"),
    [
        (calls.Sleep, '{"seconds":-1}', "x: seconds: "),
        (calls.Sleep, '{"seconds":NaN}', "x: seconds: "),
        (calls.Sleep, '{"seconds":"1"}', None),
        (calls.CallTool, '{"tool":1,"arguments":{}}', "x: tool: "),
        (calls.CallTool, '{"tool":"t","arguments":[]}', "x: arguments: "),
        (calls.DisplayMedia, '{"kind":"image","mime_type":"<b>","base64":""}', "x: mime_type: "),
        (calls.DisplayMedia, '{"kind":"image","mime_type":"image/png","base64":"a b"}', "x: base64: "),
    ],
)
def test_the_first_thing_that_is_wrong_is_named(model: type[BaseModel], text: str, said: str | None) -> None:
    if said is None:
        calls.parse(model, "x", text)
        return
    with pytest.raises(BadGuestCall) as refused:
        calls.parse(model, "x", text)
    assert str(refused.value).startswith(said)


def test_a_submission_is_a_number_an_operation_and_its_arguments_untouched() -> None:
    submit = calls.parse_submit('7 tools.call\n{"tool":"a\\nb"}')
    assert (submit.id, submit.operation, submit.text) == (7, "tools.call", '{"tool":"a\\nb"}')


@pytest.mark.parametrize("text", ["", "x tools.call\n{}", "-1 a\n", "1" * 17 + " a\n", "٣ a\n", " a\n"])
def test_a_submission_without_a_number_is_refused(text: str) -> None:
    with pytest.raises(BadGuestCall, match="begins with a number"):
        calls.parse_submit(text)
