"""How many parts one message from a downstream server may have."""

import pytest

from codeact_bridges.tools.transports.json_limits import MAX_PARTS, has_too_many_parts


@pytest.mark.parametrize("part", [b"[],", b"0,", b"{},", b'"",', b'{"":', b'"",\n'])
def test_a_message_of_a_million_small_parts_is_too_much(part: bytes) -> None:
    assert has_too_many_parts(b"[" + part * (MAX_PARTS + 1))


@pytest.mark.parametrize("char", ["[", ",", "{", '\\"', "\\\\"])
def test_a_long_string_is_one_part_whatever_is_in_it(char: str) -> None:
    assert not has_too_many_parts('["' + char * (2 * MAX_PARTS) + '"]')


def test_a_string_that_does_not_end_hides_nothing_before_it() -> None:
    assert has_too_many_parts("[" * (MAX_PARTS + 1) + '"' + "," * MAX_PARTS)


def test_a_message_with_as_many_parts_as_allowed_is_not_too_much() -> None:
    assert not has_too_many_parts("," * MAX_PARTS)
    assert has_too_many_parts("," * (MAX_PARTS + 1))


def test_text_that_utf8_cannot_encode_is_counted_too() -> None:
    assert has_too_many_parts("\ud800" + "," * (MAX_PARTS + 1))
