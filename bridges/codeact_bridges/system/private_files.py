"""Small files that only their owner can read, written atomically.

Imports little: `codeact_server.front` reads such a file before anything else of the process is loaded.
"""

import os
import stat
from contextlib import suppress
from typing import TypeAlias

StrPath: TypeAlias = "str | os.PathLike[str]"


def read_small(path: StrPath, max_bytes: int) -> str | None:
    """The text of the file at `path`, or None if it cannot be read, is larger than `max_bytes` or is not ours.

    It is ours if this user owns it and nobody else may write it.
    """
    with suppress(OSError, ValueError):
        # Without blocking: what lies there may be a pipe.
        fd = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(fd, "rb") as file:
            found = os.fstat(fd)
            if stat.S_ISREG(found.st_mode) and found.st_size <= max_bytes and _is_ours(found):
                data = file.read(max_bytes + 1)
                return data.decode() if len(data) <= max_bytes else None
    return None


def write_private(path: StrPath, text: str) -> None:
    """Replace the file at `path` with `text` atomically, readable by its owner only."""
    folder, name = os.path.split(str(path))
    os.makedirs(folder, exist_ok=True, mode=0o700)
    draft = os.path.join(folder, f".{name}.{os.urandom(8).hex()}")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(text.encode())
        os.replace(draft, path)
    except BaseException:
        os.unlink(draft)
        raise


def keep_newest(folder: StrPath, count: int) -> None:
    """Delete all but the `count` files of `folder` that were written last."""
    with suppress(OSError), os.scandir(folder) as entries:
        files = [(entry.stat(follow_symlinks=False).st_mtime_ns, entry.path) for entry in entries if entry.is_file()]
        for _, path in sorted(files, reverse=True)[count:]:
            os.unlink(path)


def _is_ours(found: os.stat_result) -> bool:
    if not hasattr(os, "geteuid"):  # Windows: the folder of a user is that user's
        return True
    return found.st_uid == os.geteuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
