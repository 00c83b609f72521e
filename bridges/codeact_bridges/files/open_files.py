"""The files that a run has open, by handle, limited per run and for all runs together."""

import errno
import threading
from dataclasses import dataclass

from codeact_bridges.files.access_log import AccessEntry, shown
from codeact_bridges.files.mount_table import FoundPath
from codeact_bridges.files.path_access import file_refused
from codeact_bridges.files.port import OpenFile, OpenMode, os_error

MAX_OPEN = 100
"""Files that one run may have open. A process often has no more than 256 descriptors in all."""


@dataclass(slots=True)
class GuestFile:
    """A file that the guest has open."""

    file: OpenFile
    found: FoundPath
    mode: OpenMode
    record: AccessEntry

    @property
    def name(self) -> str:
        """Its path as the access log shows it."""
        return shown("/".join((self.found.mount.guest, *self.found.parts)))


class OpenFiles:
    """Call `reserve` before opening a file, then either `add` or `release`."""

    def __init__(self, slots: threading.Semaphore) -> None:
        """`slots`: how many more files all runs together may open."""
        self._slots = slots
        self._files: dict[int, GuestFile] = {}
        self._last_handle = 0

    def reserve(self) -> None:
        """Take a slot.

        Raises:
            OSError: this run, or all runs together, have too many files open.
        """
        if len(self._files) >= MAX_OPEN:
            raise OSError(errno.EMFILE, f"a program may have at most {MAX_OPEN} files open at once; close some")
        if not self._slots.acquire(blocking=False):
            raise OSError(errno.ENFILE, "all programs together have too many files open; try again later")

    def release(self) -> None:
        """Give back a slot that was not used."""
        self._slots.release()

    def add(self, file: GuestFile) -> int:
        """A handle for the file. Handles are never reused."""
        self._last_handle += 1
        self._files[self._last_handle] = file
        return self._last_handle

    def get(self, handle: int) -> GuestFile:
        """The file of a handle.

        Raises:
            FileRefused: there is no such handle.
        """
        file = self._files.get(handle)
        if file is None:
            raise file_refused(os_error(errno.EBADF))
        return file

    def close(self, handle: int) -> None:
        """Close the file and free its handle. Does nothing for an unknown handle."""
        file = self._files.pop(handle, None)
        if file is not None:
            self._slots.release()
            file.file.close()

    def close_all(self) -> None:
        """Idempotent."""
        for handle in list(self._files):
            self.close(handle)
