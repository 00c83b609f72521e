"""Handles of runs that tests make by themselves. Not a test."""

from codeact_bridges.approval.policy import Policy
from codeact_bridges.approval.request import ApprovalRequest
from codeact_bridges.limits import Limits
from codeact_bridges.runs.handle import RunHandle, RunOrder
from codeact_bridges.tools.port import ClientRequestKind

QUESTION = ApprovalRequest("shop", "drop", "{}", "", "because")
FORM: frozenset[ClientRequestKind] = frozenset({"form"})


def a_run(
    owner: str = "me",
    *,
    code: str = "",
    serves: frozenset[ClientRequestKind] = FORM,
    policy: Policy | None = None,
    ask_timeout_s: float | None = None,
    timeout_s: float | None = None,
    limits: Limits | None = None,
) -> RunHandle:
    """A handle that nothing executes. `ask_timeout_s` replaces the policy's."""
    policy = policy or Policy()
    if ask_timeout_s is not None:
        policy = policy.model_copy(update={"ask_timeout_s": ask_timeout_s})
    order = RunOrder(owner=owner, code=code, timeout_s=timeout_s, serves=serves)
    return RunHandle(order, limits or Limits(output_bytes=1_000), policy)
