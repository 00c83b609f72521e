"""The entry of Hyperlight's stock guest: connects `codeact_guest.host` to its one import and loads Python's library.

`sandbox/worker/hyperlight_engine.py` runs this text once in the new micro-VM, before the snapshot that every run starts
from.

The import is `dispatch(name, JSON object) -> JSON`. The guest aborts on a message of more than 16 KiB to the host and
on one of some MB from it, so both are cut into pieces: `{"m": KIND + TEXT}` out, `STATUS + MORE + TEXT` back.

    +TEXT            a piece of the next message; no answer
    aOPERATION\\nTEXT a request, or its end    answered with   = success, ! refusal; then + more follows, . the end
    n                the next piece of answer  answered with   the same
    1TEXT, 2TEXT     printed text; no answer
    t                the time                  answered with   the host's monotonic clock in ns; the guest's stands
    xCODE            os._exit(CODE), which aborts the guest; no answer
"""

import json
import marshal
import os
import select
import sys
import time
import types
from binascii import a2b_base64
from collections.abc import Callable, Iterator

from wit_world.imports.tools import dispatch

_quoted = json.encoder.encode_basestring  # a program may replace what is in `json`
_scan = json.JSONDecoder().scan_once

MAX_MESSAGE_BYTES = 15_900
"""Largest message to the host. At 16,187 bytes the guest aborts."""

PIECE_CHARS = 12_000
"""Length of the first piece; halved until a piece fits, because JSON makes some text longer."""


def _packed(text: str) -> str | None:
    """The message as `dispatch` takes it, or None if it is too long.

    Raises:
        UnicodeEncodeError: the text has an unpaired surrogate, which would abort the guest in `dispatch`.
    """
    if len(text) > MAX_MESSAGE_BYTES:
        return None  # decided before a copy is made: the text may fill most of the guest's memory
    message = f'{{"m":{_quoted(text)}}}'
    size = len(message) if message.isascii() else len(message.encode())
    return message if size <= MAX_MESSAGE_BYTES else None


def _from_text(text: str) -> object:
    return _scan(text, 0)[0]


def _pieces(kind: str, head: str, text: str) -> Iterator[str]:
    """Cut `head` and `text` into messages of this kind."""
    start, size = 0, PIECE_CHARS
    while start < len(text):
        message = _packed(kind + head + text[start : start + size])
        if message is None:
            size //= 2
            continue
        yield message
        head = ""
        start += size


def _call(operation: str, text: str) -> str:
    message = _packed(f"a{operation}\n{text}") if len(text) < MAX_MESSAGE_BYTES else None
    if message is None:
        for piece in _pieces("+", f"{operation}\n", text):
            dispatch("host", piece)
        message = '{"m":"a"}'
    answer = _from_text(dispatch("host", message))
    parts = [answer[2:]]
    while answer[1] == "+":
        answer = _from_text(dispatch("host", '{"m":"n"}'))
        parts.append(answer[2:])
    if answer[0] == "!":
        raise _refused("".join(parts))
    return "".join(parts)


def _print(channel: int, text: str) -> None:
    for message in _pieces(str(channel), "", text):
        dispatch("host", message)


def _monotonic_ns() -> int:
    return int(dispatch("host", '{"m":"t"}')[1:-1])


def _monotonic() -> float:
    return _monotonic_ns() / 1e9


def _elapsed_ns() -> int:
    global _started_ns
    now = _monotonic_ns()
    _started_ns = _started_ns or now
    return now - _started_ns


def _elapsed() -> float:
    return _elapsed_ns() / 1e9


_started_ns = 0
"""When the run first read its CPU time, which counts from there: the guest cannot tell computing from waiting."""

_refused: Callable[[str], Exception] = RuntimeError

# Hyperlight's host panics at a poll and does not recover, and `selectors` tries one when asyncio is imported; a read of
# stdin never returns. This comes before any other import, because modules hold on to the functions they find in `time`.
for _name in ("poll", "epoll", "kqueue", "devpoll"):
    if hasattr(select, _name):
        delattr(select, _name)


class _Select:
    """A callable object for `selectors`, which stores it as a class attribute, where a function would become a method.

    It looks `select.select` up at each call, so that it reaches the function that `codeact_guest.unavailable` installs.
    """

    def __call__(self, *arguments: object) -> object:
        return select.select(*arguments)


select.select = _Select()
time.monotonic = _monotonic
time.monotonic_ns = _monotonic_ns
time.perf_counter = types.FunctionType(_monotonic.__code__, globals(), "perf_counter")
time.perf_counter_ns = types.FunctionType(_monotonic_ns.__code__, globals(), "perf_counter_ns")
time.process_time = _elapsed
time.process_time_ns = _elapsed_ns
time.thread_time = types.FunctionType(_elapsed.__code__, globals(), "thread_time")
time.thread_time_ns = types.FunctionType(_elapsed_ns.__code__, globals(), "thread_time_ns")
for _name in ("monotonic", "monotonic_ns", "process_time", "process_time_ns"):
    getattr(time, _name).__name__ = getattr(time, _name).__qualname__ = _name
os.close(0)


def _exit(status: int) -> None:
    dispatch("host", f'{{"m":"x{int(status)}"}}')
    _abort(status)


_abort = os._exit
_exit.__qualname__ = "_exit"
os._exit = _exit


class _BootFinder:
    """Imports the runtime and the library from the worker, until `codeact_guest.imports` takes over."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> object:
        found = _from_text(_call("modules.get", f'{{"name":{_quoted(name)}}}'))
        if found is None:
            return None
        # `importlib.machinery` would import `warnings`, which cannot be imported yet.
        spec = type(sys.__spec__)(name, _BootFinder, origin=found["path"], is_package=found["package"])
        spec.loader_state = found
        spec.has_location = True
        if found["package"]:
            spec.submodule_search_locations = [found["path"].rpartition("/")[0]]
        return spec

    @staticmethod
    def create_module(spec: object) -> None:
        return None

    @staticmethod
    def exec_module(module: object) -> None:
        found, module.__spec__.loader_state = module.__spec__.loader_state, None
        exec(marshal.loads(a2b_base64(found["code"])), module.__dict__)


_magic = sys.modules["_frozen_importlib_external"].MAGIC_NUMBER.hex()
_python = sys.version.partition(" ")[0]
_call("boot.begin", f'{{"magic":{_quoted(_magic)},"python":{_quoted(_python)}}}')
sys.meta_path.append(_BootFinder)
import common_modules  # noqa: E402, F401
from codeact_guest import host, main  # noqa: E402

_refused = host.Refused
host.connect(_call, _print)
main.install()
main.warm_up()
sys.meta_path.remove(_BootFinder)
_streams = sys.stdin, sys.stdout, sys.stderr


def _main(begin: str | None = None) -> None:
    sys.stdin, sys.stdout, sys.stderr = _streams  # the stock guest has set its own
    main.run_once(begin)


def _warm_up() -> None:
    sys.stdin, sys.stdout, sys.stderr = _streams
    _call("warm-up", "null")
    main.warm_up()
