"""Operations that a guest starts now and asks about later: what makes its asyncio concurrent.

async.submit    ID OPERATION \\n ARGUMENTS    null, at once
async.wait      {"timeout_s"}                [[ID, ok, value or error], …]: all that have ended; waits for the first
async.cancel    {"id"}                       null
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import anyio
import anyio.abc

from codeact_bridges.bridge import Handler
from codeact_bridges.errors import BadGuestCall, BridgeError
from codeact_bridges.guest import requests
from codeact_bridges.guest.replies import error_text

MAX_IN_FLIGHT = 10_000
"""Operations that a guest may have submitted without having fetched their ends."""


@dataclass(slots=True)
class _Operation:
    slots: anyio.Semaphore
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    end: str | None = None
    """The JSON text of `[id, ok, value or error]`, once it has ended."""
    abandoned: bool = False
    """Whether the guest has cancelled it, and will not fetch its end."""
    has_slot: bool = False

    def release_slot(self) -> None:
        if self.has_slot:
            self.has_slot = False
            self.slots.release()


class AsyncOperations:
    """One run's operations. At most `at_once` of each kind run at a time; the others wait for a slot.

    The limit is per kind because one kind may wait for another: HTTP requests that wait for a connection must not keep
    the responses that hold the connections from being read.
    """

    def __init__(
        self,
        tasks: anyio.abc.TaskGroup,
        concurrent: Mapping[str, Handler],
        *,
        at_once: int,
        message_bytes: int,
    ) -> None:
        """`concurrent` are the operations that may be submitted. They run in `tasks`."""
        self._tasks, self._concurrent, self._message_bytes = tasks, concurrent, message_bytes
        self._slots = {operation: anyio.Semaphore(at_once) for operation in concurrent}
        self._operations: dict[int, _Operation] = {}
        self._argument_chars = 0
        """Total characters of the arguments of operations that have not ended."""
        self._one_ended = anyio.Event()

    def handlers(self) -> dict[str, Handler]:
        return {"async.submit": self._submit, "async.wait": self._wait, "async.cancel": self._cancel}

    async def _submit(self, text: str) -> str:
        submit = requests.parse_submit(text)
        if submit.operation not in self._concurrent:
            raise BadGuestCall(f"async.submit: {submit.operation[:100]!r} cannot be submitted; call it directly")
        if submit.id in self._operations or len(self._operations) >= MAX_IN_FLIGHT:
            raise BadGuestCall(f"async.submit: {submit.id} is in flight already, or {MAX_IN_FLIGHT:,} others are")
        if self._argument_chars and self._argument_chars + len(submit.text) > 2 * self._message_bytes:
            raise BadGuestCall(
                f"async.submit: calls with {self._argument_chars:,} characters of arguments are in flight, and at most "
                f"{2 * self._message_bytes:,} may be (twice codeact.limits.message_bytes): await some calls first"
            )
        operation = self._operations[submit.id] = _Operation(self._slots[submit.operation])
        self._argument_chars += len(submit.text)
        self._tasks.start_soon(self._run, submit, operation)
        return "null"

    async def _run(self, submit: requests.Submit, operation: _Operation) -> None:
        """Run an operation. Its slot is released when the guest has fetched its end, so that results which nobody
        fetches do not pile up here."""
        try:
            with operation.scope:
                await operation.slots.acquire()
                operation.has_slot = True
                try:
                    operation.end = f"[{submit.id},true,{await self._concurrent[submit.operation](submit.text)}]"
                except BridgeError as exc:
                    operation.end = f"[{submit.id},false,{error_text(exc)}]"
        finally:
            self._argument_chars -= len(submit.text)
            if operation.end is None or operation.abandoned:
                operation.release_slot()
            self._one_ended.set()

    async def _wait(self, text: str) -> str:
        wait = requests.parse(requests.Wait, "async.wait", text)
        if wait.timeout_s is None and not self._operations:
            raise BadGuestCall("async.wait: nothing is in flight")
        with anyio.move_on_after(wait.timeout_s):
            while not any(each.end for each in self._operations.values()):
                self._one_ended = anyio.Event()
                await self._one_ended.wait()
        return f"[{','.join(self._collect())}]"

    def _collect(self) -> list[str]:
        """Remove the ends that there are, as many as fit into one message."""
        ends: list[str] = []
        size = 0
        for number, each in list(self._operations.items()):
            if each.end is None or (ends and size + len(each.end) > self._message_bytes):
                continue
            ends.append(each.end)
            size += len(each.end)
            del self._operations[number]
            each.release_slot()
        return ends

    async def _cancel(self, text: str) -> str:
        operation = self._operations.pop(requests.parse(requests.Cancel, "async.cancel", text).id, None)
        if operation is not None:
            operation.abandoned = True
            if operation.end is not None:
                operation.release_slot()
            operation.scope.cancel()
        return "null"
