"""One run's mounts: which of them holds a guest's path. Opens a mount's folder when it is first needed."""

import errno
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from codeact_bridges.files import paths
from codeact_bridges.files.disk_folder import DiskFolder
from codeact_bridges.files.memory_folder import MemoryFolder
from codeact_bridges.files.mounts import Mount
from codeact_bridges.files.paths import PathParts
from codeact_bridges.files.port import Folder
from codeact_bridges.files.quota import Quota


@dataclass(frozen=True, slots=True)
class FoundPath:
    """A guest's path, resolved to a mount."""

    mount: Mount
    folder: Folder
    parts: PathParts
    """The names below the mount."""
    must_be_folder: bool


class MountTable:
    """The mounts by path, and their folders once they are open."""

    def __init__(self, mounts: Sequence[Mount], quotas: Mapping[str, Quota]) -> None:
        self._mounts = {mount.parts: mount for mount in mounts}
        self._quotas = quotas
        self._folders: dict[str, Folder] = {}

    def find(self, path: str) -> FoundPath | frozenset[str]:
        """The mount of `path`; or the names in a virtual folder, one that only leads to mounts.

        Raises:
            OSError: `path` is outside the mounts, or the mount's folder cannot be opened.
        """
        wanted = paths.parse(path)
        mount = self.mount_of(path)
        if mount is not None:
            return FoundPath(mount, self.folder(mount), wanted.parts[len(mount.parts) :], wanted.folder)
        names = {parts[len(wanted.parts)] for parts in self._mounts if parts[: len(wanted.parts)] == wanted.parts}
        if names:
            return frozenset(names)
        raise self.outside()

    def outside(self) -> OSError:
        """The error for a path outside the mounts. It names the mounts."""
        mounted = ", ".join(mount.rule for mount in self._mounts.values())
        return OSError(errno.EACCES, f"outside the mounted folders: there are {mounted}")

    def mount_of(self, path: str) -> Mount | None:
        """The mount that holds `path`, if any."""
        try:
            parts = paths.parse(path).parts
        except OSError:
            return None
        mounts = (self._mounts.get(parts[:length]) for length in range(1, len(parts) + 1))
        return next(filter(None, mounts), None)

    def folder(self, mount: Mount) -> Folder:
        """The mount's content."""
        folder = self._folders.get(mount.guest)
        if folder is None:
            if mount.path is None:
                folder = MemoryFolder(mount.guest, mount.max_bytes, mount.max_files)
            else:
                folder = DiskFolder(mount.path, self._quotas.get(mount.guest))
            self._folders[mount.guest] = folder
        return folder

    def is_open(self, mount: Mount) -> bool:
        """Whether the mount's folder has been used."""
        return mount.guest in self._folders

    def check_writable(self, mount: Mount) -> None:
        """Raise `OSError` for a read-only mount."""
        if not mount.writable:
            others = " or ".join(other.rule for other in self._mounts.values() if other.writable)
            instead = f"write below {others}" if others else "no mounted folder is writable"
            raise OSError(errno.EACCES, f"{mount.guest} is mounted read-only; {instead}")

    def close(self) -> None:
        """Close all folders. Idempotent."""
        for folder in self._folders.values():
            folder.close()
        self._folders.clear()
