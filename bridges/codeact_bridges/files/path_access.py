"""One use of a path: resolved, checked, recorded in the access log, its errors translated for the guest."""

import errno
import time
from typing import Literal

from codeact_bridges.errors import FileRefused
from codeact_bridges.files.access_log import AccessEntry, AccessLog, shown
from codeact_bridges.files.mount_table import FoundPath, MountTable

NO_RULE = "none in codeact.files"
"""The rule in the record of an access outside the mounts."""

_DENIED = frozenset((errno.EACCES, errno.EPERM, errno.EROFS, errno.EDQUOT, errno.EBUSY))


class PathAccess:
    """The block in which a path is used.

    Entering it resolves the path; leaving it adds a record. `OSError`s of the block become `FileRefused`.
    """

    def __init__(
        self, mounts: MountTable, log: AccessLog, verb: str, path: str, *, changes: bool, allow_virtual: bool
    ) -> None:
        """`allow_virtual`: the path may also be a folder that only leads to mounts."""
        self._mounts, self._log = mounts, log
        self._verb, self._path, self._changes, self._allow_virtual = verb, path, changes, allow_virtual
        self._started = 0.0
        self._found: FoundPath | None = None
        self.virtual_names: frozenset[str] | None = None
        """The names in a virtual folder; None for a path in a mount."""
        self.bytes = 0
        self.record: AccessEntry | None = None

    @property
    def found(self) -> FoundPath:
        assert self._found is not None
        return self._found

    def __enter__(self) -> "PathAccess":
        self._started = time.monotonic()
        try:
            found = self._mounts.find(self._path)
            if isinstance(found, FoundPath):
                self._found = found
                if self._changes:
                    self._mounts.check_writable(found.mount)
            elif self._allow_virtual:
                self.virtual_names = found
            else:
                raise self._mounts.outside()
        except OSError as exc:
            raise self._refused(exc) from exc
        return self

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, _: object) -> None:
        if exc is None:
            self._add_record("allow")
        elif isinstance(exc, OSError):
            raise self._refused(exc) from exc

    def _refused(self, exc: OSError) -> FileRefused:
        self._add_record("deny" if exc.errno in _DENIED else "allow")
        return file_refused(exc, self._path)

    def _add_record(self, decision: Literal["allow", "deny"]) -> None:
        rule = ""
        if self.virtual_names is None:
            rule = NO_RULE if self._found is None else self._found.mount.rule
        what = f"{self._verb} {shown(self._path)}"
        self.record = self._log.add(what, decision, rule, self._started, self.bytes)


def file_refused(exc: OSError, path: str = "") -> FileRefused:
    """The guest's error for an `OSError`."""
    return FileRefused(errno.errorcode.get(exc.errno or 0, "EIO"), exc.strerror or str(exc), path)
