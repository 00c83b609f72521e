"""Where `linecache` finds the source lines that tracebacks and warnings show.

It would look for a file first. The library and the runtime have none, nor has anything outside the mounted folders, and
each look would be a question to the host and a refused access in the records of a run that did nothing of the kind.
"""

import linecache

from codeact_guest.files import mounts as files
from codeact_guest.imports import PACKAGES

_python_updatecache = linecache.updatecache


def remember(name: str, text: str) -> None:
    """The program `name` has this text."""
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)


def forget(name: str) -> None:
    """There was no program `name`."""
    del linecache.cache[name]


def install() -> None:
    """Make this the way `linecache` reads."""
    linecache.updatecache = _updatecache


def _updatecache(filename: str, module_globals: dict[str, object] | None = None) -> list[str]:
    if filename.startswith(f"{PACKAGES}/"):
        return _of_package(filename, module_globals)
    if not filename or filename.startswith("<") or files.mount_of(filename) is None:
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
