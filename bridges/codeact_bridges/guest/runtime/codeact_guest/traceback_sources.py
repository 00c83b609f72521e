"""Gives `linecache` the source lines that tracebacks and warnings show.

CPython's version looks for a file first. The library, the runtime and everything else outside the mounted folders have
none, and each look would cost a call to the host and put a denied access into the log of a run that opened no file.
"""

import linecache

from codeact_guest.files import mounts
from codeact_guest.imports import PACKAGES

_python_updatecache = linecache.updatecache


def remember(name: str, text: str) -> None:
    """Store `text` as the source of the program `name`."""
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)


def forget(name: str) -> None:
    """Drop the source of the program `name`."""
    del linecache.cache[name]


def install() -> None:
    """Replace `linecache`'s reader with this one."""
    linecache.updatecache = _updatecache


def _updatecache(filename: str, module_globals: dict[str, object] | None = None) -> list[str]:
    if filename.startswith(f"{PACKAGES}/"):
        return _of_package(filename, module_globals)
    if not filename or filename.startswith("<") or mounts.mount_of(filename) is None:
        return []
    return _python_updatecache(filename, module_globals)


def _of_package(filename: str, module_globals: dict[str, object] | None) -> list[str]:
    linecache.lazycache(filename, module_globals)
    entry = linecache.cache.pop(filename, None)
    if entry is None or len(entry) != 1:
        return []
    try:
        text = entry[0]()
    except Exception:
        return []
    if text is None:
        return []
    remember(filename, text)
    return linecache.cache[filename][2]
