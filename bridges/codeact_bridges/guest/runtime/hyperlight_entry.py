"""The entry of Hyperlight's stock guest: connects the door to its one import, and makes it a Python with a library.

`sandbox/hyperlight_engine.py` runs this text once in the new micro-VM, before the snapshot that every run starts from.

The import is `dispatch(name, JSON object) -> JSON`. A message of more than 16 KiB towards the host, or one of some MB
from it, aborts the guest, so both are cut to pieces: `{"m": KIND + TEXT}` out, `STATUS + MORE + TEXT` back.

    +TEXT            a piece of the message that follows; no answer
    aOPERATION\\nTEXT the end of a question    answered with   = well, ! refused; then + more to come, . the end
    n                the rest of the answer    answered with   the same
    1TEXT, 2TEXT     printed                   no answer
    t                                          answered with   the host's monotonic clock in ns; the guest's stands
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

ROOM_BYTES = 15_900
"""Of a message to the host. At 16,187 the guest aborts."""

PIECE_CHARS = 12_000
"""Where cutting begins; halved until a piece fits, for text that JSON makes longer."""


def _packed(text: str) -> str | None:
    """The message as `dispatch` takes it, or None where it is too long.

    Half a character is a `UnicodeEncodeError` here; in `dispatch` it would abort the guest.
    """
    if len(text) > ROOM_BYTES:
        return None  # without a copy: the text may be most of the guest's memory
    message = f'{{"m":{_quoted(text)}}}'
    size = len(message) if message.isascii() else len(message.encode())
    return message if size <= ROOM_BYTES else None


def _from_text(text: str) -> object:
    return _scan(text, 0)[0]


def _pieces(kind: str, head: str, text: str) -> Iterator[str]:
    """Messages of this kind that hold `head` and all of `text`."""
    start, size = 0, PIECE_CHARS
    while start < len(text):
        message = _packed(kind + head + text[start : start + size])
        if message is None:
            size //= 2
            continue
        yield message
        head = ""
        start += size


def _ask(operation: str, text: str) -> str:
    message = _packed(f"a{operation}\n{text}") if len(text) < ROOM_BYTES else None
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


def _used_ns() -> int:
    global _began_ns
    now = _monotonic_ns()
    _began_ns = _began_ns or now
    return now - _began_ns


def _used() -> float:
    return _used_ns() / 1e9


_began_ns = 0
"""When the run first asked how long it has computed: nothing here can tell computing from waiting."""

_refused: Callable[[str], Exception] = RuntimeError

# On Hyperlight the host panics at a poll, for good, and `selectors` tries one when asyncio is imported; a read of stdin
# never returns. Before anything else: modules keep what they find in `time`.
for _name in ("poll", "epoll", "kqueue", "devpoll"):
    if hasattr(select, _name):
        delattr(select, _name)


class _Select:
    """For `selectors`, which keeps what it finds, and as a class's attribute: a function would become a method there.
    `codeact_guest.absent` puts what answers into `select` when it is there."""

    def __call__(self, *arguments: object) -> object:
        return select.select(*arguments)


select.select = _Select()
time.monotonic = _monotonic
time.monotonic_ns = _monotonic_ns
time.perf_counter = types.FunctionType(_monotonic.__code__, globals(), "perf_counter")
time.perf_counter_ns = types.FunctionType(_monotonic_ns.__code__, globals(), "perf_counter_ns")
time.process_time = _used
time.process_time_ns = _used_ns
time.thread_time = types.FunctionType(_used.__code__, globals(), "thread_time")
time.thread_time_ns = types.FunctionType(_used_ns.__code__, globals(), "thread_time_ns")
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
    """Imports the runtime and the library from the worker. `codeact_guest.imports` takes over when it is there."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> object:
        found = _from_text(_ask("modules.get", f'{{"name":{_quoted(name)}}}'))
        if found is None:
            return None
        # `importlib.machinery` would import `warnings`, which is not there yet.
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
_ask("boot.begin", f'{{"magic":{_quoted(_magic)},"python":{_quoted(_python)}}}')
sys.meta_path.append(_BootFinder)
import common_modules  # noqa: E402, F401
from codeact_guest import host as door  # noqa: E402
from codeact_guest import main  # noqa: E402

_refused = door.Refused
door.connect(_ask, _print)
main.install()
main.warm_up()
sys.meta_path.remove(_BootFinder)
_streams = sys.stdin, sys.stdout, sys.stderr


def _main(begun: str | None = None) -> None:
    sys.stdin, sys.stdout, sys.stderr = _streams  # the stock guest has put its own there
    main.run_once(begun)


def _warm_up() -> None:
    sys.stdin, sys.stdout, sys.stderr = _streams
    _ask("warm-up", "null")
    main.warm_up()
