"""One run, from the program's arrival to its outcome."""

import atexit
import contextlib
import gc
import logging
import random
import sys
import time

from codeact_guest import (
    console,
    display,
    errors,
    executors,
    hashes,
    host,
    imports,
    loop,
    network,
    program,
    stored_results,
    tools,
    traceback_sources,
    tracebacks,
    unavailable,
    values,
)
from codeact_guest.files import file_system, mounts, sqlite

NAMES: dict[str, object] = {
    "call_tool": tools.call_tool,
    "call_tool_async": tools.call_tool_async,
    "search_tools": tools.search_tools,
    "describe_tool": tools.describe_tool,
    "list_tools": tools.list_tools,
    "display": display.display,
    "load_result": stored_results.load_result,
    "save_result": stored_results.save_result,
    "http_request": network.http_request,
    "http_request_async": network.http_request_async,
    "http_get": network.http_get,
    "http_post": network.http_post,
    **{each.__name__: each for each in errors.PUBLIC},
}
"""The names that a program can use without importing them."""


def install() -> None:
    """Set up everything that is the same for every run: once per image, before it is frozen."""
    unavailable.install()
    loop.install()
    executors.install()
    hashes.install()
    imports.install()
    traceback_sources.install()
    file_system.install()
    sqlite.install()
    console.install()
    network.install()
    sys.set_int_max_str_digits(0)  # a slow conversion harms only the program itself
    gc.collect()
    gc.freeze()  # a collection in a run then visits the run's own objects only


_reserve: list[bytearray] = []
"""Memory that is released after a `MemoryError`, so that the error can be reported."""

RESERVE_BYTES = 1 << 20


def warm_up() -> None:
    """Touch the memory that every run touches: in a new copy of the image each page costs a fault, 2 ms in total."""
    if not _reserve:
        _reserve[:] = [bytearray(RESERVE_BYTES)]
    random.seed(0)
    value = program.rehearse("import math\ndef f(x): return [str(x), 1.5]\nfor i in range(2): f(i)\nf(1)", NAMES)
    atexit._run_exitfuncs()
    host.from_text(values.to_json({"value": display.form_of(value)}))


def run_once(begin_text: str | None = None) -> None:
    """Run the program and deliver its outcome. Nothing is raised, whatever the program does.

    Args:
        begin_text: the host's answer to `run.begin`, if the engine has it already; otherwise the host is called.
    """
    if not _reserve:
        _reserve[:] = [bytearray(RESERVE_BYTES)]
    begin = host.call("run.begin") if begin_text is None else host.from_text(begin_text)
    mounts.begin(begin.get("files"))
    network.begin(begin.get("network"))
    sqlite.begin()
    if program.is_first():
        # The image was frozen with one seed for all runs. The host's came with `run.begin`, without a system call.
        random.seed(begin.get("seed"))
        logging._startTime = time.time_ns()
    console.allow(begin.get("output_bytes"))
    outcome = _outcome(begin["code"])
    if not begin.get("session") and not outcome.startswith('{"kind":"raised"'):
        with contextlib.suppress(BaseException):
            program.end()
    host.call_text("run.end", outcome)


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
        report = _report(exc)
        atexit._run_exitfuncs()
        return '{"kind":"raised","traceback":' + values.to_json(report) + "}"


def _report(exc: BaseException) -> str:
    try:
        return tracebacks.report(exc).encode("utf-8", "backslashreplace").decode()
    except BaseException:
        return f"{type(exc).__name__} (its traceback could not be formatted)"
