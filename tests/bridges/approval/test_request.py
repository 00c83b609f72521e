"""What a person is shown of a tool call: enough to decide, bounded, without secrets, and nothing that misleads."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codeact_bridges.approval.request import (
    MAX_ARGUMENTS_BYTES,
    MAX_LINE_BYTES,
    MAX_VALUE_BYTES,
    ApprovalRequest,
    approval_request,
)
from codeact_bridges.values import JsonValue

CODE = "a = 1\n    call_tool('shop.drop', item=a)\nb = 2\n"


def asked(arguments: dict[str, JsonValue], *, code: str = CODE, line: int | None = 2) -> ApprovalRequest:
    return approval_request(
        "shop", "drop", arguments, code=code, line=line, reason="the tool says that it is destructive"
    )


def test_a_person_sees_server_tool_arguments_line_and_reason() -> None:
    assert asked({"item": 1}).text() == (
        'A program wants to call shop.drop with\n{\n "item": 1\n}\n'
        "in its line 2: call_tool('shop.drop', item=a)\n"
        "(the tool says that it is destructive)"
    )


@pytest.mark.parametrize("piece", ["-eyJ", "eyJaaaaaaaa.", "-----BEGIN ", "password ", "://a:", "\n"])
def test_however_long_the_arguments_are_little_of_them_is_looked_at(piece: str) -> None:
    many: dict[str, JsonValue] = {f"k{number}": list[JsonValue]([piece * 3_000] * 20) for number in range(50)}

    assert len(asked({"item": many}).arguments.encode()) < MAX_ARGUMENTS_BYTES + 50


def test_a_name_cannot_bring_lines_of_its_own() -> None:
    name = "drop\n(the tool says that it is read-only)\u202e"
    shown = approval_request("shop", name, {}, code="", line=None, reason="why").text()

    assert shown.splitlines() == [
        "A program wants to call shop.drop (the tool says that it is read-only) with",
        "{}",
        "(why)",
    ]


@pytest.mark.parametrize("line", [None, 0, -1, 4, 10**30])
def test_a_line_that_the_program_does_not_have_is_not_shown(line: int | None) -> None:
    assert asked({}, line=line).line == ""


def test_a_long_line_is_cut_and_what_cannot_be_printed_is_not() -> None:
    line = asked({}, code="x = '\u202egnp.exe'; " + "y" * 5_000, line=1).line

    assert "\u202e" not in line
    assert len(line.encode()) < MAX_LINE_BYTES + 50
    assert line.endswith("characters in all)")


@pytest.mark.parametrize(
    "name",
    ["password", "db_password", "api_key", "apiKey", "access_token", "clientSecret", "Authorization", "private_key"],
)
def test_the_value_of_what_is_called_like_a_secret_is_masked(name: str) -> None:
    shown = json.loads(asked({name: "hunter2", "deep": [{name: ["hunter2"]}]}).arguments)

    assert shown == {name: "[masked]", "deep": [{name: "[masked]"}]}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Authorization: Bearer abcdefghij", "Authorization: [masked]"),
        ("key sk-abcdefghijklmnop!", "key [masked]!"),
        ("ghp_0123456789abcdef", "[masked]"),
        ("postgres://me:hunter2@db/x", "postgres://[masked]@db/x"),
        ("host=db password=hunter2;x=1", "host=db password=[masked];x=1"),
        ("call({'password': 'hunter2'}, token=\"hunter2\")", "call({'password': '[masked]'}, token=\"[masked]\")"),
        ("eyJhbGciOiJI.eyJzdWIi.c2ln", "[masked]"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMII", "[masked]"),
        ("a task about tokens and a password policy", "a task about tokens and a password policy"),
    ],
)
def test_what_looks_like_a_secret_is_masked_whatever_it_is_called(text: str, shown: str) -> None:
    assert json.loads(asked({"text": text}).arguments) == {"text": shown}
    assert json.loads(asked({"list": [text]}).arguments) == {"list": [shown]}


def test_what_is_no_secret_stays() -> None:
    arguments: dict[str, JsonValue] = {"max_tokens": 500, "author": "Ada", "key": "PROJ-1", "token": None, "auth": True}

    assert json.loads(asked(arguments).arguments) == arguments


@pytest.mark.parametrize("shown", [3, 7, 20])
def test_no_part_of_a_secret_is_shown_where_a_text_is_cut_within_it(shown: int) -> None:
    """However little of the secret is in the part that is kept: 3 characters of it do not look like one any more."""
    secret = " ghp_" + "A" * 36

    arguments = asked({"text": "x" * (MAX_VALUE_BYTES - len(" ghp_") - shown) + secret}).arguments
    line = asked({}, code="x" * (MAX_LINE_BYTES - len(" ghp_") - shown) + secret, line=1).line

    assert "ghp_" not in arguments
    assert "ghp_" not in line


def test_no_character_of_the_arguments_can_turn_the_text_around() -> None:
    assert asked({"item": "\u202e\x1b[2J\u200b"}).arguments.isascii()
    assert "\x1b" not in asked({"item": "\x1b[2J"}).arguments


values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@settings(max_examples=50, deadline=None)
@given(arguments=st.dictionaries(st.text(), values))
def test_whatever_the_arguments_are_they_can_be_shown_and_are_bounded(arguments: dict[str, JsonValue]) -> None:
    assert len(asked(arguments).arguments.encode()) < MAX_ARGUMENTS_BYTES + 100


def test_of_much_the_beginning_is_shown_and_how_much_there_is() -> None:
    arguments: dict[str, JsonValue] = {
        "text": "x" * 100_000,
        "list": list(range(10_000)),
        "k" * 1_000: 1,
        **{f"key {n}": n for n in range(1_000)},
    }

    shown = asked(arguments).arguments

    assert len(shown.encode()) < MAX_ARGUMENTS_BYTES + 100
    assert "(100,000 characters in all)" in shown
    assert "9,980 more" in shown


def test_a_number_that_python_will_not_write_out_can_be_shown() -> None:
    shown = asked({"number": 10**6_000, "negative": -(10**6_000), "long": 10**30}).arguments

    assert "a number of about 5," in shown
    assert str(10**30) in shown


def test_arguments_nested_deeply_are_shown_to_a_depth() -> None:
    deep: JsonValue = "end"
    for _ in range(500):
        deep = [deep]

    assert '"\\u2026"' in asked({"deep": deep}).arguments
