"""Small files that only their owner can read, written atomically."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path


def read_small(path: Path, max_bytes: int) -> str | None:
    """The text of the file at `path`, or None if it cannot be read or is larger than `max_bytes`."""
    with suppress(OSError, ValueError):
        if path.stat().st_size <= max_bytes:
            return path.read_text(encoding="utf-8")
    return None


def write_private(path: Path, text: str) -> None:
    """Replace the file at `path` with `text` atomically, readable by its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mkstemp makes it 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
