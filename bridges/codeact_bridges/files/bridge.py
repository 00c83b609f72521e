"""Lends the operator's mounts to a run, and says afterwards what it made in them. See `lending.Bridge`."""

import logging
import sys
import threading
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial

import anyio

from codeact_bridges.bridge import Handler, OpenBridge, Usage
from codeact_bridges.files.access_log import AccessLog
from codeact_bridges.files.changed_files import MAX_CONTENT_BYTES, MAX_FILES, produced
from codeact_bridges.files.mounts import Mount
from codeact_bridges.files.operations import MAX_OPEN, FileOperations
from codeact_bridges.files.quota import Quota
from codeact_bridges.system.serial_executor import SerialExecutor
from codeact_bridges.values import JsonValue, ProducedFile

log = logging.getLogger(__name__)

CHUNK_BYTES = 2 << 20
"""Most bytes of a file in one message. Larger ones are no faster (measured: `tests/performance/files.py`)."""

END_TIMEOUT_S = 3.0
"""How long the result of a run may wait to hear which files were made."""


class FilesBridge:
    """See `lending.Bridge`."""

    def __init__(self, mounts: Sequence[Mount], message_bytes: int) -> None:
        self._mounts = tuple(mounts)
        # Base64 makes four bytes of three, and there is something around it.
        self._chunk_bytes = min(CHUNK_BYTES, (message_bytes - 10_000) // 4 * 3)
        self._quotas = {
            mount.guest: Quota(mount.guest, mount.max_bytes, mount.max_files)
            for mount in self._mounts
            if mount.mode == "rw"
        }
        self._slots = threading.Semaphore(_most_open())

    def open(self, usage: Usage) -> AbstractAsyncContextManager[OpenBridge]:
        return self._lend(usage)

    @asynccontextmanager
    async def _lend(self, usage: Usage) -> AsyncGenerator[OpenBridge]:
        records = AccessLog()
        session = FileOperations(self._mounts, self._quotas, records, chunk_bytes=self._chunk_bytes, slots=self._slots)
        executor = SerialExecutor(at_end=session.close)

        async def flush() -> None:
            self._look_again()
            try:
                if session.changed:
                    await self._tell(usage, executor, session)
            finally:
                usage.accesses += records.told()

        self._look_again()
        try:
            handlers = {operation: _answer(executor, session, operation) for operation in session.operations}
            yield OpenBridge(handlers, init={"files": self._begin()}, flush=flush)
        finally:
            try:
                await flush()
            finally:
                executor.shutdown()

    def _look_again(self) -> None:
        """People may have been at the folders since the last program."""
        for quota in self._quotas.values():
            quota.forget()

    async def _tell(self, usage: Usage, executor: SerialExecutor, session: FileOperations) -> None:
        """Even of a run that was cut off: its files are there."""
        with anyio.move_on_after(END_TIMEOUT_S, shield=True) as scope:
            usage.produced += await executor.run(partial(self._produced, session))
        if scope.cancelled_caught:
            log.warning("a mounted folder did not answer within %s s: the files of a run are not listed", END_TIMEOUT_S)

    def _produced(self, session: FileOperations) -> list[ProducedFile]:
        mounts = {mount.guest: mount for mount in self._mounts}
        found: dict[str, ProducedFile] = {}
        left_bytes = MAX_CONTENT_BYTES
        changed, session.changed = list(session.changed), {}
        for guest, parts in changed:
            mount = mounts[guest]
            if mount.path is None:
                continue
            for file in produced(mount, session.folder(mount), parts, left_bytes):
                if file.path not in found:
                    found[file.path] = file
                    left_bytes -= len(file.base64 or "") * 3 // 4
                if len(found) == MAX_FILES:
                    return list(found.values())
        return list(found.values())

    def _begin(self) -> JsonValue:
        mounts: list[JsonValue] = [{"path": mount.guest, "mode": mount.mode} for mount in self._mounts]
        writable = [mount for mount in self._mounts if mount.mode == "rw"] or [*self._mounts]
        return {"mounts": mounts, "folder": writable[0].guest, "chunk_bytes": self._chunk_bytes}


def _answer(executor: SerialExecutor, session: FileOperations, operation: str) -> Handler:
    async def answer(text: str) -> str:
        at_once = session.answer_at_once(operation, text)
        return at_once if at_once is not None else await executor.run(partial(session.answer, operation, text))

    return answer


def _most_open() -> int:
    """Files that all runs together may have open: a quarter of what this process may."""
    if sys.platform == "win32":
        return 4 * MAX_OPEN
    import resource

    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return 4 * MAX_OPEN if allowed == resource.RLIM_INFINITY else max(50, min(4 * MAX_OPEN, allowed // 4))
