"""Decides about single tool calls: by the operator's policy, then by a person's earlier answers, then by asking."""

from typing import Literal, TypeAlias

import anyio

from codeact_bridges.approval.denial import denied
from codeact_bridges.approval.policy import Grants, Policy, RuleFormat, ToolFacts
from codeact_bridges.approval.request import ApprovalRequest, Approver, NoApproval
from codeact_bridges.errors import ToolDenied

ApprovalReason: TypeAlias = Literal["once", "run", "session", "allowed before", "unattended"]
"""Why a call that needs approval may be made: a person's answer, or the policy for clients that cannot ask."""


class ApprovalGate:
    """The decisions of one run. It asks one question at a time, and does not ask again about a tool just allowed."""

    def __init__(self, policy: Policy, of_client: Grants, approver: Approver, *, rules_in: RuleFormat = "toml") -> None:
        """`of_client` are the permissions that hold until the client closes, `rules_in` the format of the configuration
        file."""
        self._policy, self._of_client, self._approver = policy, of_client, approver
        self._rules_in: RuleFormat = rules_in
        self._of_run = Grants()
        self._one_at_a_time = anyio.Lock()

    def must_ask(self, tool: ToolFacts) -> str | None:
        """Return why a person must be asked before the call; None if the call may be made.

        Raises:
            ToolDenied: the policy denies the call.
        """
        decision = self._policy.decide(tool)
        match decision.action:
            case "allow":
                return None
            case "deny":
                raise ToolDenied(*_parts(tool), f"the operator's policy denies it ({decision.reason})")
            case "ask":
                return decision.reason

    async def ask(self, request: ApprovalRequest) -> ApprovalReason:
        """Return why the call may be made, once it may.

        Raises:
            ToolDenied: a person said no, or there is no answer of a person.
        """
        if self._granted(request.full_name):
            return "allowed before"
        async with self._one_at_a_time:
            if self._granted(request.full_name):
                return "allowed before"
            answer = await self._approver.ask(request)
            match answer:
                case "once":
                    return answer
                case "run":
                    self._of_run.allow(request.full_name)
                    return answer
                case "session":
                    self._of_client.allow(request.full_name)
                    return answer
                case NoApproval.CANNOT_ASK if self._policy.unattended == "allow":
                    return "unattended"
                case NoApproval():
                    raise denied(request, answer, self._policy, self._rules_in)

    def _granted(self, full_name: str) -> bool:
        return self._of_run.covers(full_name) or self._of_client.covers(full_name)


def _parts(tool: ToolFacts) -> tuple[str, str]:
    server, _, name = tool.full_name.partition(".")
    return server, name
