"""Formats tracebacks for a model: the program's own lines, and a package's entry and raising frames."""

import linecache
import traceback

from codeact_guest import hints, program

_RUNTIME = __file__.rpartition("/")[0] + "/"
_LIBRARY = ("/python/", "/packages/", "<frozen ")
_IMPORTING = ("<frozen importlib", "<frozen zipimport", "/python/importlib/")


def report(exc: BaseException) -> str:
    """Format the traceback without the runtime's frames and without frames above the program's first line.

    A sequence of frames in the library or in packages is reduced to its first and last: the function that the program
    called, and the one that raised. An exception that never passed through the program has only its message.
    """
    # A package's source comes from the host, so lines are looked up only when they are shown.
    whole = traceback.TracebackException.from_exception(exc, compact=True, lookup_lines=False)
    _clean(whole, set())
    if hint := hints.for_error(exc, _raising_line(whole)):
        whole._str = f"{whole._str or ''}{hint}"
    return "".join(whole.format())


def _clean(exc: traceback.TracebackException, seen: set[int]) -> None:
    if id(exc) in seen:
        return
    seen.add(id(exc))
    shown = _shown(exc.stack or ())
    exc.stack = traceback.StackSummary.from_list(shown) if shown else None
    for other in (exc.__cause__, exc.__context__, *(exc.exceptions or ())):
        if other is not None:
            _clean(other, seen)


def _shown(stack: traceback.StackSummary) -> list[traceback.FrameSummary]:
    frames = [frame for frame in stack if not frame.filename.startswith((_RUNTIME, *_IMPORTING))]
    first = next((index for index, frame in enumerate(frames) if program.is_program(frame.filename)), len(frames))
    shown: list[traceback.FrameSummary] = []
    for frame in frames[first:]:
        if all(each.filename.startswith(_LIBRARY) for each in (*shown[-2:], frame)):
            shown.pop()
        shown.append(frame)
    return shown


def _raising_line(exc: traceback.TracebackException) -> str:
    """The program's innermost line or lines that the exception passed through."""
    for frame in reversed(exc.stack or ()):
        if program.is_program(frame.filename):
            lines = linecache.getlines(frame.filename)
            return "".join(lines[frame.lineno - 1 : frame.end_lineno or frame.lineno])
    return ""
