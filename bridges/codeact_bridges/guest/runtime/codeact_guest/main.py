"""One run, from the program's arrival to its outcome."""

import atexit
import contextlib
import gc
import logging
import random
import sys
import time

from codeact_guest import console, display, errors, executors, hashes, imports, loop, network, program, tools, values
from codeact_guest import host as door
from codeact_guest import stored_results as kept
from codeact_guest import traceback_sources as sources
from codeact_guest import tracebacks as traces
from codeact_guest import unavailable as absent
from codeact_guest.files import file_system, sqlite
from codeact_guest.files import mounts as files

NAMES: dict[str, object] = {
    "call_tool": tools.call_tool,
    "call_tool_async": tools.call_tool_async,
    "search_tools": tools.search_tools,
    "describe_tool": tools.describe_tool,
    "list_tools": tools.list_tools,
    "display": display.display,
    "load_result": kept.load_result,
    "save_result": kept.save_result,
    "http_request": network.http_request,
    "http_request_async": network.http_request_async,
    "http_get": network.http_get,
    "http_post": network.http_post,
    **{each.__name__: each for each in errors.PUBLIC},
}
"""What a program finds without importing it."""


def install() -> None:
    """Once per image, before it is frozen: everything that is the same for every run."""
    absent.install()
    loop.install()
    executors.install()
    hashes.install()
    imports.install()
    sources.install()
    file_system.install()
    sqlite.install()
    console.install()
    network.install()
    sys.set_int_max_str_digits(0)  # there is nobody here whom a slow conversion could harm
    gc.collect()
    gc.freeze()  # a collection in a run then looks at the run's own objects only


_reserve: list[bytearray] = []
"""Memory given back when there is no other, so that there is enough to say so."""

RESERVE_BYTES = 1 << 20


def warm_up() -> None:
    """Touch the memory that every run touches: in a fresh copy of the image each page costs a fault, 2 ms in all."""
    if not _reserve:
        _reserve[:] = [bytearray(RESERVE_BYTES)]
    random.seed(0)
    value = program.rehearse("import math\ndef f(x): return [str(x), 1.5]\nfor i in range(2): f(i)\nf(1)", NAMES)
    atexit._run_exitfuncs()
    door.from_text(values.to_json({"value": display.form_of(value)}))


def run_once(begun: str | None = None) -> None:
    """Run the program and deliver its outcome. Nothing is raised, whatever the program does.

    Args:
        begun: what the host answers to `run.begin`, where it came along; else it is asked.
    """
    if not _reserve:
        _reserve[:] = [bytearray(RESERVE_BYTES)]
    begin = door.ask("run.begin") if begun is None else door.from_text(begun)
    files.begin(begin.get("files"))
    network.begin(begin.get("network"))
    sqlite.begin()
    if program.is_first():
        # The image was frozen with a seed in it. The host's is there already; the system would have to be asked.
        random.seed(begin.get("seed"))
        logging._startTime = time.time_ns()
    console.allow(begin.get("output_bytes"))
    outcome = _outcome(begin["code"])
    if not begin.get("session") and not outcome.startswith('{"kind":"raised"'):
        with contextlib.suppress(BaseException):
            program.end()
    door.ask_text("run.end", outcome)


def _outcome(code: str) -> str:
    try:
        value = program.run(code, NAMES)
        atexit._run_exitfuncs()
        if value is None:
            return '{"kind":"returned"}'
        form, text = display.form_of(value)
        return values.to_json({"kind": "returned", "form": form, "text": text})
    except SystemExit as exc:
        atexit._run_exitfuncs()
        if exc.code is None or isinstance(exc.code, int):
            return values.to_json({"kind": "exited", "code": int(exc.code or 0)})
        with contextlib.suppress(errors.BudgetSpent):
            print(exc.code, file=sys.stderr)
        return values.to_json({"kind": "exited", "code": 1})
    except BaseException as exc:
        if isinstance(exc, MemoryError):
            _reserve.clear()
        said = _report(exc)
        atexit._run_exitfuncs()
        return '{"kind":"raised","traceback":' + values.to_json(said) + "}"


def _report(exc: BaseException) -> str:
    try:
        return traces.report(exc).encode("utf-8", "backslashreplace").decode()
    except BaseException:
        return f"{type(exc).__name__} (and its traceback could not be made)"
