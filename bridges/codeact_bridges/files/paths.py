"""What a guest calls a file: `/out/a/b.txt` becomes `("out", "a", "b.txt")`. Pure.

`..` is taken away here, by the letter, so that it never reaches a file system: `/out/link/..` is `/out` whatever the
link points to. Names are compared exactly, character by character: no case, no Unicode normalization.
"""

import errno
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

Parts: TypeAlias = tuple[str, ...]

MAX_PATH_BYTES = 4_096
MAX_NAME_BYTES = 255
"""As on Linux and macOS."""

MAX_DEPTH = 64
"""Levels of folders that a guest may make below a mount: whoever walks a tree holds a descriptor for each."""


@dataclass(frozen=True, slots=True)
class GuestPath:
    """A path from the root of what the guest sees."""

    text: str
    """As the guest wrote it."""
    parts: Parts
    folder: bool
    """It ended in `/` or `/.`, and so can only mean a folder."""


@lru_cache(maxsize=1_000)
def parse(text: str) -> GuestPath:
    """The path, or `OSError` where no file system could have it."""
    if not text.startswith("/"):
        raise OSError(errno.EINVAL, "a path begins with /" if text else "an empty path")
    if "\0" in text:
        raise OSError(errno.EINVAL, "a path holds no NUL")
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise OSError(errno.EILSEQ, "half of a character, which UTF-8 cannot say") from None
    if size > MAX_PATH_BYTES:
        raise OSError(errno.ENAMETOOLONG, f"a path of more than {MAX_PATH_BYTES:,} bytes")
    parts: list[str] = []
    steps = text.split("/")
    for step in steps:
        if step == "..":
            del parts[-1:]
        elif step not in ("", "."):
            if len(step.encode()) > MAX_NAME_BYTES:
                raise OSError(errno.ENAMETOOLONG, f"a name of more than {MAX_NAME_BYTES} bytes")
            parts.append(step)
    return GuestPath(text, tuple(parts), steps[-1] in ("", ".", ".."))


def check_new(parts: Parts) -> None:
    """Raise `OSError` for a name that a guest may not bring into a folder of the operator's."""
    if len(parts) > MAX_DEPTH:
        raise OSError(errno.ENAMETOOLONG, f"more than {MAX_DEPTH} levels of folders")
    if any(ord(char) < 32 or ord(char) == 127 for char in parts[-1]):
        raise OSError(errno.EINVAL, "no control characters in the names of new files: they upset people's terminals")
