"""Who decides about single tool calls: the operator's policy, then a person, and what that person has said before."""

from typing import Literal, TypeAlias

import anyio

from codeact_bridges.approval.policy import Grants, Policy, ToolFacts
from codeact_bridges.approval.request import ApprovalRequest, Approver
from codeact_bridges.errors import ToolDenied

ApprovalReason: TypeAlias = Literal["once", "run", "session", "allowed before", "unattended"]
"""Why a call that had to be asked for may be made: what the person said, or that nobody could be asked."""


class ApprovalGate:
    """One run's view of it. Asks one question at a time, and does not ask again what a person has just allowed."""

    def __init__(self, policy: Policy, of_client: Grants, approver: Approver) -> None:
        """`of_client` are the permissions that hold until the client closes."""
        self._policy, self._of_client, self._approver = policy, of_client, approver
        self._of_run = Grants()
        self._one_at_a_time = anyio.Lock()

    def must_ask(self, tool: ToolFacts) -> str | None:
        """None where the call may be made; else why a person has to be asked.

        Raises:
            ToolDenied: the policy says no.
        """
        decision = self._policy.decide(tool)
        match decision.action:
            case "allow":
                return None
            case "deny":
                raise ToolDenied(*_parts(tool), f"the operator's policy denies it ({decision.reason})")
            case "ask":
                return decision.reason

    async def ask(self, question: ApprovalRequest) -> ApprovalReason:
        """Return when the call may be made, and why.

        Raises:
            ToolDenied: a person said no, did not answer in time, or cannot be asked.
        """
        if self._granted(question.full_name):
            return "allowed before"
        async with self._one_at_a_time:
            if self._granted(question.full_name):
                return "allowed before"
            answer = await self._approver.ask(question)
            match answer:
                case "once":
                    return answer
                case "run":
                    self._of_run.allow(question.full_name)
                    return answer
                case "session":
                    self._of_client.allow(question.full_name)
                    return answer
                case "no":
                    raise ToolDenied(question.server, question.tool, "the user said no, or did not answer in time")
                case None if self._policy.unattended == "allow":
                    return "unattended"
                case None:
                    said = (
                        f"it has to be asked for ({question.reason}), and this client cannot ask anybody "
                        "(settings codeact.policy.rules and codeact.policy.unattended)"
                    )
                    raise ToolDenied(question.server, question.tool, said)

    def _granted(self, full_name: str) -> bool:
        return self._of_run.covers(full_name) or self._of_client.covers(full_name)


def _parts(tool: ToolFacts) -> tuple[str, str]:
    server, _, name = tool.full_name.partition(".")
    return server, name
