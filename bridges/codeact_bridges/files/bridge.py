"""Opens the operator's mounts for a run, and reports afterwards which files it created. See `bridge.Bridge`."""

import logging
import sys
import threading
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from functools import partial

import anyio

from codeact_bridges.bridge import Handler, OpenBridge, Usage
from codeact_bridges.files.access_log import AccessLog
from codeact_bridges.files.changed_files import MAX_CONTENT_BYTES, MAX_FILES, changed_files
from codeact_bridges.files.mounts import Mount
from codeact_bridges.files.open_files import MAX_OPEN
from codeact_bridges.files.operations import FileOperations
from codeact_bridges.files.quota import Quota
from codeact_bridges.system.serial_executor import SerialExecutor
from codeact_bridges.values import JsonValue, ProducedFile

log = logging.getLogger(__name__)

CHUNK_BYTES = 2 << 20
"""Most bytes of a file in one message. Larger chunks are no faster (measured by `tests/performance/files.py`)."""

END_TIMEOUT_S = 3.0
"""How long the result of a run may wait for the list of created files."""


class FilesBridge:
    """See `bridge.Bridge`."""

    def __init__(self, mounts: Sequence[Mount], message_bytes: int) -> None:
        self._mounts = tuple(mounts)
        # Base64 makes four bytes of three; 10,000 bytes are for the rest of the message.
        self._chunk_bytes = min(CHUNK_BYTES, (message_bytes - 10_000) // 4 * 3)
        self._quotas = {
            mount.guest: Quota(mount.guest, mount.max_bytes, mount.max_files)
            for mount in self._mounts
            if mount.mode == "rw"
        }
        self._slots = threading.Semaphore(_most_open())

    @asynccontextmanager
    async def open(self, usage: Usage) -> AsyncGenerator[OpenBridge]:
        access_log = AccessLog()
        operations = FileOperations(
            self._mounts, self._quotas, access_log, chunk_bytes=self._chunk_bytes, slots=self._slots
        )
        executor = SerialExecutor(at_end=operations.close)

        async def flush() -> None:
            self._expire_counts()
            try:
                if operations.changed:
                    await self._report_changed(usage, executor, operations)
            finally:
                usage.accesses += access_log.drain()

        self._expire_counts()
        try:
            handlers = {name: _handler(executor, operations, name) for name in operations.names}
            yield OpenBridge(handlers, init={"files": self._init()}, flush=flush)
        finally:
            try:
                await flush()
            finally:
                executor.shutdown()

    def _expire_counts(self) -> None:
        for quota in self._quotas.values():
            quota.expire()

    async def _report_changed(self, usage: Usage, executor: SerialExecutor, operations: FileOperations) -> None:
        """Shielded, because the files of a cancelled run exist too."""
        with anyio.move_on_after(END_TIMEOUT_S, shield=True) as scope:
            usage.produced += await executor.run(partial(self._changed_files, operations))
        if scope.cancelled_caught:
            log.warning("a mounted folder did not answer within %s s: the files of a run are not listed", END_TIMEOUT_S)

    def _changed_files(self, operations: FileOperations) -> list[ProducedFile]:
        mounts = {mount.guest: mount for mount in self._mounts}
        found: dict[str, ProducedFile] = {}
        left_bytes = MAX_CONTENT_BYTES
        changed, operations.changed = list(operations.changed), {}
        for guest, parts in changed:
            mount = mounts[guest]
            if mount.path is None:
                continue
            for file in changed_files(mount, operations.folder(mount), parts, left_bytes):
                if file.path not in found:
                    found[file.path] = file
                    left_bytes -= len(file.base64 or "") * 3 // 4
                if len(found) == MAX_FILES:
                    return list(found.values())
        return list(found.values())

    def _init(self) -> JsonValue:
        mounts: list[JsonValue] = [{"path": mount.guest, "mode": mount.mode} for mount in self._mounts]
        writable = [mount for mount in self._mounts if mount.mode == "rw"] or [*self._mounts]
        return {"mounts": mounts, "folder": writable[0].guest, "chunk_bytes": self._chunk_bytes}


def _handler(executor: SerialExecutor, operations: FileOperations, name: str) -> Handler:
    async def handler(text: str) -> str:
        answer = operations.answer_without_blocking(name, text)
        return answer if answer is not None else await executor.run(partial(operations.answer, name, text))

    return handler


def _most_open() -> int:
    """Files that all runs together may have open: at most a quarter of this process's limit."""
    if sys.platform == "win32":
        return 4 * MAX_OPEN
    import resource

    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return 4 * MAX_OPEN if allowed == resource.RLIM_INFINITY else max(50, min(4 * MAX_OPEN, allowed // 4))
