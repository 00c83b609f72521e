"""The files that a run created or changed, for its result. Blocking.

Images and small texts are included as content, so that the client's model sees them. Other files are only named.
"""

import mimetypes
import stat
from binascii import b2a_base64
from collections.abc import Iterator
from itertools import islice

from codeact_bridges.files.mounts import Mount
from codeact_bridges.files.paths import PathParts
from codeact_bridges.files.port import Folder, OpenMode
from codeact_bridges.values import ProducedFile

MAX_FILES = 100
"""Files that a result names. A program that creates thousands can print where they are."""

MAX_NAMES_PER_FOLDER = 1_000

MAX_TEXT_BYTES = 4_000
"""Longest text that is included. A program whose author wanted more of it would have printed it."""

MAX_IMAGE_BYTES = 1_000_000
MAX_CONTENT_BYTES = 3_000_000
"""All included content together. Clients cut or refuse larger results."""

_IMAGES: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)

_TEXTS = (
    "text/",
    "application/json",
    "application/xml",
    "application/yaml",
    "application/toml",
    "application/x-ndjson",
)


def changed_files(mount: Mount, folder: Folder, parts: PathParts, left_bytes: int) -> Iterator[ProducedFile]:
    """The file at `parts`, or all files below the folder at `parts`.

    Args:
        left_bytes: how much content may still be included.
    """
    assert mount.path is not None
    for each in _files(folder, parts, 0):
        try:
            file, _ = folder.open(each, OpenMode())
        except OSError:
            continue
        try:
            size = file.stat().size
            mime_type, content = _content(each[-1], size, file.read(0, min(MAX_IMAGE_BYTES, left_bytes) + 1))
        except OSError:
            continue
        finally:
            file.close()
        included = content if content is not None and len(content) <= left_bytes else None
        left_bytes -= len(included or b"")
        yield ProducedFile(
            path="/".join((mount.guest, *each)),
            uri=mount.path.joinpath(*each).as_uri(),
            size_bytes=size,
            mime_type=mime_type,
            base64=None if included is None else b2a_base64(included, newline=False).decode(),
        )


def _files(folder: Folder, parts: PathParts, depth: int) -> Iterator[PathParts]:
    try:
        mode = folder.stat(parts, follow=False).mode
        if stat.S_ISREG(mode):
            yield parts
        elif stat.S_ISDIR(mode) and depth < 64:
            for name, _ in sorted(islice(folder.list(parts), MAX_NAMES_PER_FOLDER)):
                yield from _files(folder, (*parts, name), depth + 1)
    except OSError:
        return


def _content(name: str, size: int, data: bytes) -> tuple[str, bytes | None]:
    """The media type, and the content if it is to be included."""
    for start, image in _IMAGES:
        if data.startswith(start):
            return image, data if size == len(data) <= MAX_IMAGE_BYTES else None
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image/webp", data if size == len(data) <= MAX_IMAGE_BYTES else None
    guessed = mimetypes.guess_type(name, strict=False)[0] or "application/octet-stream"
    if size != len(data) or size > MAX_TEXT_BYTES:
        return guessed, None
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return guessed, None
    if "\0" in text or not (guessed.startswith(_TEXTS) or guessed == "application/octet-stream"):
        return guessed, None
    return "text/plain" if guessed == "application/octet-stream" else guessed, data
