"""What a denial says: what happened, and a rule to paste. Golden texts, one for each outcome."""

import pytest

from codeact_bridges.approval.denial import denied
from codeact_bridges.approval.policy import Policy
from codeact_bridges.approval.request import ApprovalRequest, NoApproval

REQUEST = ApprovalRequest("shop", "drop", "{}", "", "the tool says that it is destructive")
RULE = """\
 The operator can allow this tool with this rule, as the first of codeact.policy.rules:
[[codeact.policy.rules]]
tool = "shop.drop"
action = "allow\""""
SENTENCES = {
    NoApproval.DECLINED: "the user said no.",
    NoApproval.DISMISSED: "the question was dismissed without an answer.",
    NoApproval.AUTOMATIC: "nobody was asked: this client answers by itself.",
    NoApproval.TIMED_OUT: "no answer came within 90 s (setting codeact.policy.ask_timeout_s).",
    NoApproval.CANNOT_ASK: "this client cannot ask its user.",
    NoApproval.FAILED: "the client gave no valid answer, or its connection ended.",
}


@pytest.mark.parametrize("why", NoApproval)
def test_a_denial_says_what_happened_and_which_rule_would_allow_the_call(why: NoApproval) -> None:
    after = ""
    if why is NoApproval.CANNOT_ASK:
        after = '\nThe setting codeact.policy.unattended = "allow" allows all such calls of clients that cannot ask.'

    assert str(denied(REQUEST, why, Policy(ask_timeout_s=90), "toml")) == (
        f"shop.drop: it needs approval (the tool says that it is destructive), and {SENTENCES[why]}{RULE}{after}"
    )


def test_the_rule_is_written_in_the_format_of_the_configuration_file() -> None:
    assert denied(REQUEST, NoApproval.DECLINED, Policy(), "json").reason.endswith(
        'codeact.policy.rules:\n{"tool": "shop.drop", "action": "allow"}'
    )


def test_a_denial_tells_whether_a_person_is_asked_again_and_what_is_recorded_of_it() -> None:
    found = {why: denied(REQUEST, why, Policy(), "toml") for why in NoApproval}

    assert {why for why, denial in found.items() if not denial.asked_again} == {
        NoApproval.AUTOMATIC,
        NoApproval.CANNOT_ASK,
    }
    assert found[NoApproval.DECLINED].why == (
        "it needs approval (the tool says that it is destructive), and the user said no"
    )
