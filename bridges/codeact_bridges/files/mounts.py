"""What the operator lets programs see of this machine: folders, each under a name of the guest's.

[codeact.files]
"/data"    = { path = "~/reports", mode = "ro" }
"/out"     = { path = "./out", mode = "rw", max_bytes = "200MB", max_files = 1000 }
"/scratch" = { mode = "temp" }
"""

import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Literal, TypeAlias

from codeact_bridges.files import paths
from codeact_bridges.files.port import PathParts

Mode: TypeAlias = Literal["ro", "rw", "temp"]

MAX_BYTES = 1_000_000_000
"""How much there may be under an `rw` mount of which nothing else is said. Far more than a program's results, far less
than a disk."""

MAX_TEMP_BYTES = 64_000_000
"""The same for a `temp` mount, whose bytes are memory of the host's, in every run."""

MAX_FILES = 10_000
"""How many files and folders there may be."""

_NOT_FOLDERS = ("/proc", "/sys", "/dev")
"""What looks like files here are switches of the system and secrets of its processes."""


class BadMount(ValueError):
    """A mount that grants nothing, or not what it seems to. Its text is a sentence for the operator."""

    def __init__(self, guest: str, field: str, reason: str) -> None:
        super().__init__(reason)
        self.guest, self.field, self.reason = guest, field, reason


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of `codeact.files`."""

    guest: str
    """Where the guest finds it: `/data`."""
    mode: Mode
    path: Path | None
    """The folder; None for `temp`."""
    max_bytes: int = MAX_BYTES
    max_files: int = MAX_FILES

    @property
    def parts(self) -> PathParts:
        return paths.parse(self.guest).parts

    @property
    def writable(self) -> bool:
        return self.mode != "ro"

    @property
    def rule(self) -> str:
        """As accesses name it."""
        return f"{self.guest} ({self.mode})"


def byte_size(text: str | int) -> int:
    """`200MB`, `1 GiB`, `1.5 kB`, or a number of bytes.

    Raises:
        ValueError: it is none of these, or not at least 1.
    """
    if isinstance(text, int):
        size = text
    else:
        match = re.fullmatch(r"\s*(\d{1,15}(?:\.\d{1,3})?)\s*([kKMGT]?)(i?)[bB]?\s*", text)
        if match is None or (match[3] and not match[2]):
            raise ValueError("must be a number of bytes, like 200MB or 1 GiB")
        power = " KMGT".index(match[2].upper() or " ")
        size = int(float(match[1]) * (1024 if match[3] else 1000) ** power)
    if not 1 <= size < 1 << 60:
        raise ValueError("must be at least 1 byte, and less than an exbibyte")
    return size


def mount(
    guest: str, mode: Mode, path: Path | None = None, max_bytes: int | None = None, max_files: int | None = None
) -> Mount:
    """One mount, checked by itself.

    Raises:
        BadMount: its name, or what is said of it, cannot be meant.
    """
    _check_name(guest)
    if mode == "temp":
        if path is not None:
            raise BadMount(guest, "path", "a temp folder is in memory and has no path: leave it out, or say mode = rw")
        return Mount(guest, mode, None, max_bytes or MAX_TEMP_BYTES, max_files or MAX_FILES)
    if path is None:
        raise BadMount(guest, "path", "is missing: which folder?")
    if mode == "ro" and (max_bytes is not None or max_files is not None):
        field = "max_files" if max_bytes is None else "max_bytes"
        raise BadMount(guest, field, "bounds what is written, and nothing is written with mode = ro")
    if sys.platform == "win32":
        raise BadMount(guest, "path", "folders cannot be mounted safely on Windows yet; mode = temp works")
    return Mount(guest, mode, _folder(guest, mode, path), max_bytes or MAX_BYTES, max_files or MAX_FILES)


def check(mounts: Sequence[Mount]) -> None:
    """Raise `BadMount` where two mounts contradict each other."""
    for one, other in combinations(mounts, 2):
        first, second = sorted((one, other), key=lambda each: len(each.parts))
        if second.parts[: len(first.parts)] == first.parts:
            how = "is the same place as" if first.parts == second.parts else "lies inside"
            raise BadMount(second.guest, "", f"{how} {first.guest}")
        if first.path is None or second.path is None:
            continue
        _check_folders(one, other)
        _check_folders(other, one)


def _check_name(guest: str) -> None:
    try:
        path = paths.parse(guest)
    except OSError as exc:
        raise BadMount(guest, "", f"must be an absolute path like /data: {exc.strerror}") from exc
    if not path.parts:
        raise BadMount(guest, "", "the root itself cannot be a mount: name one below it, like /data")
    if "/" + "/".join(path.parts) != guest:
        raise BadMount(guest, "", f"must be written /{'/'.join(path.parts)}")
    if not all(part.isprintable() for part in path.parts):
        raise BadMount(guest, "", "holds a character that cannot be seen")
    if path.parts[0] in ("dev", "python", "0"):
        raise BadMount(guest, "", f"/{path.parts[0]} is the sandbox's own")


def _folder(guest: str, mode: Mode, path: Path) -> Path:
    """Where the folder really is, with all links followed once and for all: the operator's are trusted."""
    try:
        real = path.resolve(strict=True)
    except FileNotFoundError:
        raise BadMount(guest, "path", f"there is no folder {path}") from None
    except (OSError, RuntimeError, ValueError) as exc:
        raise BadMount(guest, "path", f"{path}: {getattr(exc, 'strerror', None) or exc}") from exc
    if not real.is_dir():
        raise BadMount(guest, "path", f"{path} is not a folder")
    if len(real.parts) == 1:
        raise BadMount(guest, "path", "this would be the whole machine: name the folder that is needed")
    for special in map(Path, _NOT_FOLDERS):
        if (real == special or special in real.parents) and not real.is_relative_to("/dev/shm"):
            raise BadMount(guest, "path", f"{special} holds no files but the system's own switches and secrets")
    if not os.access(real, os.R_OK | os.X_OK):
        raise BadMount(guest, "path", f"{path} may not be read by this process")
    if mode == "rw" and not os.access(real, os.W_OK):
        raise BadMount(guest, "mode", f"{path} may not be written to by this process: say mode = ro")
    return real


def _check_folders(outer: Mount, inner: Mount) -> None:
    assert outer.path is not None
    assert inner.path is not None
    same = outer.path.samefile(inner.path)
    if same and outer.mode != inner.mode:
        raise BadMount(inner.guest, "mode", f"the same folder is {outer.mode} as {outer.guest}")
    if not same and (outer.mode != "rw" or not any(outer.path.samefile(above) for above in inner.path.parents)):
        return
    if inner.mode == "rw":
        raise BadMount(inner.guest, "path", f"this folder is within reach of {outer.guest}: how much may be written?")
    if not same:
        raise BadMount(
            inner.guest, "mode", f"this folder lies in that of {outer.guest}, through which it can be written to"
        )
