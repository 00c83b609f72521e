"""The tool filter: selection, renaming and fixed arguments."""

import logging
from typing import Any

import pytest

from codeact_bridges.errors import BadArguments
from codeact_bridges.tools.catalog.catalog import Catalog, CatalogTool
from codeact_bridges.tools.catalog.tool_filter import MAX_UNMATCHED, filtered, unmatched
from codeact_bridges.tools.spec import ToolFilter, ToolSelection

ISSUES: dict[str, Any] = {
    "type": "object",
    "properties": {"repo": {"type": "string"}, "state": {"enum": ["open", "closed"]}},
    "required": ["repo", "state"],
    "additionalProperties": False,
}


def tool(name: str, schema: dict[str, Any] | None = None, *, read_only: bool = False) -> CatalogTool:
    return CatalogTool("github", name, input_schema=schema or {"type": "object"}, read_only=read_only)


def names(tool_filter: ToolFilter, *tools: CatalogTool) -> list[str]:
    return [one.name for one in filtered(tools, tool_filter)]


def selection(allow: tuple[str, ...] = (), deny: tuple[str, ...] = (), *, read_only: bool = False) -> ToolFilter:
    return ToolFilter(tools=ToolSelection(allow=allow, deny=deny, read_only=read_only))


def test_without_an_allow_list_every_tool_is_there() -> None:
    assert names(ToolFilter(), tool("get"), tool("drop")) == ["get", "drop"]


def test_an_allow_list_leaves_out_all_others() -> None:
    assert names(selection(allow=("get_*", "list?")), tool("get_a"), tool("lists"), tool("drop")) == ["get_a", "lists"]


def test_a_denied_tool_is_not_there_even_if_it_is_allowed() -> None:
    assert names(selection(allow=("*",), deny=("drop*",)), tool("get"), tool("drop-all")) == ["get"]


def test_a_hyphen_in_a_pattern_matches_an_underscore_and_denotes_a_range_in_brackets() -> None:
    assert names(selection(allow=("git-status", "tool_[a-c]")), tool("git_status"), tool("tool-b")) == ["git_status"]
    assert names(selection(allow=("tool_[a-c]",)), tool("tool_b"), tool("tool_d")) == ["tool_b"]


def test_read_only_leaves_only_tools_that_are_declared_read_only() -> None:
    assert names(selection(allow=("*",), read_only=True), tool("get", read_only=True), tool("put")) == ["get"]


def test_a_renamed_tool_is_called_by_its_new_name_and_sent_with_its_own() -> None:
    (renamed,) = filtered([tool("search_repositories_v2")], ToolFilter(rename={"search_repositories_v2": "search"}))
    assert Catalog((renamed,), ("github",)).resolve("github.search").own_name == "search_repositories_v2"
    assert renamed.signature.line.startswith("github.search(")


def test_patterns_match_the_servers_own_names() -> None:
    assert names(ToolFilter(tools=ToolSelection(deny=("drop",)), rename={"drop": "tidy"}), tool("drop")) == []
    assert names(ToolFilter(tools=ToolSelection(deny=("tidy",)), rename={"drop": "tidy"}), tool("drop")) == ["tidy"]


