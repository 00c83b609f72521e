"""One run: what was ordered, how far it is, and the requests that wait for it.

The run's own side calls `printed`, `notify`, `ask` and `forward`; the requests of its client call `next`, `read` and
`stop`.
"""

import hashlib
import secrets
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

import anyio

from codeact_bridges.approval.gate import ApprovalGate
from codeact_bridges.approval.policy import Grants, Policy, RuleFormat
from codeact_bridges.approval.request import ApprovalChoice, ApprovalRequest, NoApproval
from codeact_bridges.errors import ToolError
from codeact_bridges.limits import Limits
from codeact_bridges.runs.budget import OutputBuffer
from codeact_bridges.runs.deadline import Deadline
from codeact_bridges.runs.observer import RunEvent, RunObserver
from codeact_bridges.runs.shortening import cut_output, output_after
from codeact_bridges.tools.port import ClientRequest, ClientRequestKind
from codeact_bridges.values import CallRecord, JsonValue, Output, Preparing, Printed, RunResult

MAX_CLIENT_REQUESTS = 20
"""Requests of downstream servers to the client in one run. Each takes a person's time, and a server may ask again
after any answer."""

Answer: TypeAlias = ApprovalChoice | NoApproval | Mapping[str, JsonValue]
"""The answer about a call, or the protocol's result for a server's request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOrder:
    """One program that a client wants to run."""

    owner: str
    """The client, by a name that no other client can take."""
    code: str
    timeout_s: float | None = None
    session: str | None = None
    reset: bool = False
    serves: frozenset[ClientRequestKind] = frozenset()
    """The kinds of request that the client can answer."""
    remember_grants: bool = True
    """Whether a permission "until the client closes" holds for the client's later programs."""
    shown_bytes: int = 8_000
    """Bytes of output, and separately of the value, that the client gets. `Limits.output_bytes` takes precedence."""


@dataclass(slots=True, eq=False)
class PendingQuestion:
    """A question that waits for its answer."""

    question: ApprovalRequest | ClientRequest
    id: str = field(default_factory=lambda: secrets.token_urlsafe(6))
    over: anyio.Event = field(default_factory=anyio.Event)
    given: Answer | None = None
    sent_at: float | None = None
    """When it first went to the client, on the event loop's clock."""

    def send(self) -> None:
        """Note that the question goes to the client now, for the first time or once more."""
        if self.sent_at is None:
            self.sent_at = anyio.current_time()

    def sent_for_s(self) -> float:
        """Return the seconds since the question first went to the client; 0 if it has not."""
        return 0.0 if self.sent_at is None else anyio.current_time() - self.sent_at

    def answer(self, given: Answer | None) -> None:
        """Take the first answer, and ignore later ones. None: there is no answer, and none will come."""
        if not self.over.is_set():
            self.given = given
            self.over.set()


