"""Which calls are allowed, asked for or denied; and what follows for the annotations of the one tool."""

import re
from dataclasses import dataclass

import pytest
from pydantic import ValidationError

from codeact_bridges.approval.policy import Action, Grants, Policy, Reach, ToolRule, reach


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


def test_a_grant_is_for_one_tool() -> None:
    grants = Grants()
    grants.allow("shop.drop")

    assert grants.covers("shop.drop")
    assert not grants.covers("shop.buy")
