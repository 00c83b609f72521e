"""The mounted folders: their paths and modes, calls to the host about them, and the error if there are none.

`open_files` has the table of open files, `file_io` the built-in `open`, `file_system` the functions of `os` that take
names, `sqlite` databases in files.
"""

import errno
import os
import posixpath

from codeact_guest import host
from codeact_guest.errors import denied

NONE = (
    "no folder is mounted here, so there are no files: the operator can mount one (codeact.files in the configuration "
    "of codeact-mcp). Hold data in variables, io.StringIO or io.BytesIO"
)

_OURS = ("/python/", "/0/")
"""The folders of the library's and the runtime's `__file__`s. They hold no files, so the host need not be called."""


class _State:
    """The mounts, as the host gave them when the run began, and the state that calls about files share."""

    modes: dict[str, str] = {}
    folder = "/"
    chunk_bytes = 1 << 20
    mounted = False
    closed: list[int] = []
    """Closed handles that the host does not know of yet; the next call reports them."""


state = _State()


def begin(settings: dict[str, object] | None) -> None:
    """Take over the host's settings. In a session the first program's working folder stays."""
    if settings is None or state.mounted:
        return
    state.mounted = True
    state.modes = {mount["path"]: mount["mode"] for mount in settings["mounts"]}
    state.folder = settings["folder"]
    state.chunk_bytes = settings["chunk_bytes"]


def call(operation: str, path: object, **arguments: object) -> object:
    """Call the host about a path of the program. An `OSError` names the path as the program wrote it."""
    return host.from_text(call_raw(operation, path, **arguments))


def call_raw(operation: str, path: object, **arguments: object) -> str:
    """Like `call`, but returns the answer undecoded."""
    if not state.mounted:
        raise refused(path)
    request = {"path": absolute(path), "closed": take_closed(), **arguments}
    try:
        return host.call_raw(operation, host.to_text(request))
    except OSError as exc:
        raise renamed(exc, path) from None


def take_closed() -> list[int]:
    """Return and forget the closed handles, for the call that reports them to the host."""
    closed, state.closed = state.closed, []
    return closed


def absolute(path: object) -> str:
    """The absolute path, as text."""
    text = as_text(path)
    if not text:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    return text if text.startswith("/") else f"{state.folder}/{text}"


def as_text(path: object) -> str:
    """Convert a path as `os.fspath` and the file system's encoding do."""
    text = os.fspath(path)
    if isinstance(text, bytes):
        text = os.fsdecode(text)
    if "\0" in text:
        raise ValueError("embedded null byte")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise OSError(errno.EILSEQ, "an unpaired surrogate, which UTF-8 cannot encode", path) from None
    return text


def mount_of(path: object) -> str | None:
    """The mount that contains the path, decided without the host."""
    text = posixpath.normpath(absolute(path))
    return next((mount for mount in state.modes if text == mount or text.startswith(mount + "/")), None)


def is_above_mounts(path: object) -> bool:
    text = posixpath.normpath(absolute(path)).rstrip("/") + "/"
    return any(mount.startswith(text) for mount in state.modes)


def check_within(path: object) -> None:
    """Raise for a path outside the mounts. A look reads nothing, so the host need not log the denied access."""
    text = absolute(path)
    if text.startswith(_OURS):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    if not state.mounted:
        raise refused(path)
    if mount_of(path) is None and not is_above_mounts(path):
        mounted = ", ".join(f"{mount} ({mode})" for mount, mode in state.modes.items())
        raise denied(f"outside the mounted folders: there are {mounted}", path)


def check_writable(path: object) -> None:
    """Raise for a change to a read-only mount, where the host is not called for the change itself."""
    mount = mount_of(path)
    if mount is not None and state.modes[mount] == "ro":
        raise denied(f"{mount} is mounted read-only", path)


def refused(path: object) -> PermissionError:
    """Make the error for a run without mounts."""
    return denied(NONE, path)


def renamed(exc: OSError, path: object) -> OSError:
    """The same error, with the path as the program wrote it."""
    if exc.strerror is None:
        return exc
    return denied(exc.strerror, path) if exc.errno == errno.EACCES else OSError(exc.errno, exc.strerror, path)
