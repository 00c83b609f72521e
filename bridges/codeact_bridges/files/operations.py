"""One run's files: what it has open, and every operation it can ask for. Everything here blocks, in one thread.

files.open files.read files.write files.truncate files.fstat files.close
files.stat files.list files.mkdir files.rmdir files.remove files.rename files.utime files.readlink
"""

import errno
import json
import os
import stat
import threading
import time
from binascii import a2b_base64, b2a_base64
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal, TypeVar
from zlib import crc32

from codeact_bridges.errors import BadGuestCall, FileRefused
from codeact_bridges.files import paths
from codeact_bridges.files import requests as calls
from codeact_bridges.files.access_log import AccessEntry, AccessLog, shown
from codeact_bridges.files.disk_folder import DiskFolder
from codeact_bridges.files.memory_folder import MemoryFolder
from codeact_bridges.files.mounts import Mount
from codeact_bridges.files.port import FileStat, Folder, OpenFile, OpenMode, PathParts
from codeact_bridges.files.quota import Quota
from codeact_bridges.files.safe_open import WouldWait
from codeact_bridges.guest.requests import parse
from codeact_bridges.values import JsonValue

MAX_OPEN = 100
"""Files one run may have open. A process often has no more than 256 descriptors for everything."""

MAX_PAGE_BYTES = 1_000_000
"""How much of a folder's names goes into one answer."""

MAX_NAMES = 500_000
"""Names in a folder that can be listed at all: they are sorted, and so held in memory."""

NO_RULE = "none in codeact.files"
"""In the record of what was asked for outside the mounts."""

_DENIED = frozenset((errno.EACCES, errno.EPERM, errno.EROFS, errno.EDQUOT, errno.EBUSY))

_CallT = TypeVar("_CallT", bound=calls.Call)


@dataclass(frozen=True, slots=True)
class _Found:
    """What a path of the guest's stands for."""

    mount: Mount
    folder: Folder
    parts: PathParts
    must_be_folder: bool


@dataclass(slots=True)
class _Open:
    """A file that the guest has open."""

    file: OpenFile
    found: _Found
    reads: bool
    writes: bool
    record: AccessEntry