class RunHandle:
    """One run. It is the run's observer, its approver, its channel to the client, and owns its deadline."""

    def __init__(
        self,
        order: RunOrder,
        limits: Limits,
        policy: Policy | None = None,
        grants: Grants | None = None,
        *,
        rules_in: RuleFormat = "toml",
    ) -> None:
        """`grants` are what the client's user has allowed until the client closes, `rules_in` is the format of the
        configuration file."""
        policy = policy or Policy()
        self.order = order
        self.id = f"r-{secrets.token_urlsafe(16)}"
        """A bearer token: a client that has it can wait for the run and stop it. Never log it."""
        self.public_id = hashlib.sha256(self.id.encode()).hexdigest()[:16]
        """Identifies the run in logs and audit records."""
        self.deadline_s = min(order.timeout_s or limits.deadline_s, limits.max_deadline_s)
        self.deadline = Deadline()
        self.gate = ApprovalGate(policy, grants or Grants(), self, rules_in=rules_in)
        self.ask_timeout_s = policy.ask_timeout_s
        self.observers: list[RunObserver] = []
        self.stopped_because = "stopped on request"
        """The reason of the first `stop`, for the result."""
        self.result: RunResult | None = None
        self.over = anyio.Event()
        self.is_preparing = False
        """Whether the program waits for the sandbox to be prepared on this machine."""
        self.calls = 0
        """Tool calls that have ended."""
        self.unwatched_since: float | None = None
        """When the last request that waited for the run went away, on the event loop's clock."""
        self.handed_out = False
        """Whether its client has the handle. If so, a request that ends early does not end the run."""
        self.abandoned = False
        """Whether nobody can fetch its result."""
        self.owner_left = False
        """Whether its client has ended its session, so that nobody can read what it stores either."""
        self.questions_sent = 0
        """Questions sent since the client last got a result: clients of 2026-07-28 give up after some."""
        self.shown_bytes = limits.output_bytes or order.shown_bytes
        self.stored_bytes = max(self.shown_bytes, limits.kept_output_bytes)
        """Bytes of output that the run may print."""
        self._output: OutputBuffer | None = OutputBuffer(self.stored_bytes)
        self._read_chars = 0
        self._pending: deque[PendingQuestion] = deque()
        self._client_requests = 0
        self._waiting = 0
        self._changed = anyio.Event()

    @property
    def owner(self) -> str:
        """The client that ordered the run. For any other client the run does not exist."""
        return self.order.owner

    @property
    def serves(self) -> frozenset[ClientRequestKind]:
        """The kinds of request that the client can answer."""
        return self.order.serves

    @property
    def is_asking(self) -> bool:
        """Whether a question waits for its answer."""
        return bool(self._unanswered())

    async def next(self, timeout_s: float) -> RunResult | PendingQuestion | None:
        """Wait for the result or for a question. None: neither came within `timeout_s`."""
        self._waiting += 1
        self.unwatched_since = None
        try:
            with anyio.move_on_after(timeout_s):
                while self.result is None and not self._unanswered():
                    await self._changed.wait()
            return self.result or next(iter(self._unanswered()), None)
        finally:
            self._waiting -= 1
            if self._waiting == 0:
                self.unwatched_since = anyio.current_time()

    def output(self) -> Output:
        """Return the whole output so far."""
        return self._output.output() if self._output is not None else Output()

    def read(self) -> Output:
        """Return the output since the last `read`, cut to what the client gets at once. Empty after `take_unread`."""
        unread = replace(output_after(self.output(), self._read_chars), cut_bytes=0)
        self._read_chars += sum(len(piece.text) for piece in unread.pieces)
        return cut_output(unread, self.shown_bytes)

    def take_unread(self) -> Output:
        """Return the output that `read` has not returned, for the run's result. The handle forgets all output."""
        unread = output_after(self.output(), self._read_chars)
        self._output = None
        return unread

    def pending_question(self, question_id: str) -> PendingQuestion | None:
        """Return the question of that id, if it still waits for its answer."""
        return next((each for each in self._unanswered() if each.id == question_id), None)

    def stop(self, why: str = "stopped on request") -> None:
        """End the run at once. Its result says why and has the output so far; its questions are withdrawn."""
        if not self.deadline.is_stopped:
            self.stopped_because = why
        self.deadline.stop()
        for pending in self._pending:
            pending.over.set()

    def begin(self) -> None:
        """The program has its sandbox, and starts."""
        self.is_preparing = False

    def finish(self, result: RunResult) -> None:
        """Set the result, and wake every request that waits."""
        self.result = result
        self.over.set()
        self._wake_waiting()

    def printed(self, stream: Literal["stdout", "stderr"], text: str) -> None:
        """Take output of the run, as far as it may print, and pass it to the observers."""
        held = self._output.add(stream, text) if self._output is not None else ""
        if held:
            self.notify(Printed(stream, held))

    def notify(self, event: RunEvent) -> None:
        """Take an event of the run, and pass it to the observers."""
        match event:
            case Preparing():
                self.is_preparing = True
            case CallRecord():
                self.calls += 1
            case _:
                pass
        for observe in self.observers:
            observe(event)

    async def ask(self, request: ApprovalRequest) -> ApprovalChoice | NoApproval:
        """Ask the client's user whether a call may be made. See `approval.request.Approver`."""
        if "form" not in self.serves:
            return NoApproval.CANNOT_ASK
        given = await self._answer_to(request)
        if given is None:
            return NoApproval.TIMED_OUT
        return given if isinstance(given, str | NoApproval) else NoApproval.FAILED

    async def forward(self, request: ClientRequest) -> Mapping[str, JsonValue]:
        """Forward a server's request to the client. See `tools.port.ClientRequests`.

        A user who does not answer a form in time counts as one who closed it.
        """
        self._client_requests += 1
        if self._client_requests > MAX_CLIENT_REQUESTS:
            reason = f"servers have asked {MAX_CLIENT_REQUESTS} questions in this run, and no more are passed on"
            raise ToolError(request.server, request.tool, reason)
        given = await self._answer_to(request)
        if given is not None and not isinstance(given, str | NoApproval):
            return given
        if request.kind in ("form", "url"):
            return {"action": "cancel"}
        raise ToolError(request.server, request.tool, f"the client did not answer its question ({request.kind})")

    async def _answer_to(self, question: ApprovalRequest | ClientRequest) -> Answer | None:
        """Wait until a request of the client brings the answer. Waiting for a person does not count as run time."""
        pending = PendingQuestion(question)
        self._pending.append(pending)
        self._wake_waiting()
        try:
            with self.deadline.paused(), anyio.move_on_after(self.ask_timeout_s):
                await pending.over.wait()
            return pending.given
        finally:
            pending.over.set()
            self._pending.remove(pending)

    def _unanswered(self) -> list[PendingQuestion]:
        return [pending for pending in self._pending if not pending.over.is_set()]

    def _wake_waiting(self) -> None:
        changed, self._changed = self._changed, anyio.Event()
        changed.set()
