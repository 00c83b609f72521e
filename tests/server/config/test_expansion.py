"""Variables and `~` in the text of a configuration file."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeact_server.config.expansion import ExpansionContext, ExpansionError

CONTEXT = ExpansionContext({"A": "1", "EMPTY": "", "REF": "${A}", "HOME": "/home/u"}, Path("/work"))


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("${A}", "1"),
        ("${env:A}", "1"),
        ("x${A}y${A}z", "x1y1z"),
        ("${A:-2}", "1"),
        ("${NOPE:-2}", "2"),
        ("${NOPE:-}", ""),
        ("${NOPE:-a:-b c}", "a:-b c"),
        ("${env:NOPE:-2}", "2"),
        ("${EMPTY}", ""),
        ("${EMPTY:-2}", "2"),
        ("${REF}", "${A}"),
        ("$A $$A $ {A} ${", "$A $$A $ {A} ${"),
        ("$${A}", "${A}"),
        ("${userHome}/x", "/home/u/x"),
        ("${workspaceFolder}/x", "/work/x"),
    ],
)
def test_a_reference_becomes_the_variables_value(text: str, expanded: str) -> None:
    assert CONTEXT.expand(text) == expanded


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("${NOPE}", "the environment variable NOPE is not set"),
        ("${env:NOPE}", "the environment variable NOPE is not set"),
        ("${env:userHome}", "the environment variable userHome is not set"),
        ("${NOPE:-${A}}", "contains a variable"),
        ("${input:x}", "write ${env:X}"),
        ("${file:/p}", "${file:…} is not supported"),
        ("${cmd:pass show x}", "needs codeact.allow_commands = true"),
        ("${}", "write $${…} for the literal text"),
        ("${A B}", "write $${…} for the literal text"),
    ],
)
def test_a_reference_without_a_value_says_what_to_do(text: str, reason: str) -> None:
    with pytest.raises(ExpansionError) as caught:
        CONTEXT.expand(text)

    assert reason in str(caught.value)


def test_an_error_shows_nothing_of_the_text_around_the_reference() -> None:
    for text in ("hunter2${NOPE}", "${hun ter2}", "${file:hunter2}", "${NOPE2:-${hunter2}}", "${input:hunter2 x}"):
        with pytest.raises(ExpansionError) as caught:
            CONTEXT.expand(text)
        assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "home"), [("~", "/home/u"), ("~/x", "/home/u/x"), ("~other/x", "~other/x"), ("a~", "a~"), ("", "")]
)
def test_a_leading_tilde_is_the_home_folder(text: str, home: str) -> None:
    assert CONTEXT.home(text) == home


def test_without_a_home_a_tilde_stays() -> None:
    assert ExpansionContext({}, Path("/work")).home("~/x") == "~/x"


@given(st.text(alphabet=st.characters(exclude_characters="$")), st.text())
def test_text_without_a_reference_is_unchanged_and_a_value_is_inserted_verbatim(text: str, value: str) -> None:
    context = ExpansionContext({"V": value}, Path("/work"))

    assert context.expand(text) == text
    assert context.expand(f"{text}${{V}}{text}") == f"{text}{value}{text}"
