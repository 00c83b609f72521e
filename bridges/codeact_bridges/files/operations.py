"""The file operations of one run. All of them block, in one thread, except `answer_without_blocking`.

files.open files.read files.write files.truncate files.fstat files.close
files.stat files.list files.mkdir files.rmdir files.remove files.rename files.utime files.readlink
"""

import errno
import stat
import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import TypeVar

from codeact_bridges.errors import BadGuestCall
from codeact_bridges.files import paths, requests
from codeact_bridges.files.access_log import AccessLog
from codeact_bridges.files.encoding import encode_json, pack, stat_fields, unpack
from codeact_bridges.files.mount_table import MountTable
from codeact_bridges.files.mounts import Mount
from codeact_bridges.files.open_files import GuestFile, OpenFiles
from codeact_bridges.files.path_access import PathAccess, file_refused
from codeact_bridges.files.paths import PathParts
from codeact_bridges.files.port import Folder, OpenMode, WouldBlock, os_error
from codeact_bridges.files.quota import Quota
from codeact_bridges.guest.requests import parse
from codeact_bridges.values import JsonValue

MAX_PAGE_BYTES = 1_000_000
"""Bytes of names in one page of a folder's listing."""

MAX_NAMES = 500_000
"""Names in a folder that can be listed. They are sorted, and so held in memory."""

_RequestT = TypeVar("_RequestT", bound=requests.FileRequest)


