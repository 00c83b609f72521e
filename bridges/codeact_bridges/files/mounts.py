"""The folders of this machine that the operator mounts for programs, each under a guest path.

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
from codeact_bridges.files.paths import PathParts

Mode: TypeAlias = Literal["ro", "rw", "temp"]

MAX_BYTES = 1_000_000_000
"""Default limit of an `rw` mount: far more than a program's results, far less than a disk."""

MAX_TEMP_BYTES = 64_000_000
"""Default limit of a `temp` mount, which takes host memory in every run."""

MAX_FILES = 10_000
"""Default limit of files and folders."""

_NOT_FOLDERS = ("/proc", "/sys", "/dev")
"""The files here are system settings and secrets of processes."""


class BadMount(ValueError):
    """A mount that grants nothing, or something other than it seems to. The text is for the operator."""

    def __init__(self, guest: str, field: str, reason: str) -> None:
        super().__init__(reason)
        self.guest, self.field, self.reason = guest, field, reason


@dataclass(frozen=True, slots=True)
class Mount:
    """One entry of `codeact.files`, checked."""

    guest: str
    """The guest's path: `/data`."""
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
        """As the access log names it."""
        return f"{self.guest} ({self.mode})"


def byte_size(text: str | int) -> int:
    """`200MB`, `1 GiB`, `1.5 kB`, or a number of bytes.

    Raises:
        ValueError: it is none of these, or out of range.
    """
    if isinstance(text, int):
        size = text
    else:
        match = re.fullmatch(r"\s*(\d{1,15}(?:\.\d{1,3})?)\s*([kKMGT]?)(i?)[bB]?\s*", text)
        if match is None or (match[3] and not match[2]):
            raise ValueError("must be a number of bytes, like 200MB or 1 GiB")
        exponent = " KMGT".index(match[2].upper() or " ")
        size = int(float(match[1]) * (1024 if match[3] else 1000) ** exponent)
    if not 1 <= size < 1 << 60:
        raise ValueError("must be at least 1 byte, and less than an exbibyte")
    return size


def mount(
    guest: str, mode: Mode, path: Path | None = None, max_bytes: int | None = None, max_files: int | None = None
) -> Mount:
    """One mount, checked on its own.

    Raises:
        BadMount: its name or a setting is not valid.
    """
    _check_name(guest)
    if mode == "temp":
        if path is not None:
            raise BadMount(guest, "path", "a temp folder is in memory and has no path; leave it out, or set mode = rw")
        return Mount(guest, mode, None, max_bytes or MAX_TEMP_BYTES, max_files or MAX_FILES)
    if path is None:
        raise BadMount(guest, "path", "is missing; name the folder to mount")
    if mode == "ro" and (max_bytes is not None or max_files is not None):
        field = "max_files" if max_bytes is None else "max_bytes"
        raise BadMount(guest, field, "limits writing, which mode = ro does not allow; leave it out")
    if sys.platform == "win32":
        raise BadMount(guest, "path", "folders cannot be mounted safely on Windows yet; only mode = temp works")
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
        raise BadMount(guest, "", "the root itself cannot be a mount; use a path below it, like /data")
    if "/" + "/".join(path.parts) != guest:
        raise BadMount(guest, "", f"must be written /{'/'.join(path.parts)}")
    if not all(part.isprintable() for part in path.parts):
        raise BadMount(guest, "", "contains an invisible character")
    if path.parts[0] in ("dev", "python", "0"):
        raise BadMount(guest, "", f"/{path.parts[0]} is reserved for the sandbox")


def _folder(guest: str, mode: Mode, path: Path) -> Path:
    """The folder with all symbolic links resolved, once: those of the operator are trusted."""
    try:
        real = path.resolve(strict=True)
    except FileNotFoundError:
        raise BadMount(guest, "path", f"there is no folder {path}") from None
    except (OSError, RuntimeError, ValueError) as exc:
        raise BadMount(guest, "path", f"{path}: {getattr(exc, 'strerror', None) or exc}") from exc
    if not real.is_dir():
        raise BadMount(guest, "path", f"{path} is not a folder")
    if len(real.parts) == 1:
        raise BadMount(guest, "path", "this is the whole file system; name the folder that programs need")
    for special in map(Path, _NOT_FOLDERS):
        if (real == special or special in real.parents) and not real.is_relative_to("/dev/shm"):
            raise BadMount(guest, "path", f"{special} holds system settings and secrets")
    if not os.access(real, os.R_OK | os.X_OK):
        raise BadMount(guest, "path", f"{path} is not readable for this process")
    if mode == "rw" and not os.access(real, os.W_OK):
        raise BadMount(guest, "mode", f"{path} is not writable for this process; set mode = ro")
    return real


def _check_folders(outer: Mount, inner: Mount) -> None:
    assert outer.path is not None
    assert inner.path is not None
    same = outer.path.samefile(inner.path)
    if same and outer.mode != inner.mode:
        raise BadMount(inner.guest, "mode", f"the same folder is mounted as {outer.guest} with mode = {outer.mode}")
    if not same and (outer.mode != "rw" or not any(outer.path.samefile(above) for above in inner.path.parents)):
        return
    if inner.mode == "rw":
        reason = f"this folder can also be written to through {outer.guest}, so its limits would not hold"
        raise BadMount(inner.guest, "path", reason)
    if not same:
        raise BadMount(inner.guest, "mode", f"this folder lies inside that of {outer.guest}, which is writable")
