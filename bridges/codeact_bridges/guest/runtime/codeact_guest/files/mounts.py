"""The folders that the operator has mounted: where they are, how to ask for them, what is said where there are none.

`open_files` has what is open, `file_io` the built-in `open`, `file_system` what `os` does with names, `sqlite`
databases.
"""

import errno
import os
import posixpath

from codeact_guest import host as door
from codeact_guest.errors import Denied, denied

NONE = (
    "no folder is mounted here, so there are no files: the operator can allow one (codeact.files in the configuration "
    "of codeact-mcp). Keep data in variables, io.StringIO or io.BytesIO"
)

_OURS = ("/python/", "/0/")
"""Where the library and the runtime say they come from. There are no files; looking is not worth a question."""


class _State:
    """What the host said of the mounts when the run began."""

    modes: dict[str, str] = {}
    folder = "/"
    chunk_bytes = 1 << 20
    begun = False
    closed: list[int] = []
    """Handles that the host has not been told of yet; the next question brings them along."""


state = _State()


def begin(told: dict[str, object] | None) -> None:
    """Take what the host said. In a session the first program's working folder stays."""
    if told is None or state.begun:
        return
    state.begun = True
    state.modes = {mount["path"]: mount["mode"] for mount in told["mounts"]}
    state.folder = told["folder"]
    state.chunk_bytes = told["chunk_bytes"]


def ask(operation: str, path: object, **arguments: object) -> object:
    """The host's answer for a path of the program's. Its `OSError` names the path as the program wrote it."""
    return door.from_text(ask_raw(operation, path, **arguments))


def ask_raw(operation: str, path: object, **arguments: object) -> str:
    """As `ask`, with the answer as it came."""
    if not state.begun:
        raise refused(path)
    asked = {"path": absolute(path), "closed": told_closed(), **arguments}
    try:
        return door.ask_raw(operation, door.to_text(asked))
    except OSError as exc:
        raise renamed(exc, path) from None


def told_closed() -> list[int]:
    """The handles that this question tells the host are closed."""
    closed, state.closed = state.closed, []
    return closed


def absolute(path: object) -> str:
    """The path from the root, as text."""
    text = as_text(path)
    if not text:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    return text if text.startswith("/") else f"{state.folder}/{text}"


def as_text(path: object) -> str:
    """What `os.fspath` and the file system's encoding make of it."""
    text = os.fspath(path)
    if isinstance(text, bytes):
        text = os.fsdecode(text)
    if "\0" in text:
        raise ValueError("embedded null byte")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise OSError(errno.EILSEQ, "half of a character, which UTF-8 cannot say", path) from None
    return text


def mount_of(path: object) -> str | None:
    """The mount below which the path lies, without asking."""
    text = posixpath.normpath(absolute(path))
    return next((mount for mount in state.modes if text == mount or text.startswith(mount + "/")), None)


def is_above_mounts(path: object) -> bool:
    text = posixpath.normpath(absolute(path)).rstrip("/") + "/"
    return any(mount.startswith(text) for mount in state.modes)


def check_within(path: object) -> None:
    """Refuse what is only looked at and the host would refuse: nothing is read, so nothing need be recorded."""
    text = absolute(path)
    if text.startswith(_OURS):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    if not state.begun:
        raise refused(path)
    if mount_of(path) is None and not is_above_mounts(path):
        mounted = ", ".join(f"{mount} ({mode})" for mount, mode in state.modes.items())
        raise denied(f"outside the mounted folders: there are {mounted}", path)


def check_writable(path: object) -> None:
    """Refuse a change where it is not allowed, for what the host need not do."""
    mount = mount_of(path)
    if mount is not None and state.modes[mount] == "ro":
        raise denied(f"{mount} is mounted read-only", path)


def refused(path: object) -> PermissionError:
    """Where nothing is mounted at all."""
    return denied(NONE, path)


Denied.__name__ = Denied.__qualname__ = "PermissionError"
Denied.__module__ = "builtins"


def renamed(exc: OSError, path: object) -> OSError:
    """The same error, with the path as the program wrote it."""
    if exc.strerror is None:
        return exc
    return denied(exc.strerror, path) if exc.errno == errno.EACCES else OSError(exc.errno, exc.strerror, path)