def test_a_tool_is_not_renamed_to_the_name_of_another(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert names(ToolFilter(rename={"find": "search"}), tool("search"), tool("find")) == ["search", "find"]
    assert "'find' cannot be renamed to 'search', the name of another tool" in caplog.text


def test_two_tools_may_swap_their_names() -> None:
    swapped = filtered([tool("a"), tool("b")], ToolFilter(rename={"a": "b", "b": "a"}))
    assert [(one.name, one.own_name) for one in swapped] == [("b", "a"), ("a", "b")]


def test_a_fixed_argument_is_in_no_signature_schema_or_description_of_the_tool() -> None:
    (fixed,) = filtered([tool("issues", ISSUES)], ToolFilter(fixed={"*": {"repo": "me/app"}}))
    assert fixed.signature.line == 'github.issues(state: Literal["open", "closed"])'
    assert "repo" not in Catalog((fixed,), ("github",)).describe("issues")
    assert "repo" not in str(fixed.input_schema)
    assert "me/app" not in repr(fixed)
    fixed.check({"state": "open"})
    assert fixed.fixed == {"repo": "me/app"}


@pytest.mark.parametrize("schema", [ISSUES, {"type": "object"}])
def test_a_program_cannot_pass_a_fixed_argument(schema: dict[str, Any]) -> None:
    (fixed,) = filtered([tool("issues", schema)], ToolFilter(fixed={"issues": {"repo": "me/app"}}))
    with pytest.raises(BadArguments, match="there is no 'repo'") as caught:
        fixed.check({"repo": "you/app", "state": "open"})
    assert "me/app" not in str(caught.value)


def test_a_fixed_argument_that_a_tool_does_not_take_is_not_sent_to_it() -> None:
    closed: dict[str, Any] = {"type": "object", "properties": {"id": {}}, "additionalProperties": False}
    fixed = filtered([tool("get", closed), tool("open")], ToolFilter(fixed={"*": {"repo": "me/app"}}))
    assert [one.fixed for one in fixed] == [{}, {"repo": "me/app"}]


def test_the_first_matching_pattern_decides_on_an_argument_and_on_a_timeout() -> None:
    tool_filter = ToolFilter(fixed={"get*": {"a": 1}, "*": {"a": 2, "b": 3}}, tool_timeouts_s={"get*": 5.0, "*": 1.0})
    got, other = filtered([tool("get"), tool("put")], tool_filter)
    assert (got.fixed, got.timeout_s) == ({"a": 1, "b": 3}, 5.0)
    assert (other.fixed, other.timeout_s) == ({"a": 2, "b": 3}, 1.0)


def test_a_fixed_argument_is_removed_from_alternatives_in_the_schema() -> None:
    schema: dict[str, Any] = {
        **ISSUES,
        "required": ["state"],
        "anyOf": [{"required": ["repo"]}, {"properties": {"repo": {}}}],
    }
    (fixed,) = filtered([tool("issues", schema)], ToolFilter(fixed={"*": {"repo": "me/app"}}))
    assert "repo" not in str(fixed.input_schema)


def test_a_setting_that_matches_no_tool_is_reported_with_the_nearest_name() -> None:
    tool_filter = ToolFilter(
        tools=ToolSelection(allow=("get*", "lsit"), deny=("drpo", "rm-*")),
        rename={"gte": "fetch", "get": "read"},
        fixed={"dorp": {"repo": "a"}},
        tool_timeouts_s={"drop": 1, "no-such": 2},
    )
    assert unmatched([tool("get"), tool("drop"), tool("list")], tool_filter, ("drop", "read", "raed")) == (
        'allow: "lsit" matches no tool (did you mean "list"?)',
        'deny: "drpo" matches no tool (did you mean "drop"?)',
        'deny: "rm-*" matches no tool',
        'fixed: "dorp" matches no tool (did you mean "drop"?)',
        'tool_timeouts_s: "no-such" matches no tool',
        'rename: "gte" matches no tool (did you mean "get"?)',
        'policy.rules: "raed" matches no tool (did you mean "read"?)',
    )


def test_a_fixed_argument_is_reported_if_no_matching_tool_has_it() -> None:
    tools = [tool("issues", ISSUES), tool("other", {"type": "object", "properties": {}})]
    tool_filter = ToolFilter(fixed={"*": {"repo": "a"}, "issues": {"rpeo": "a"}, "other": {"repo": "a"}})
    assert unmatched(tools, tool_filter) == (
        'fixed."issues": no matching tool has an argument "rpeo" (did you mean "repo"?)',
        'fixed."other": no matching tool has an argument "repo"',
    )


def test_a_fixed_argument_of_a_tool_that_takes_any_is_not_reported() -> None:
    assert unmatched([tool("any", {"type": "object"})], ToolFilter(fixed={"any": {"repo": "a"}})) == ()


def test_a_rule_for_a_denied_tool_is_not_reported_but_one_with_the_old_name_of_a_renamed_tool_is() -> None:
    tool_filter = ToolFilter(tools=ToolSelection(deny=("drop",)), rename={"search_v2": "search"})
    assert unmatched([tool("drop"), tool("search_v2")], tool_filter, ("drop", "search", "search_v2")) == (
        'policy.rules: "search_v2" matches no tool (did you mean "search"?)',
    )


def test_the_number_of_reported_settings_is_bounded() -> None:
    found = unmatched([], selection(deny=tuple(f"a{number}" for number in range(500))))
    assert len(found) == MAX_UNMATCHED + 1
    assert found[-1] == "and 480 more"
