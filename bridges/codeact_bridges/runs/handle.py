"""One run, as the requests about it see it."""

import hashlib
import secrets
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import anyio

from codeact_bridges.approval.request import ApprovalChoice, ApprovalRequest
from codeact_bridges.errors import ToolError
from codeact_bridges.runs.budget import OutputBuffer
from codeact_bridges.runs.deadline import Deadline
from codeact_bridges.runs.observer import RunEvent
from codeact_bridges.tools.port import ClientRequest, ClientRequestKind
from codeact_bridges.values import CallProgress, CallRecord, JsonValue, Output, Printed, RunResult

MAX_SERVER_QUESTIONS = 20
"""Of downstream servers in one run: each takes a person's time, and a server may ask again whatever was answered."""


QuestionAnswer: TypeAlias = ApprovalChoice | Mapping[str, JsonValue]
"""An answer about a call, or the protocol's result for what a server asks."""


@dataclass(slots=True, eq=False)
class PendingQuestion:
    """A question that waits for its answer."""

    question: ApprovalRequest | ClientRequest
    id: str = field(default_factory=lambda: secrets.token_urlsafe(6))
    over: anyio.Event = field(default_factory=anyio.Event)
    given: QuestionAnswer | None = None

    def answer(self, given: QuestionAnswer | None) -> None:
        """The first answer counts. None: there is none, and none will come."""
        if not self.over.is_set():
            self.given = given
            self.over.set()


class RunHandle:
    """One run, as the requests about it see it. It is the run's own watcher, and the one that it and its tools ask."""

    def __init__(
        self, owner: str, *, serves: frozenset[ClientRequestKind], ask_timeout_s: float, output_bytes: int
    ) -> None:
        self.id = f"r-{secrets.token_urlsafe(16)}"
        self.public_id = hashlib.sha256(self.id.encode()).hexdigest()[:16]
        """For logs and accounts. `id` is the handle: who has it may be taken for who began the run."""
        self.owner = owner
        """Who began it: the only one to whom it exists."""
        self.serves = serves
        """What its client can answer."""
        self.deadline = Deadline()
        self.result: RunResult | None = None
        self.over = anyio.Event()
        self.unwatched_since: float | None = None
        """When the last request that waited for it went away, on the event loop's clock."""
        self.calls = 0
        """Tool calls that are over."""
        self.handed_out = False
        """Its client has the handle: a request that ends early does not end the run."""
        self.questions_sent = 0
        """Since its client got a result to read: clients of 2026-07-28 give up after some."""
        self.listeners: list[Callable[[RunEvent], None]] = []
        """Of the requests that wait, where their clients want to see progress. Must not raise."""
        self.ask_timeout_s = ask_timeout_s
        self._asked: deque[PendingQuestion] = deque()
        self._output_bytes = output_bytes
        self._unread = OutputBuffer(output_bytes)
        self._was_read = False
        self._server_questions = 0
        self._waiting = 0
        self._news = anyio.Event()

    @property
    def asks(self) -> bool:
        """Whether a question waits for its answer."""
        return bool(self._open())

    async def next(self, timeout_s: float) -> RunResult | PendingQuestion | None:
        """What happens next: it ended, it asks, or nothing within `timeout_s`."""
        self._waiting += 1
        self.unwatched_since = None
        try:
            with anyio.move_on_after(timeout_s):
                while self.result is None and not self._open():
                    await self._news.wait()
            return self.result or next(iter(self._open()), None)
        finally:
            self._waiting -= 1
            if self._waiting == 0:
                self.unwatched_since = anyio.current_time()

    def read(self) -> Output:
        """What was printed since it was last read."""
        unread, self._unread = self._unread.output(), OutputBuffer(self._output_bytes)
        self._was_read = True
        return unread

    def unread_part(self, output: Output) -> Output:
        """`output`, without what an earlier answer has already handed over."""
        return self._unread.output() if self._was_read else output

    def asked(self, asked_id: str) -> PendingQuestion | None:
        """The question of that id, if it still waits for its answer."""
        return next((asked for asked in self._open() if asked.id == asked_id), None)

    def _open(self) -> list[PendingQuestion]:
        """The questions that nobody has answered yet."""
        return [asked for asked in self._asked if not asked.over.is_set()]

    def stop(self) -> None:
        """End it at once; its result says so, and has what was printed. Nobody is asked any more."""
        self.deadline.stop()
        for asked in self._asked:
            asked.over.set()

    def finish(self, result: RunResult) -> None:
        self.result = result
        self.over.set()
        self._tell()

    def printed(self, piece: Printed) -> None:
        self._unread.add(piece.stream, piece.text)
        for listen in self.listeners:
            listen(piece)

    def called(self, call: CallRecord) -> None:
        self.calls += 1
        for listen in self.listeners:
            listen(call)

    def progressed(self, progress: CallProgress) -> None:
        for listen in self.listeners:
            listen(progress)

    async def ask(self, question: ApprovalRequest) -> ApprovalChoice | None:
        """Wait until a request brought the answer; no answer in time is a no. None where nobody can be asked."""
        if "form" not in self.serves:
            return None
        given = await self._answer_to(question)
        return given if isinstance(given, str) else "no"

    async def forward(self, question: ClientRequest) -> Mapping[str, JsonValue]:
        """See `tools.asking.Answerer`. A user who does not answer in time has gone away from the question."""
        self._server_questions += 1
        if self._server_questions > MAX_SERVER_QUESTIONS:
            reason = f"servers have asked {MAX_SERVER_QUESTIONS} questions in this run, and no more are passed on"
            raise ToolError(question.server, question.tool, reason)
        given = await self._answer_to(question)
        if given is not None and not isinstance(given, str):
            return given
        if question.kind in ("form", "url"):
            return {"action": "cancel"}
        raise ToolError(question.server, question.tool, f"the client did not answer its question ({question.kind})")

    async def _answer_to(self, question: ApprovalRequest | ClientRequest) -> QuestionAnswer | None:
        """What a request brings in time."""
        asked = PendingQuestion(question)
        self._asked.append(asked)
        self._tell()
        try:
            with anyio.move_on_after(self.ask_timeout_s):
                await asked.over.wait()
            return asked.given
        finally:
            asked.over.set()
            self._asked.remove(asked)

    def _tell(self) -> None:
        """Wake every request that waits."""
        news, self._news = self._news, anyio.Event()
        news.set()