class FileOperations:
    """Answers the operations of one run."""

    def __init__(
        self,
        mounts: Sequence[Mount],
        quotas: Mapping[str, Quota],
        records: AccessLog,
        *,
        chunk_bytes: int,
        slots: threading.Semaphore,
    ) -> None:
        """`slots` has one for each file that all runs together may still open."""
        self._mounts = {mount.parts: mount for mount in mounts}
        self._quotas, self._records, self._chunk_bytes, self._slots = quotas, records, chunk_bytes, slots
        self._folders: dict[str, Folder] = {}
        self._open: dict[int, _Open] = {}
        self._last_handle = 0
        self.changed: dict[tuple[str, PathParts], None] = {}
        """What was made or written to, by mount and path, in order."""
        self._operations: dict[str, Callable[[str], str]] = {
            "files.open": self._bound_to_bytes("files.open", calls.Open, self._open_file),
            "files.read": self._bound_to_bytes("files.read", calls.Read, self._read),
            "files.write": self._bound_to_bytes("files.write", calls.Write, self._write),
            "files.truncate": self._bound("files.truncate", calls.Truncate, self._truncate),
            "files.fstat": self._bound("files.fstat", calls.OfHandle, self._facts_of_open),
            "files.close": self._bound("files.close", calls.Close, lambda _: None),
            "files.stat": self._bound("files.stat", calls.Stat, self._facts),
            "files.list": self._bound("files.list", calls.List, self._list),
            "files.mkdir": self._bound("files.mkdir", calls.OfPath, self._make_folder),
            "files.rmdir": self._bound("files.rmdir", calls.OfPath, self._remove_folder),
            "files.remove": self._bound("files.remove", calls.OfPath, self._remove),
            "files.rename": self._bound("files.rename", calls.Rename, self._rename),
            "files.utime": self._bound("files.utime", calls.SetTimes, self._set_times),
            "files.readlink": self._bound("files.readlink", calls.OfPath, self._read_link),
        }

    @property
    def operations(self) -> frozenset[str]:
        return frozenset(self._operations)

    def answer(self, operation: str, text: str) -> str:
        """JSON text for JSON text; the bytes of files stand beside it, as `pack` has them.

        Raises:
            FileRefused: the guest raises an `OSError` for it.
            BadGuestCall: the guest's request cannot be read.
        """
        return self._operations[operation](text)

    def answer_at_once(self, operation: str, text: str) -> str | None:
        """As `answer`, where nothing has to be waited for, so that the event loop may ask; else None.

        These are the facts and the content of small files in read-only folders that were used before: what a program
        does a thousand times costs no change of threads.
        """
        length: int | None = None
        if operation == "files.open":
            opening = parse(calls.Open, operation, text)
            call: calls.Open | calls.Stat = opening
            wanted = opening.access == "r" and not (opening.create or opening.append or opening.truncate)
            length = opening.ahead
        elif operation == "files.stat":
            call = asking = parse(calls.Stat, operation, text)
            wanted = asking.follow
        else:
            return None
        if not wanted:
            return None
        mount = self._mount_of(call.path)
        folder = self._folders.get(mount.guest) if mount is not None and mount.mode == "ro" else None
        if call.closed or mount is None or not isinstance(folder, DiskFolder) or paths.parse(call.path).folder:
            return None
        try:
            with self._recorded("stat" if length is None else "read", call.path) as use:
                facts, content = folder.at_once(use.found.parts, length)
                use.bytes = len(content)
        except WouldWait:
            return None
        known = _wire(facts, mount)
        return _json(known) if length is None else f"{_json({'handle': None, 'facts': known})}\n{pack(content)}"

    def close(self) -> None:
        """Close whatever the run has left open. Any number of times."""
        for handle in list(self._open):
            self._close(handle)
        for folder in self._folders.values():
            folder.close()
        self._folders.clear()

    def folder(self, mount: Mount) -> Folder:
        """The mount's content, opened when it is first needed."""
        folder = self._folders.get(mount.guest)
        if folder is None:
            if mount.path is None:
                folder = MemoryFolder(mount.guest, mount.max_bytes, mount.max_files)
            else:
                folder = DiskFolder(mount.path, self._quotas.get(mount.guest))
            self._folders[mount.guest] = folder
        return folder

    def _bound(
        self, operation: str, model: type[_CallT], method: Callable[[_CallT], JsonValue]
    ) -> Callable[[str], str]:
        def answer(text: str) -> str:
            call = parse(model, operation, text)
            for handle in call.closed:
                self._close(handle)
            return _json(method(call))

        return answer

    def _bound_to_bytes(
        self, operation: str, model: type[_CallT], method: Callable[[_CallT, str], str]
    ) -> Callable[[str], str]:
        """For an operation that carries bytes: they follow its arguments, or its answer, after a line feed."""

        def answer(text: str) -> str:
            head, _, packed = text.partition("\n")
            call = parse(model, operation, head)
            for handle in call.closed:
                self._close(handle)
            return method(call, packed)

        return answer

    def _close(self, handle: int) -> None:
        opened = self._open.pop(handle, None)
        if opened is not None:
            self._slots.release()
            opened.file.close()

    def _open_file(self, call: calls.Open, _: str) -> str:
        how = OpenMode(
            reads="r" in call.access,
            writes="w" in call.access,
            appends=call.append,
            creates=call.create,
            exclusively=call.exclusive,
            truncates=call.truncate,
        )
        changes = how.writes or how.creates or how.truncates
        if (how.truncates or how.appends) and not how.writes:
            raise BadGuestCall("files.open: what truncates or appends also writes")
        with self._recorded("write" if changes else "read", call.path, changes=changes) as use:
            found = use.found
            if found.must_be_folder or not found.parts:
                raise _error(errno.EISDIR)
            if len(self._open) >= MAX_OPEN:
                raise OSError(errno.EMFILE, f"a program may have {MAX_OPEN} files open at once: close some")
            if not self._slots.acquire(blocking=False):
                raise OSError(errno.ENFILE, "too many files are open in all programs together: try again later")
            try:
                file, made = found.folder.open(found.parts, how)
            except BaseException:
                self._slots.release()
                raise
            if made or how.truncates:
                self.changed[found.mount.guest, found.parts] = None
            try:
                seen = file.facts()
                ahead = file.read(0, call.ahead) if call.ahead and how.reads and seen.size else b""
            except BaseException:
                file.close()
                self._slots.release()
                raise
            use.bytes = len(ahead)
        answer: dict[str, JsonValue] = {"handle": None, "facts": _wire(seen, found.mount)}
        if found.mount.mode == "ro" and len(ahead) < call.ahead:
            file.close()  # the guest has all of it, and nothing that it could do would change it
            self._slots.release()
        else:
            assert use.record is not None
            self._last_handle += 1
            self._open[self._last_handle] = _Open(file, found, how.reads, how.writes, use.record)
            answer["handle"] = self._last_handle
        return f"{_json(answer)}\n{pack(ahead)}"

    def _read(self, call: calls.Read, _: str) -> str:
        opened = self._of(call.handle)
        if not opened.reads:
            raise _refused(_error(errno.EBADF), "")
        began = time.monotonic()
        try:
            data = opened.file.read(call.at, min(call.length, self._chunk_bytes))
        except OSError as exc:
            raise _refused(exc, "") from exc
        opened.record = self._records.more(opened.record, len(data), began)
        return pack(data)

    def _write(self, call: calls.Write, packed: str) -> str:
        opened = self._writable(call.handle)
        data = unpack(packed)
        began = time.monotonic()
        try:
            end = opened.file.write(call.at, data)
        except OSError as exc:
            self._records.add(f"write {_name(opened)}", "deny", opened.found.mount.rule, began)
            raise _refused(exc, "") from exc
        opened.record = self._records.more(opened.record, len(data), began)
        return _json(end)

    def _truncate(self, call: calls.Truncate) -> JsonValue:
        opened = self._writable(call.handle)
        try:
            opened.file.truncate(call.size)
        except OSError as exc:
            self._records.add(f"truncate {_name(opened)}", "deny", opened.found.mount.rule, time.monotonic())
            raise _refused(exc, "") from exc
        return None

    def _facts_of_open(self, call: calls.OfHandle) -> JsonValue:
        opened = self._of(call.handle)
        try:
            return _wire(opened.file.facts(), opened.found.mount)
        except OSError as exc:
            raise _refused(exc, "") from exc

    def _facts(self, call: calls.Stat) -> JsonValue:
        with self._recorded("stat", call.path, virtual=True) as use:
            if use.inner is not None:
                return [stat.S_IFDIR | 0o555, 0, 0, 2, 0, 0, 0, 0]
            found = use.found
            facts = found.folder.facts(found.parts, follow=call.follow or found.must_be_folder)
            if found.must_be_folder and not stat.S_ISDIR(facts.mode):
                raise _error(errno.ENOTDIR)
            return _wire(facts, found.mount)

    def _list(self, call: calls.List) -> JsonValue:
        with self._recorded("list", call.path, virtual=True) as use:
            if use.inner is not None:
                return {"entries": [text for name in sorted(use.inner) for text in (name, "d")], "more": False}
            there = sorted(islice(use.found.folder.list(use.found.parts), MAX_NAMES + 1))
            if len(there) > MAX_NAMES:
                raise OSError(errno.EOVERFLOW, f"more than {MAX_NAMES:,} names in one folder")
        start = 0 if call.after is None else bisect_right(there, call.after, key=lambda entry: entry[0])
        entries: list[JsonValue] = []
        size = 0
        for index in range(start, len(there)):
            name, kind = there[index]
            size += len(name.encode()) + 8
            if entries and size > min(MAX_PAGE_BYTES, self._chunk_bytes):
                return {"entries": entries, "more": True}
            entries += [name, kind]
        return {"entries": entries, "more": False}

    def _make_folder(self, call: calls.OfPath) -> JsonValue:
        with self._recorded("mkdir", call.path, changes=True, virtual=True) as use:
            if use.inner is not None or not use.found.parts:
                raise _error(errno.EEXIST)
            use.found.folder.make_folder(use.found.parts)
        return None

    def _remove_folder(self, call: calls.OfPath) -> JsonValue:
        with self._recorded("rmdir", call.path, changes=True) as use:
            use.found.folder.remove_folder(use.found.parts)
        return None

    def _remove(self, call: calls.OfPath) -> JsonValue:
        with self._recorded("remove", call.path, changes=True) as use:
            if use.found.must_be_folder:
                raise _error(errno.ENOTDIR)
            use.found.folder.remove(use.found.parts)
            self.changed.pop((use.found.mount.guest, use.found.parts), None)
        return None

    def _rename(self, call: calls.Rename) -> JsonValue:
        with (
            self._recorded("rename", call.path, changes=True) as source,
            self._recorded("rename to", call.target, changes=True) as target,
        ):
            one, other = source.found, target.found
            if one.mount is not other.mount:
                raise OSError(
                    errno.EXDEV, f"{one.mount.guest} and {other.mount.guest} are different mounts: copy, or shutil.move"
                )
            one.folder.rename(one.parts, other.parts)
            guest, length = one.mount.guest, len(one.parts)
            for mount, parts in list(self.changed):
                if mount == guest and parts[:length] == one.parts:
                    del self.changed[mount, parts]
                    self.changed[mount, other.parts + parts[length:]] = None
            self.changed[guest, other.parts] = None
        return None

    def _set_times(self, call: calls.SetTimes) -> JsonValue:
        now = time.time_ns()
        accessed = now if call.accessed_ns is None else call.accessed_ns
        modified = now if call.modified_ns is None else call.modified_ns
        with self._recorded("utime", call.path, changes=True) as use:
            use.found.folder.set_times(use.found.parts, accessed, modified)
        return None

    def _read_link(self, call: calls.OfPath) -> JsonValue:
        with self._recorded("readlink", call.path, virtual=True) as use:
            if use.inner is not None:
                raise _error(errno.EINVAL)
            return use.found.folder.read_link(use.found.parts)

    def _recorded(self, verb: str, path: str, *, changes: bool = False, virtual: bool = False) -> "_Use":
        return _Use(self, self._records, verb, path, changes, virtual)

    def find(self, path: str, *, virtual: bool) -> _Found | frozenset[str]:
        """The mount and what is below it; or, where `virtual`, the names in a folder above the mounts.

        Raises:
            OSError: there is no mount there.
        """
        wanted = paths.parse(path)
        mount = self._mount_of(path)
        if mount is not None:
            return _Found(mount, self.folder(mount), wanted.parts[len(mount.parts) :], wanted.folder)
        above = {parts[len(wanted.parts)] for parts in self._mounts if parts[: len(wanted.parts)] == wanted.parts}
        if above and virtual:
            return frozenset(above)
        mounted = ", ".join(mount.rule for mount in self._mounts.values())
        raise OSError(errno.EACCES, f"outside the mounted folders: there are {mounted}")

    def _mount_of(self, path: str) -> Mount | None:
        try:
            parts = paths.parse(path).parts
        except OSError:
            return None
        mounts = (self._mounts.get(parts[:length]) for length in range(1, len(parts) + 1))
        return next(filter(None, mounts), None)

    def check_writable(self, mount: Mount) -> None:
        """Raise `OSError` where the operator allows reading only."""
        if not mount.writable:
            others = " or ".join(other.rule for other in self._mounts.values() if other.writable)
            instead = f"write below {others}" if others else "no mounted folder can be written to"
            raise OSError(errno.EACCES, f"{mount.guest} is mounted read-only; {instead}")

    def _of(self, handle: int) -> _Open:
        opened = self._open.get(handle)
        if opened is None:
            raise _refused(_error(errno.EBADF), "")
        return opened

    def _writable(self, handle: int) -> _Open:
        opened = self._of(handle)
        if not opened.writes:
            raise _refused(_error(errno.EBADF), "")
        self.changed[opened.found.mount.guest, opened.found.parts] = None
        return opened


