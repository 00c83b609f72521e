"""Operations that a guest has begun and asks about later: what makes its asyncio concurrent.

async.submit    ID OPERATION \\n ARGUMENTS    null, at once
async.wait      {"timeout_s"}                [[ID, well, value or error], …]: what has finished; waits for the first
async.cancel    {"id"}                       null
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import anyio
import anyio.abc

from codeact_bridges.bridge import Handler
from codeact_bridges.errors import BadGuestCall, BridgeError
from codeact_bridges.guest import requests as calls
from codeact_bridges.guest.replies import error_text

MAX_UNDER_WAY = 10_000
"""Operations a guest may have submitted and not yet seen the end of."""


@dataclass(slots=True)
class _Operation:
    places: anyio.Semaphore
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    finished: str | None = None
    """The JSON text of `[id, well, value or error]`."""
    given_up: bool = False
    """The guest does not want to know its end."""
    has_place: bool = False

    def give_place_back(self) -> None:
        if self.has_place:
            self.has_place = False
            self.places.release()


class AsyncOperations:
    """One run's operations. At most `at_once` of each kind are carried out at a time; the others wait their turn.

    Of each kind, because one kind may wait for another: HTTP requests that wait for a connection must not keep those
    that have one from being read to their ends.
    """

    def __init__(
        self,
        tasks: anyio.abc.TaskGroup,
        concurrent: Mapping[str, Handler],
        *,
        at_once: int,
        message_bytes: int,
    ) -> None:
        """`concurrent` has the operations that may be submitted; they are carried out in `tasks`."""
        self._tasks, self._concurrent, self._message_bytes = tasks, concurrent, message_bytes
        self._places = {operation: anyio.Semaphore(at_once) for operation in concurrent}
        self._operations: dict[int, _Operation] = {}
        self._waiting_chars = 0
        """Of the arguments of what has not finished."""
        self._something_finished = anyio.Event()

    def handlers(self) -> dict[str, Handler]:
        return {"async.submit": self._submit, "async.wait": self._wait, "async.cancel": self._cancel}

    async def _submit(self, text: str) -> str:
        submit = calls.parse_submit(text)
        if submit.operation not in self._concurrent:
            raise BadGuestCall(f"async.submit: {submit.operation[:100]!r} cannot be begun and asked about later")
        if submit.id in self._operations or len(self._operations) >= MAX_UNDER_WAY:
            raise BadGuestCall(f"async.submit: {submit.id} is under way already, or {MAX_UNDER_WAY:,} others are")
        if self._waiting_chars and self._waiting_chars + len(submit.text) > 2 * self._message_bytes:
            raise BadGuestCall(
                f"async.submit: arguments of {self._waiting_chars:,} characters wait for their turn already, "
                f"and {2 * self._message_bytes:,} may (twice codeact.limits.message_bytes): await some calls first"
            )
        operation = self._operations[submit.id] = _Operation(self._places[submit.operation])
        self._waiting_chars += len(submit.text)
        self._tasks.start_soon(self._finish, submit, operation)
        return "null"

    async def _finish(self, submit: calls.Submit, operation: _Operation) -> None:
        """Carry out an operation. Its place is free again when the guest has been told the end, so that results
        which nobody fetches do not pile up here."""
        try:
            with operation.scope:
                await operation.places.acquire()
                operation.has_place = True
                try:
                    operation.finished = f"[{submit.id},true,{await self._concurrent[submit.operation](submit.text)}]"
                except BridgeError as exc:
                    operation.finished = f"[{submit.id},false,{error_text(exc)}]"
        finally:
            self._waiting_chars -= len(submit.text)
            if operation.finished is None or operation.given_up:
                operation.give_place_back()
            self._something_finished.set()

    async def _wait(self, text: str) -> str:
        wait = calls.parse(calls.Wait, "async.wait", text)
        if wait.timeout_s is None and not self._operations:
            raise BadGuestCall("async.wait: nothing is under way")
        with anyio.move_on_after(wait.timeout_s):
            while not any(each.finished for each in self._operations.values()):
                self._something_finished = anyio.Event()
                await self._something_finished.wait()
        return f"[{','.join(self._collect())}]"

    def _collect(self) -> list[str]:
        """What has finished, as much as fits into one message."""
        ends: list[str] = []
        size = 0
        for number, each in list(self._operations.items()):
            if each.finished is None or (ends and size + len(each.finished) > self._message_bytes):
                continue
            ends.append(each.finished)
            size += len(each.finished)
            del self._operations[number]
            each.give_place_back()
        return ends

    async def _cancel(self, text: str) -> str:
        operation = self._operations.pop(calls.parse(calls.Cancel, "async.cancel", text).id, None)
        if operation is not None:
            operation.given_up = True
            if operation.finished is not None:
                operation.give_place_back()
            operation.scope.cancel()
        return "null"
