"""Mounted folders, called as a guest calls them, and a folder outside of them. Not a test."""

import json
import os
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from codeact_bridges.errors import FileRefused
from codeact_bridges.files.access_log import AccessLog
from codeact_bridges.files.encoding import pack, unpack
from codeact_bridges.files.mounts import Mount, mount
from codeact_bridges.files.operations import FileOperations
from codeact_bridges.files.quota import Quota

SECRET = "no guest may ever read this"
CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Mounted:
    """`/data` (ro) and `/out` (rw) on this machine, `/scratch` in memory; and `outside`, which is not mounted."""

    data: Path
    out: Path
    outside: Path
    operations: FileOperations
    access_log: AccessLog

    def call(self, operation: str, packed: str | None = None, **arguments: Any) -> Any:
        """The result as a guest gets it. Raises `FileRefused`."""
        text = json.dumps(arguments, ensure_ascii=False)
        request = text if packed is None else f"{text}\n{packed}"
        early = self.operations.answer_without_blocking(operation, request)
        answer = early if early is not None else self.operations.answer(operation, request)
        if operation == "files.read":
            return unpack(answer)
        if operation == "files.open":
            head, _, ahead = answer.partition("\n")
            return {**json.loads(head), "ahead": unpack(ahead)}
        return json.loads(answer)

    def read(self, path: str) -> bytes:
        """A whole file."""
        ahead: bytes = self.call("files.open", path=path, ahead=1 << 20)["ahead"]
        return ahead

    def open(self, path: str, access: str = "rw", **mode: bool) -> int:
        """Open a file for writing and return the handle. By default a missing file is created."""
        handle: int = self.call("files.open", path=path, access=access, **cast("Any", {"create": True, **mode}))[
            "handle"
        ]
        return handle

    def write(self, path: str, data: bytes, at: int | None = 0) -> None:
        """Open a file, write to it and close it."""
        handle = self.open(path)
        try:
            self.put(handle, data, at)
        finally:
            self.call("files.close", closed=[handle])

    def put(self, handle: int, data: bytes, at: int | None = 0) -> int:
        end: int = self.call("files.write", pack(data), handle=handle, at=at)
        return end

    def names(self, path: str) -> list[str]:
        names: list[str] = self.call("files.list", path=path)["entries"][::2]
        return names

    def why_not(self, operation: str, packed: str | None = None, **arguments: Any) -> tuple[str, str]:
        """The refusal of a call that must be refused: the error's name and its sentence."""
        try:
            answer = self.call(operation, packed, **arguments)
        except FileRefused as refused:
            return refused.errno_name, refused.reason
        raise AssertionError(f"{operation} {arguments} was answered with {answer!r}")


@contextmanager
def mounted_below(folder: Path, max_bytes: int = 1_000_000, max_files: int = 100) -> Generator[Mounted]:
    """The mounts, in new folders below `folder`."""
    data, out, outside = folder / "data", folder / "out", folder / "outside"
    for each in (data, out, outside):
        each.mkdir(parents=True)
    (outside / "secret.txt").write_text(SECRET)
    mounts = [
        mount("/data", "ro", data),
        mount("/out", "rw", out, max_bytes, max_files),
        mount("/scratch", "temp", None, max_bytes, max_files),
    ]
    before = _descriptors()
    with operations_on(mounts) as (operations, access_log):
        yield Mounted(data, out, outside, operations, access_log)
    assert _descriptors() <= before, "the operations left descriptors open"


@contextmanager
def operations_on(
    mounts: Sequence[Mount],
    *,
    slots: int = 400,
    quotas: dict[str, Quota] | None = None,
) -> Generator[tuple[FileOperations, AccessLog]]:
    """One run's operations on some mounts. `quotas` may be those of another run, which then share them."""
    quotas = quotas_of(mounts) if quotas is None else quotas
    access_log = AccessLog()
    operations = FileOperations(mounts, quotas, access_log, chunk_bytes=CHUNK_BYTES, slots=threading.Semaphore(slots))
    try:
        yield operations, access_log
    finally:
        operations.close()


def quotas_of(mounts: Sequence[Mount]) -> dict[str, Quota]:
    """A quota for each writable mount."""
    return {each.guest: Quota(each.guest, each.max_bytes, each.max_files) for each in mounts if each.mode == "rw"}


def _descriptors() -> set[str]:
    """The descriptors that this process has open."""
    return {fd for fd in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{fd}")}
