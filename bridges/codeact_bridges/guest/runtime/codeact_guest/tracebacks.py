"""A traceback as a model reads it: the program's own lines, and of a package what was entered and what raised."""

import linecache
import traceback

from codeact_guest import hints, program

_RUNTIME = __file__.rpartition("/")[0] + "/"
_LIBRARY = ("/python/", "/packages/", "<frozen ")
_IMPORTING = ("<frozen importlib", "<frozen zipimport", "/python/importlib/")


def report(exc: BaseException) -> str:
    """The traceback with the program's own lines: no frame of the runtime, nothing above the program's first line.

    Of a stretch of frames of the library or of a package, the first and the last stay: what the program called, and
    what raised. An exception that never passed the program has its message only.
    """
    # A package's source comes from the host: only the lines that are shown are asked for.
    whole = traceback.TracebackException.from_exception(exc, compact=True, lookup_lines=False)
    _clean(whole, set())
    if hint := hints.for_error(exc, _raising_line(whole)):
        whole._str = f"{whole._str or ''}{hint}"
    return "".join(whole.format())


def _clean(exc: traceback.TracebackException, seen: set[int]) -> None:
    if id(exc) in seen:
        return
    seen.add(id(exc))
    kept = _kept(exc.stack or ())
    exc.stack = traceback.StackSummary.from_list(kept) if kept else None
    for other in (exc.__cause__, exc.__context__, *(exc.exceptions or ())):
        if other is not None:
            _clean(other, seen)


def _kept(stack: traceback.StackSummary) -> list[traceback.FrameSummary]:
    frames = [frame for frame in stack if not frame.filename.startswith((_RUNTIME, *_IMPORTING))]
    first = next((index for index, frame in enumerate(frames) if program.is_program(frame.filename)), len(frames))
    kept: list[traceback.FrameSummary] = []
    for frame in frames[first:]:
        if all(each.filename.startswith(_LIBRARY) for each in (*kept[-2:], frame)):
            kept.pop()
        kept.append(frame)
    return kept


def _raising_line(exc: traceback.TracebackException) -> str:
    """The program's innermost line, or lines, that the exception passed."""
    for frame in reversed(exc.stack or ()):
        if program.is_program(frame.filename):
            lines = linecache.getlines(frame.filename)
            return "".join(lines[frame.lineno - 1 : frame.end_lineno or frame.lineno])
    return ""
