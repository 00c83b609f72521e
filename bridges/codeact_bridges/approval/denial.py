"""What a program is told about a call that was not approved: what happened, and the rule that would allow it. Pure."""

from codeact_bridges.approval.policy import Policy, RuleFormat, allow_rule
from codeact_bridges.approval.request import ApprovalRequest, NoApproval
from codeact_bridges.errors import ToolDenied


def denied(request: ApprovalRequest, why: NoApproval, policy: Policy, rules_in: RuleFormat) -> ToolDenied:
    """Return the error about a call that was not approved. `rules_in` is the format of the configuration file."""
    advice = (
        "The operator can allow this tool with this rule, as the first of codeact.policy.rules:\n"
        f"{allow_rule(request.full_name, rules_in)}"
    )
    if why is NoApproval.CANNOT_ASK:
        advice += '\nThe setting codeact.policy.unattended = "allow" allows all such calls of clients that cannot ask.'
    return ToolDenied(
        request.server,
        request.tool,
        f"it needs approval ({request.reason}), and {_what_happened(why, policy.ask_timeout_s)}",
        advice=advice,
        asked_again=why not in (NoApproval.AUTOMATIC, NoApproval.CANNOT_ASK),
    )


def _what_happened(why: NoApproval, ask_timeout_s: float) -> str:
    match why:
        case NoApproval.DECLINED:
            return "the user said no"
        case NoApproval.DISMISSED:
            return "the question was dismissed without an answer"
        case NoApproval.AUTOMATIC:
            return "nobody was asked: this client answers by itself"
        case NoApproval.TIMED_OUT:
            return f"no answer came within {ask_timeout_s:g} s (setting codeact.policy.ask_timeout_s)"
        case NoApproval.CANNOT_ASK:
            return "this client cannot ask its user"
        case NoApproval.FAILED:
            return "the client gave no valid answer, or its connection ended"
