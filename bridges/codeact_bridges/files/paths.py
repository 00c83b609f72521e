"""A guest's path, parsed: `/out/a/b.txt` becomes `("out", "a", "b.txt")`. Pure.

`..` is resolved here, lexically, and never reaches a file system: `/out/link/..` is `/out` whatever the link points to.
Names are compared exactly, character by character: no case folding, no Unicode normalization.
"""

import errno
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

PathParts: TypeAlias = tuple[str, ...]

MAX_PATH_BYTES = 4_096
MAX_NAME_BYTES = 255
"""As on Linux and macOS."""

MAX_DEPTH = 64
"""Levels of folders that a guest may make below a mount. Walking a tree needs a descriptor for each level."""


@dataclass(frozen=True, slots=True)
class GuestPath:
    """An absolute path in the guest's file system."""

    text: str
    """As the guest wrote it."""
    parts: PathParts
    folder: bool
    """Whether it ends in `/`, `/.` or `/..`, and so can only name a folder."""


@lru_cache(maxsize=1_000)
def parse(text: str) -> GuestPath:
    """The parsed path.

    Raises:
        OSError: no file system could have this path.
    """
    if not text.startswith("/"):
        raise OSError(errno.EINVAL, "a path must begin with /" if text else "the path is empty")
    if "\0" in text:
        raise OSError(errno.EINVAL, "a path must not contain NUL")
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise OSError(errno.EILSEQ, "the path contains an unpaired surrogate, which UTF-8 cannot encode") from None
    if size > MAX_PATH_BYTES:
        raise OSError(errno.ENAMETOOLONG, f"the path is longer than {MAX_PATH_BYTES:,} bytes")
    parts: list[str] = []
    steps = text.split("/")
    for step in steps:
        if step == "..":
            del parts[-1:]
        elif step not in ("", "."):
            if len(step.encode()) > MAX_NAME_BYTES:
                raise OSError(errno.ENAMETOOLONG, f"a name in the path is longer than {MAX_NAME_BYTES} bytes")
            parts.append(step)
    return GuestPath(text, tuple(parts), steps[-1] in ("", ".", ".."))


def check_new(parts: PathParts) -> None:
    """Raise `OSError` for a name that a guest must not create in the operator's folder."""
    if len(parts) > MAX_DEPTH:
        raise OSError(errno.ENAMETOOLONG, f"more than {MAX_DEPTH} levels of folders")
    if any(ord(char) < 32 or ord(char) == 127 for char in parts[-1]):
        raise OSError(errno.EINVAL, "the name of a new file must not contain control characters")