class _Use:
    """The block in which a path is found and used: records it, and turns the system's errors into the guest's."""

    def __init__(
        self, session: FileOperations, records: AccessLog, verb: str, path: str, changes: bool, virtual: bool
    ) -> None:
        self._session, self._records = session, records
        self._verb, self._path, self._changes, self._virtual = verb, path, changes, virtual
        self._began = 0.0
        self._found: _Found | None = None
        self.inner: frozenset[str] | None = None
        """The names in a folder above the mounts; None where a mount was found."""
        self.bytes = 0
        self.record: AccessEntry | None = None

    @property
    def found(self) -> _Found:
        assert self._found is not None
        return self._found

    def __enter__(self) -> "_Use":
        self._began = time.monotonic()
        try:
            there = self._session.find(self._path, virtual=self._virtual)
            if isinstance(there, _Found):
                self._found = there
                if self._changes:
                    self._session.check_writable(there.mount)
            else:
                self.inner = there
        except OSError as exc:
            raise self._failed(exc) from exc
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, _: object) -> None:
        if exc is None:
            self._record("allow")
        elif isinstance(exc, OSError):
            raise self._failed(exc) from exc

    def _failed(self, exc: OSError) -> FileRefused:
        self._record("deny" if exc.errno in _DENIED else "allow")
        return _refused(exc, self._path)

    def _record(self, decision: Literal["allow", "deny"]) -> None:
        rule = "" if self.inner is not None else NO_RULE if self._found is None else self._found.mount.rule
        what = f"{self._verb} {shown(self._path)}"
        self.record = self._records.add(what, decision, rule, self._began, self.bytes)


