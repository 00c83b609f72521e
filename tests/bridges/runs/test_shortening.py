"""A result that is too long for the client is cut, and stored whole."""

from lab import store_nothing

from codeact_bridges.runs.result_store import ResultStore
from codeact_bridges.runs.shortening import cut_value, shortened
from codeact_bridges.values import Output, Printed, ResultLink, RunResult, Value


def long_result() -> RunResult:
    output = Output((Printed("stdout", "ab"), Printed("stderr", "cd"), Printed("stdout", "ef")))
    return RunResult("double", "none", 0.0, output=output, value=Value("json", "[1,2,3]"))


def test_output_and_value_that_are_too_long_are_cut_and_stored_whole() -> None:
    results = ResultStore(1_000, message_bytes=100_000)

    def store_mine(what: str, mime_type: str, text: str) -> ResultLink | None:
        return results.store("me", what, mime_type, text)

    short = shortened(long_result(), 3, store_mine)

    assert short.output == Output((Printed("stdout", "ab"), Printed("stderr", "c")), cut_bytes=3)
    assert short.value == Value("json", "[1,", cut_bytes=4)
    assert [results.read("me", link.uri) for link in short.stored] == [
        ("text/plain", "abcdef"),
        ("application/json", "[1,2,3]"),
    ]


def test_a_short_result_stays_as_it_is() -> None:
    def never(what: str, mime_type: str, text: str) -> ResultLink | None:
        raise AssertionError("nothing is too long")

    assert shortened(long_result(), 1_000, never) == long_result()


def test_a_result_that_cannot_be_stored_is_cut_all_the_same() -> None:
    short = shortened(long_result(), 3, store_nothing)

    assert short.stored == ()
    assert short.output.cut_bytes == 3


def test_a_value_is_cut_like_text() -> None:
    value = cut_value("repr", "éé", 3)
    assert (value.form, value.text, value.cut_bytes) == ("repr", "é", 2)
