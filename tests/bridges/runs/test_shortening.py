"""A result that is too long for the client loses its middle, and is stored whole."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lab import store_nothing

from codeact_bridges.runs.result_store import ResultStore
from codeact_bridges.runs.shortening import cut_output, cut_value, fold_repeated_lines, output_after, shortened
from codeact_bridges.values import Failure, Media, Output, Printed, ResultLink, RunResult, Value

PIECES = st.lists(
    st.builds(Printed, st.sampled_from(["stdout", "stderr"]), st.text("aé\n", min_size=1, max_size=30)), max_size=8
)


def long_result() -> RunResult:
    output = Output((Printed("stdout", "abc"), Printed("stderr", "de"), Printed("stdout", "fgh")))
    return RunResult("double", "none", 0.0, output=output, value=Value("json", "[1,2,3]"))


def test_what_is_too_long_loses_its_middle_and_is_stored_whole() -> None:
    results = ResultStore(1_000, message_bytes=100_000)

    def store_mine(what: str, mime_type: str, text: str) -> ResultLink | None:
        return results.store("me", what, mime_type, text)

    picture = Media("image", "image/png", "QQ==")
    shown = (Value("text", "shown\n" * 2), picture, Value("json", "7"))
    failure = Failure("raised", "Traceback\nValueError")
    short = shortened(
        RunResult("double", "none", 0.0, long_result().output, long_result().value, shown, failure=failure),
        4,
        store_mine,
    )

    assert short.output == Output((Printed("stdout", "ab…"),), 4, (Printed("stdout", "…gh"),), stored=True)
    assert short.value == Value("json", "[1…", 3, "…3]", stored=True)
    assert short.displayed == (Value("text", "s…", 10, "…\n", stored=True), picture, Value("json", "7"))
    assert short.failure == Failure("raised", "Tr…\n[16 bytes left out here]\n…or")
    assert [(link.what, *results.read("me", link.uri)) for link in short.stored] == [
        ("all that was printed", "text/plain", "abcdefgh"),
        ("the whole value", "application/json", "[1,2,3]"),
        ("the whole failure", "text/plain", failure.message),
        ("all that was displayed", "text/plain", "shown\nshown\n\n7"),
    ]


def test_a_short_result_stays_as_it_is() -> None:
    def never(what: str, mime_type: str, text: str) -> ResultLink | None:
        raise AssertionError("nothing is too long")

    assert shortened(long_result(), 1_000, never) == long_result()


def test_a_result_that_cannot_be_stored_is_cut_all_the_same() -> None:
    short = shortened(long_result(), 4, store_nothing)

    assert short.stored == ()
    assert (short.output.cut_bytes, short.output.stored) == (4, False)


def test_all_output_is_stored_where_only_a_short_rest_of_it_is_unread() -> None:
    stored: list[str] = []

    def store(what: str, mime_type: str, text: str) -> ResultLink | None:
        stored.append(text)
        return ResultLink("result://1", what, mime_type, len(text))

    short = shortened(long_result(), 7, store, unread=Output((Printed("stdout", "gh"),)))

    assert short.output == Output((Printed("stdout", "gh"),), stored=True)
    assert stored == ["abcdefgh"]


def test_a_value_is_cut_between_characters_and_where_it_has_lines_between_lines() -> None:
    one_line = cut_value(Value("repr", "éééé"), 5)
    lines = cut_value(Value("text", "one\ntwo\nthree\nfour\n"), 12)

    assert one_line == Value("repr", "é…", 4, "…é")
    assert lines == Value("text", "one\n", 10, "four\n")


@given(st.recursive(st.integers() | st.text(), st.lists, max_leaves=20))
def test_json_that_is_cut_is_no_json(value: object) -> None:
    text = json.dumps(value)
    short = cut_value(Value("json", text), 12)
    if short.cut_bytes:
        for part in (short.text, short.tail, f"{short.text}\n{short.tail}"):
            with pytest.raises(ValueError, match=r"^(Expecting|Extra data|Unterminated|Invalid)"):
                json.loads(part)


@given(PIECES, st.integers(min_value=2, max_value=80))
def test_cut_output_is_a_beginning_and_an_end_in_order_with_everything_between_counted(
    pieces: list[Printed], limit: int
) -> None:
    def characters(some: tuple[Printed, ...]) -> list[tuple[str, str]]:
        return [(piece.stream, letter) for piece in some for letter in piece.text if letter != "…"]

    everything = characters(tuple(pieces))
    short = cut_output(Output(tuple(pieces)), limit)
    before, after = characters(short.pieces), characters(short.tail)

    assert everything[: len(before)] == before
    assert everything[len(everything) - len(after) :] == after
    left_out = everything[len(before) : len(everything) - len(after)]
    assert sum(len(letter.encode()) for _, letter in left_out) == short.cut_bytes
    if short.cut_bytes:
        assert sum(len(letter.encode()) for _, letter in (*before, *after)) <= limit


@given(PIECES, st.integers(min_value=0, max_value=100))
def test_output_after_some_characters_is_all_the_rest(pieces: list[Printed], chars: int) -> None:
    def characters(some: tuple[Printed, ...]) -> list[tuple[str, str]]:
        return [(piece.stream, letter) for piece in some for letter in piece.text]

    assert characters(output_after(Output(tuple(pieces)), chars).pieces) == characters(tuple(pieces))[chars:]


def test_equal_lines_in_a_row_are_counted() -> None:
    text = "Traceback\n" + "when serializing list item 0\n" * 5_000 + "a\na\na\nb"

    assert fold_repeated_lines(text) == (
        "Traceback\nwhen serializing list item 0\n[Previous line repeated 4,999 more times]\na\na\na\nb"
    )
