"""Names and patterns as they are compared."""

from fnmatch import translate
from re import fullmatch

import pytest

from codeact_bridges.names import as_identifier, folded, folded_pattern, has_wildcard, matches


def test_a_hyphen_and_an_underscore_are_the_same_in_a_name() -> None:
    assert folded("my-git_server") == folded("my_git-server") == "my_git_server"


def test_a_name_becomes_an_identifier_by_underscores() -> None:
    assert as_identifier("my-server.get/all é") == "my_server_get_all_é"


@pytest.mark.parametrize(("pattern", "wildcard"), [("get-it", False), ("get*", True), ("get?", True), ("[gs]et", True)])
def test_a_pattern_with_a_wildcard_is_recognised(pattern: str, wildcard: bool) -> None:
    assert has_wildcard(pattern) is wildcard


@pytest.mark.parametrize(
    ("pattern", "name", "by_filter", "by_policy"),
    [
        ("get-*", "get_all", True, True),
        ("get_*", "get-all", True, True),
        ("tool_[a-c]", "tool-b", False, True),
        ("tool_[a-c]", "tool_d", False, False),
        ("get[-_]x", "get-x", True, True),
        ("get[-]x", "get-x", True, False),
        ("tool[a-c]", "tool_", True, False),
        ("Get", "get", False, False),
    ],
)
def test_patterns_of_the_tool_filter_and_of_the_policy_differ_only_in_patterns_with_brackets(
    pattern: str, name: str, by_filter: bool, by_policy: bool
) -> None:
    assert matches(pattern, name) is by_filter
    assert (fullmatch(translate(folded_pattern(pattern)), folded(name)) is not None) is by_policy
