"""Small files that only their owner can read, written whole or not at all."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path


def read_small(path: Path, max_bytes: int) -> str | None:
    """The text of the file at `path`, or None if there is none that can be read."""
    with suppress(OSError, ValueError):
        if path.stat().st_size <= max_bytes:
            return path.read_text(encoding="utf-8")
    return None


def write_private(path: Path, text: str) -> None:
    """Put `text` into the file at `path`, whole or not at all, readable by its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mkstemp makes it 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