def _wire(facts: FileStat, mount: Mount) -> JsonValue:
    """What the guest makes a `stat_result` of.

    Its device is a hash of the mount and the device there: below one folder of overlayfs an inode is no name for a file
    without its device.
    """
    mode = facts.mode if mount.writable else facts.mode & ~0o222
    device = crc32(f"{facts.device} {mount.guest}".encode())
    times: list[JsonValue] = [facts.accessed_ns, facts.modified_ns, facts.changed_ns]
    return [mode, facts.inode, device, facts.links, facts.size, *times]


def pack(data: bytes) -> str:
    """Bytes as text: base64, unless they are ASCII, as most of what is long is. The other side is `open_files.py`."""
    if data.isascii() and b"\0" not in data:
        return "a" + data.decode()
    return "b" + b2a_base64(data, newline=False).decode()


def unpack(text: str) -> bytes:
    """What the guest packed. Raises `BadGuestCall`."""
    try:
        if text.startswith("a"):
            return text[1:].encode("ascii")
        if text.startswith("b"):
            return a2b_base64(text[1:], strict_mode=True)
    except ValueError as exc:  # binascii's error is one, and so are Unicode's
        raise BadGuestCall(f"the bytes of a file: {exc}") from None
    raise BadGuestCall("the bytes of a file begin with a or b")


_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def _refused(exc: OSError, path: str) -> FileRefused:
    return FileRefused(errno.errorcode.get(exc.errno or 0, "EIO"), exc.strerror or str(exc), path)


def _name(opened: _Open) -> str:
    return shown("/".join((opened.found.mount.guest, *opened.found.parts)))
