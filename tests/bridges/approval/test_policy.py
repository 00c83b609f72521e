"""Which calls are allowed, asked for or denied; and what follows for the annotations of the one tool."""

import json
import re
import tomllib
from dataclasses import dataclass

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from codeact_bridges.approval.policy import Action, Grants, Policy, Reach, RuleFormat, ToolRule, allow_rule, reach
from codeact_bridges.names import folded


@dataclass(frozen=True)
class Facts:
    """A tool as the policy sees it."""

    full_name: str
    read_only: bool = False
    destructive: bool = False
    idempotent: bool = False
    open_world: bool = False


LOOK = Facts("shop.look", read_only=True)
BUY = Facts("shop.buy")
DROP = Facts("shop.drop", destructive=True)


@pytest.mark.parametrize(
    ("tool", "default", "action"),
    [
        (LOOK, "allow", "allow"),
        (LOOK, "deny", "allow"),
        (BUY, "allow", "allow"),
        (BUY, "ask", "ask"),
        (BUY, "deny", "deny"),
        (DROP, "allow", "ask"),
        (Facts("shop.odd", read_only=True, destructive=True), "allow", "ask"),
    ],
)
def test_without_a_rule_what_a_tool_says_of_itself_decides_and_then_the_default(
    tool: Facts, default: Action, action: Action
) -> None:
    assert Policy(default=default).decide(tool).action == action


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("github.delete_*", "github.delete_repo", True),
        ("github.delete_*", "github.create_repo", False),
        ("github.delete_*", "gitlab.delete_repo", False),
        ("git-hub.delete-*", "git_hub.delete_repo", True),
        ("git_hub.delete_*", "git-hub.delete-repo", True),
        ("*", "anything.at_all", True),
        ("*.delete_*", "any.delete_x", True),
        ("s.[a-f]*", "s.add", True),
        ("s.[a-f]*", "s.zap", False),
        ("s.[!a-f]*", "s.zap", True),
        ("s.get?", "s.get1", True),
        ("s.get?", "s.get", False),
        ("s.get", "s.get_more", False),
        ("s.Get", "s.get", False),
        ("s.a.b", "s.axb", False),
    ],
)
def test_a_pattern_is_over_the_full_name_and_a_hyphen_is_an_underscore(pattern: str, name: str, fits: bool) -> None:
    assert ToolRule(tool=pattern, action="deny").fits(Facts(name)) is fits


def test_the_first_rule_that_fits_decides() -> None:
    policy = Policy(
        rules=(
            ToolRule(tool="shop.drop", action="allow"),
            ToolRule(hint="destructive", action="deny"),
            ToolRule(tool="shop.*", hint="read_only", action="ask"),
        )
    )

    actions = [policy.decide(tool).action for tool in (DROP, Facts("shop.burn", destructive=True), LOOK, BUY)]

    assert actions == ["allow", "deny", "ask", "allow"]
    assert policy.decide(LOOK).reason == 'policy.rules: { tool = "shop.*", hint = "read_only", action = "ask" }'


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"action": "deny"}, "needs a tool pattern or a hint"),
        ({"tool": "delete_*", "action": "deny"}, "write '*.delete_*'"),
        ({"tool": "shop.drop", "action": "maybe"}, "'allow', 'ask' or 'deny'"),
        ({"hint": "evil", "action": "deny"}, "'read_only', 'destructive'"),
    ],
)
def test_a_rule_that_could_never_fit_or_says_nothing_is_refused(rule: dict[str, str], said: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(said)):
        ToolRule.model_validate(rule)


@pytest.mark.parametrize(
    ("policy", "tools", "expected"),
    [
        (Policy(), [LOOK], Reach(read_only=True, destructive=False, open_world=False)),
        (Policy(), [LOOK, BUY], Reach(read_only=False, destructive=False, open_world=False)),
        (Policy(), [LOOK, DROP], Reach(read_only=False, destructive=False, open_world=False)),
        (
            Policy(rules=(ToolRule(hint="destructive", action="allow"),)),
            [DROP],
            Reach(read_only=False, destructive=True, open_world=False),
        ),
        (
            Policy(rules=(ToolRule(hint="destructive", action="deny"), ToolRule(tool="shop.buy", action="deny"))),
            [LOOK, BUY, DROP],
            Reach(read_only=True, destructive=False, open_world=False),
        ),
        (
            Policy(),
            [Facts("web.get", read_only=True, open_world=True)],
            Reach(read_only=True, destructive=False, open_world=True),
        ),
        (Policy(), [], Reach(read_only=True, destructive=False, open_world=False)),
    ],
)
def test_the_reach_of_programs_follows_from_what_they_may_call_unasked(
    policy: Policy, tools: list[Facts], expected: Reach
) -> None:
    assert reach(policy, tools) == expected


def test_files_to_write_and_hosts_to_reach_count_as_well() -> None:
    assert reach(Policy(), [LOOK], writes=True, network=True) == Reach(
        read_only=False, destructive=True, open_world=True
    )


def test_the_rule_that_allows_a_tool_is_shown_as_the_operator_writes_it() -> None:
    assert allow_rule("shop.drop-all", "toml") == '[[codeact.policy.rules]]\ntool = "shop.drop-all"\naction = "allow"'
    assert allow_rule("shop.drop-all", "json") == '{"tool": "shop.drop-all", "action": "allow"}'


PRINTABLE = st.characters(codec="utf-8").filter(str.isprintable)
TOOL_NAMES = st.text(st.one_of(st.sampled_from("*?[]!-_^\\\"'#. "), PRINTABLE), min_size=1, max_size=128)


@given(name=TOOL_NAMES, other=TOOL_NAMES, written_in=st.sampled_from(["toml", "json"]))
@example(name='x"\naction = "allow"\n', other="x", written_in="toml")
@example(name='"""', other="''", written_in="toml")
@example(name="\x7f\x1b\U0001f600\u202e", other="x", written_in="toml")
@example(name="*", other="drop", written_in="toml")
@example(name="[a-z]", other="b", written_in="json")
@example(name="[" * 128, other="[", written_in="toml")
def test_the_rule_allows_exactly_the_tool_whatever_its_server_calls_it(
    name: str, other: str, written_in: RuleFormat
) -> None:
    server = "s" * 64
    text = allow_rule(f"{server}.{name}", written_in)
    if written_in == "toml":
        (entry,) = tomllib.loads(text)["codeact"]["policy"]["rules"]
        assert text.count("\n") == 2
    else:
        entry = json.loads(text)
        assert "\n" not in text
    rule = ToolRule.model_validate(entry)

    assert text.isascii()
    assert rule.action == "allow"
    assert rule.fits(Facts(f"{server}.{name}"))
    assert rule.fits(Facts(f"{server}.{other}")) == (folded(other) == folded(name))


def test_a_grant_is_for_one_tool() -> None:
    grants = Grants()
    grants.allow("shop.drop")

    assert grants.covers("shop.drop")
    assert not grants.covers("shop.buy")
