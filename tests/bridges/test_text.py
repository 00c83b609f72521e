"""Foreign text as it is shown."""

import pytest

from codeact_bridges.text import cut, cut_text, escaped, first_sentence, lines, one_line, visible

HIDDEN = "a\x00b\u202ec\U000e0041d"
"""A control character, a bidirectional override and a Unicode tag between letters."""


def test_invisible_characters_are_removed_or_replaced() -> None:
    assert visible(HIDDEN) == "abcd"
    assert visible(HIDDEN, " ") == "a b c d"
    assert visible("a\u2028b\tc") == "a b c"


def test_one_line_has_no_line_break_and_no_two_spaces_and_is_bounded() -> None:
    assert one_line("  a\n\n b\u00a0\tc ", 10) == "a b c"
    assert one_line("a\x00b", 10, instead=" ") == "a b"
    assert one_line("word " * 100, 10) == "word word…"


def test_escaped_text_tells_different_texts_apart() -> None:
    assert escaped("plain é") == "plain é"
    assert escaped("a\nb\x1b[31m\ud800") == "a\\nb\\x1b[31m\\ud800"


@pytest.mark.parametrize(("limit", "shown"), [(5, "abcde"), (4, "abc…"), (1, "…")])
def test_cut_text_is_never_longer_than_the_limit(limit: int, shown: str) -> None:
    assert cut("abcde", limit) == shown


def test_no_blank_stands_before_the_ellipsis() -> None:
    assert cut("abc  def", 6) == "abc…"


def test_lines_say_how_much_was_left_out() -> None:
    assert lines("a\n\tb\x07 \nc", 100) == "a\n    b\nc"
    assert lines("a" * 12, 10) == "a" * 10 + "… [2 more characters]"


def test_the_first_sentence_does_not_end_at_an_abbreviation() -> None:
    assert first_sentence("Finds things, e.g. Files. Then more.\n\nMore.", 100) == "Finds things, e.g. Files."
    assert first_sentence("No end here\nand on", 100) == "No end here and on"


@pytest.mark.parametrize(
    ("limit", "beginning", "omitted"), [(6, "aéé", 0), (4, "aé", 2), (3, "aé", 2), (0, "", 5), (-1, "", 5)]
)
def test_text_is_cut_by_bytes_between_characters(limit: int, beginning: str, omitted: int) -> None:
    assert cut_text("aéé", limit) == (beginning, omitted)