class FileOperations:
    """Answers the file operations of one run."""

    def __init__(
        self,
        mounts: Sequence[Mount],
        quotas: Mapping[str, Quota],
        log: AccessLog,
        *,
        chunk_bytes: int,
        slots: threading.Semaphore,
    ) -> None:
        """`slots`: how many more files all runs together may open."""
        self._mounts = MountTable(mounts, quotas)
        self._log, self._chunk_bytes = log, chunk_bytes
        self._files = OpenFiles(slots)
        self.changed: dict[tuple[str, PathParts], None] = {}
        """What was created or written to, by mount and path, in order."""
        self._operations: dict[str, Callable[[str], str]] = {
            "files.open": self._with_bytes("files.open", requests.Open, self._open),
            "files.read": self._with_bytes("files.read", requests.Read, self._read),
            "files.write": self._with_bytes("files.write", requests.Write, self._write),
            "files.truncate": self._in_json("files.truncate", requests.Truncate, self._truncate),
            "files.fstat": self._in_json("files.fstat", requests.HandleRequest, self._fstat),
            "files.close": self._in_json("files.close", requests.Close, lambda _: None),
            "files.stat": self._in_json("files.stat", requests.Stat, self._stat),
            "files.list": self._in_json("files.list", requests.List, self._list),
            "files.mkdir": self._in_json("files.mkdir", requests.PathRequest, self._make_folder),
            "files.rmdir": self._in_json("files.rmdir", requests.PathRequest, self._remove_folder),
            "files.remove": self._in_json("files.remove", requests.PathRequest, self._remove),
            "files.rename": self._in_json("files.rename", requests.Rename, self._rename),
            "files.utime": self._in_json("files.utime", requests.SetTimes, self._set_times),
            "files.readlink": self._in_json("files.readlink", requests.PathRequest, self._read_link),
        }

    @property
    def names(self) -> frozenset[str]:
        """The operations that there are."""
        return frozenset(self._operations)

    def answer(self, operation: str, text: str) -> str:
        """The operation's result as JSON text. Content of files stands beside the JSON, in the form of `pack`.

        Raises:
            FileRefused: the guest raises an `OSError` for it.
            BadGuestCall: the request cannot be parsed.
        """
        return self._operations[operation](text)

    def answer_without_blocking(self, operation: str, text: str) -> str | None:
        """As `answer`, if that needs no waiting and so may run on the event loop; else None.

        Covers `stat` and the content of small files in read-only folders that are open already. Programs do this
        thousands of times, and each change of threads that is saved counts.
        """
        length: int | None = None
        request: requests.Open | requests.Stat
        if operation == "files.open":
            request = opening = parse(requests.Open, operation, text)
            length = opening.ahead
            covered = opening.access == "r" and not (opening.create or opening.append or opening.truncate)
        elif operation == "files.stat":
            request = parse(requests.Stat, operation, text)
            covered = request.follow
        else:
            return None
        if not covered or request.closed:
            return None
        mount = self._mounts.mount_of(request.path)
        if mount is None or mount.mode != "ro" or not self._mounts.is_open(mount):
            return None
        if paths.parse(request.path).folder:
            return None
        try:
            with self._access("stat" if length is None else "read", request.path) as access:
                seen, content = access.found.folder.read_without_blocking(access.found.parts, length)
                access.bytes = len(content)
        except WouldBlock:
            return None
        facts = stat_fields(seen, mount)
        if length is None:
            return encode_json(facts)
        return f"{encode_json({'handle': None, 'facts': facts})}\n{pack(content)}"

    def close(self) -> None:
        """Close everything that the run left open. Idempotent."""
        self._files.close_all()
        self._mounts.close()

    def folder(self, mount: Mount) -> Folder:
        """The mount's content."""
        return self._mounts.folder(mount)

    def _in_json(
        self, operation: str, model: type[_RequestT], method: Callable[[_RequestT], JsonValue]
    ) -> Callable[[str], str]:
        def answer(text: str) -> str:
            return encode_json(method(self._parsed(operation, model, text)))

        return answer

    def _with_bytes(
        self, operation: str, model: type[_RequestT], method: Callable[[_RequestT, str], str]
    ) -> Callable[[str], str]:
        """For an operation that carries bytes: they follow its arguments, or its result, after a line feed."""

        def answer(text: str) -> str:
            head, _, packed = text.partition("\n")
            return method(self._parsed(operation, model, head), packed)

        return answer

    def _parsed(self, operation: str, model: type[_RequestT], text: str) -> _RequestT:
        request = parse(model, operation, text)
        for handle in request.closed:
            self._files.close(handle)
        return request

    def _open(self, request: requests.Open, _: str) -> str:
        mode = OpenMode(
            reads="r" in request.access,
            writes="w" in request.access,
            appends=request.append,
            creates=request.create,
            exclusively=request.exclusive,
            truncates=request.truncate,
        )
        if (mode.truncates or mode.appends) and not mode.writes:
            raise BadGuestCall("files.open: truncate and append need write access")
        with self._access("write" if mode.changes else "read", request.path, changes=mode.changes) as access:
            found = access.found
            if found.must_be_folder or not found.parts:
                raise os_error(errno.EISDIR)
            self._files.reserve()
            try:
                file, created = found.folder.open(found.parts, mode)
            except BaseException:
                self._files.release()
                raise
            if created or mode.truncates:
                self.changed[found.mount.guest, found.parts] = None
            try:
                seen = file.stat()
                ahead = file.read(0, request.ahead) if request.ahead and mode.reads and seen.size else b""
            except BaseException:
                file.close()
                self._files.release()
                raise
            access.bytes = len(ahead)
        handle: int | None = None
        if found.mount.mode == "ro" and len(ahead) < request.ahead:
            file.close()  # the guest has the whole content, and can do nothing that would change it
            self._files.release()
        else:
            assert access.record is not None
            handle = self._files.add(GuestFile(file, found, mode, access.record))
        return f"{encode_json({'handle': handle, 'facts': stat_fields(seen, found.mount)})}\n{pack(ahead)}"

    def _read(self, request: requests.Read, _: str) -> str:
        opened = self._files.get(request.handle)
        if not opened.mode.reads:
            raise file_refused(os_error(errno.EBADF))
        started = time.monotonic()
        try:
            data = opened.file.read(request.at, min(request.length, self._chunk_bytes))
        except OSError as exc:
            raise file_refused(exc) from exc
        opened.record = self._log.add_bytes(opened.record, len(data), started)
        return pack(data)

    def _write(self, request: requests.Write, packed: str) -> str:
        opened = self._writable(request.handle)
        data = unpack(packed)
        started = time.monotonic()
        try:
            end = opened.file.write(request.at, data)
        except OSError as exc:
            self._log.add(f"write {opened.name}", "deny", opened.found.mount.rule, started)
            raise file_refused(exc) from exc
        opened.record = self._log.add_bytes(opened.record, len(data), started)
        return encode_json(end)

    def _truncate(self, request: requests.Truncate) -> JsonValue:
        opened = self._writable(request.handle)
        try:
            opened.file.truncate(request.size)
        except OSError as exc:
            self._log.add(f"truncate {opened.name}", "deny", opened.found.mount.rule, time.monotonic())
            raise file_refused(exc) from exc
        return None

    def _fstat(self, request: requests.HandleRequest) -> JsonValue:
        opened = self._files.get(request.handle)
        try:
            return stat_fields(opened.file.stat(), opened.found.mount)
        except OSError as exc:
            raise file_refused(exc) from exc

    def _stat(self, request: requests.Stat) -> JsonValue:
        with self._access("stat", request.path, allow_virtual=True) as access:
            if access.virtual_names is not None:
                return [stat.S_IFDIR | 0o555, 0, 0, 2, 0, 0, 0, 0]
            found = access.found
            seen = found.folder.stat(found.parts, follow=request.follow or found.must_be_folder)
            if found.must_be_folder and not stat.S_ISDIR(seen.mode):
                raise os_error(errno.ENOTDIR)
            return stat_fields(seen, found.mount)

    def _list(self, request: requests.List) -> JsonValue:
        with self._access("list", request.path, allow_virtual=True) as access:
            if access.virtual_names is not None:
                names = sorted(access.virtual_names)
                return {"entries": [text for name in names for text in (name, "d")], "more": False}
            found = sorted(islice(access.found.folder.list(access.found.parts), MAX_NAMES + 1))
            if len(found) > MAX_NAMES:
                raise OSError(errno.EOVERFLOW, f"the folder holds more than {MAX_NAMES:,} names")
        start = 0 if request.after is None else bisect_right(found, request.after, key=lambda entry: entry[0])
        entries: list[JsonValue] = []
        size = 0
        for index in range(start, len(found)):
            name, kind = found[index]
            size += len(name.encode()) + 8
            if entries and size > min(MAX_PAGE_BYTES, self._chunk_bytes):
                return {"entries": entries, "more": True}
            entries += [name, kind]
        return {"entries": entries, "more": False}

    def _make_folder(self, request: requests.PathRequest) -> JsonValue:
        with self._access("mkdir", request.path, changes=True, allow_virtual=True) as access:
            if access.virtual_names is not None or not access.found.parts:
                raise os_error(errno.EEXIST)
            access.found.folder.make_folder(access.found.parts)
        return None

    def _remove_folder(self, request: requests.PathRequest) -> JsonValue:
        with self._access("rmdir", request.path, changes=True) as access:
            access.found.folder.remove_folder(access.found.parts)
        return None

    def _remove(self, request: requests.PathRequest) -> JsonValue:
        with self._access("remove", request.path, changes=True) as access:
            found = access.found
            if found.must_be_folder:
                raise os_error(errno.ENOTDIR)
            found.folder.remove(found.parts)
            self.changed.pop((found.mount.guest, found.parts), None)
        return None

    def _rename(self, request: requests.Rename) -> JsonValue:
        with (
            self._access("rename", request.path, changes=True) as old,
            self._access("rename to", request.target, changes=True) as new,
        ):
            source, target = old.found, new.found
            if source.mount is not target.mount:
                both = f"{source.mount.guest} and {target.mount.guest}"
                raise OSError(errno.EXDEV, f"{both} are different mounts; copy the file, or use shutil.move")
            source.folder.rename(source.parts, target.parts)
            self._rename_changed(source.mount.guest, source.parts, target.parts)
        return None

    def _rename_changed(self, guest: str, source: PathParts, target: PathParts) -> None:
        for mount, parts in list(self.changed):
            if mount == guest and parts[: len(source)] == source:
                del self.changed[mount, parts]
                self.changed[mount, target + parts[len(source) :]] = None
        self.changed[guest, target] = None

    def _set_times(self, request: requests.SetTimes) -> JsonValue:
        now = time.time_ns()
        accessed = now if request.accessed_ns is None else request.accessed_ns
        modified = now if request.modified_ns is None else request.modified_ns
        with self._access("utime", request.path, changes=True) as access:
            access.found.folder.set_times(access.found.parts, accessed, modified)
        return None

    def _read_link(self, request: requests.PathRequest) -> JsonValue:
        with self._access("readlink", request.path, allow_virtual=True) as access:
            if access.virtual_names is not None:
                raise os_error(errno.EINVAL)
            return access.found.folder.read_link(access.found.parts)

    def _access(self, verb: str, path: str, *, changes: bool = False, allow_virtual: bool = False) -> PathAccess:
        return PathAccess(self._mounts, self._log, verb, path, changes=changes, allow_virtual=allow_virtual)

    def _writable(self, handle: int) -> GuestFile:
        opened = self._files.get(handle)
        if not opened.mode.writes:
            raise file_refused(os_error(errno.EBADF))
        self.changed[opened.found.mount.guest, opened.found.parts] = None
        return opened
