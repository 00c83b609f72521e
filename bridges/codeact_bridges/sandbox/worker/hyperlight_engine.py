"""The `hyperlight` engine: the stock guest of `hyperlight-sandbox` in a micro-VM. Runs inside a worker.

The guest boots once: it loads our runtime and the common standard library from here. Then a snapshot is taken, to which
the VM is restored after every run. The guest has no folders and no network; its only capability is the host channel,
whose guest end is `guest/runtime/hyperlight_entry.py`.
A guest that aborted is not restored, although most could be: the worker ends and is replaced.
"""

import base64
import json
import os
import sys
import time
import zipfile
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from codeact_bridges.guest.images import RUNTIME, STANDARD_LIBRARY
from codeact_bridges.sandbox.worker.engine import Call, GuestTrap, Print, Refusal, too_long

PIECE_CHARS = 128_000
"""Characters of one piece of an answer: at most 512 kB. With this heap the guest aborts at 1 MB; a larger heap allows
more."""

INLINE_PROGRAM_CHARS = 4_000
"""Programs up to this length are passed in the call that runs them, which saves an exit from the micro-VM."""

HEAP_MIB = 8
"""For Hyperlight's own buffers and allocations; with 4 the VM does not start. Programs use the scratch memory."""

LIBRARY_MIB = 32
"""The part of `memory_mib` that Python and the library take. No run writes to it; it lies beside the scratch memory."""

OUT_OF_MEMORY = ("out of physical memory", "memory allocation of")

_MAIN = "_main({})"
_WARM_UP = "_warm_up()"


class HyperlightEngine:
    """See `engine.Engine`."""

    name = "hyperlight"
    isolation = "hardware-isolated micro-VM (Hyperlight)"
    stack_bytes: int | None = None

    def __init__(self, memory_mib: int, message_bytes: int) -> None:
        self.versions: dict[str, str] = {}
        self._memory_mib = memory_mib
        self._message_bytes = message_bytes
        self._endpoint = _HostEndpoint(self._answer_boot, _discard, message_bytes)
        self._clean = False

    def load(self) -> None:
        hyperlight_sandbox: Any = import_module("hyperlight_sandbox")  # exists on two platforms only
        self.isolation = f"hardware-isolated micro-VM (Hyperlight, {_hypervisor()})"
        self.versions["hyperlight-sandbox"] = hyperlight_sandbox.__version__
        self._sandbox = hyperlight_sandbox.Sandbox(
            backend="wasm",
            module_path=str(guest_image()),
            heap_size=f"{HEAP_MIB}Mi",
            stack_size=f"{self._memory_mib - LIBRARY_MIB + HEAP_MIB}Mi",
        )
        self._sandbox.register_tool("host", self._endpoint.dispatch)
        with zipfile.ZipFile(STANDARD_LIBRARY) as self._library:
            self._names = frozenset(self._library.namelist())
            self._run((RUNTIME / "hyperlight_entry.py").read_text(encoding="utf-8"))
        # `fresh` restores it at once, which returns the memory that booting took.
        self._snapshot = self._sandbox.snapshot()

    def fresh(self) -> None:
        if not self._clean:
            self._sandbox.restore(self._snapshot)
        self._clean = True

    def warm_up(self) -> None:
        self._endpoint.open(_answer_warm_up, _discard)
        try:
            self._run(_WARM_UP)
        except GuestTrap:
            self._sandbox.restore(self._snapshot)

    def run(self, call: Call, print_: Print) -> None:
        self._clean = False
        self._endpoint.open(call, print_)
        begin = call("run.begin", "null")
        self._run(_MAIN.format(repr(begin) if len(begin) <= INLINE_PROGRAM_CHARS else ""))

    def _run(self, code: str) -> None:
        try:
            done = self._sandbox.run(code)
        except Exception as exc:
            raise GuestTrap(self._cause_of_death(str(exc))) from exc
        except BaseException as exc:
            if type(exc).__name__ != "PanicException":
                raise
            raise GuestTrap(f"the sandbox itself failed: {exc}") from exc
        if done.exit_code == -1:
            raise GuestTrap(f"the program used a system call that crashes this sandbox ({_short(done.stderr)})")
        if done.exit_code != 0:
            raise GuestTrap(f"the guest ended with exit code {done.exit_code} ({_short(done.stderr)})")

    def _cause_of_death(self, error: str) -> str:
        """The reason in our own words, which stay the same when Hyperlight's change. Its error follows in brackets."""
        if any(words in error.lower() for words in OUT_OF_MEMORY):
            return f"the program ran out of memory ({self._memory_mib} MiB)"
        if "Failed to create sandbox" in error:
            return error
        if self._endpoint.exit_code is not None:
            return f"the program ended the interpreter with os._exit({self._endpoint.exit_code})"
        return (
            f"the program crashed the interpreter: recursion too deep inside it, an abort or a signal ({_short(error)})"
        )

    def _answer_boot(self, operation: str, text: str) -> str:
        arguments = json.loads(text)
        if operation == "modules.get":
            return json.dumps(self._module(arguments["name"]))
        if operation != "boot.begin":
            raise GuestTrap(f"the guest called {operation} while it boots")
        expected = self._library.comment.decode()
        if arguments["magic"] != expected:
            raise Refusal(
                f"the guest's Python {arguments['python']} has the magic number {arguments['magic']}, "
                f"but the standard library was built for {expected}"
            )
        self.versions["python"] = arguments["python"]
        return "null"

    def _module(self, name: str) -> dict[str, Any] | None:
        stem = name.replace(".", "/")
        for path, package in ((f"{stem}/__init__.py", True), (f"{stem}.py", False)):
            for file in (f"python/{path}", path):
                if file in self._names:
                    code = base64.b64encode(self._library.read(file)).decode()
                    return {"path": f"/{file}", "package": package, "code": code}
        return None


class _HostEndpoint:
    """The host's end of the channel to `guest/runtime/hyperlight_entry.py`.

    Joins the pieces of the guest's messages and cuts the answers into pieces.
    """

    def __init__(self, call: Call, print_: Print, message_bytes: int) -> None:
        self._call, self._print = call, print_
        self._message_bytes = message_bytes
        self._pieces: list[str] = []
        self._size = 0
        self._status, self._rest = "=", ""
        self.exit_code: str | None = None
        """The program's argument to `os._exit`, if it has called that."""

    def open(self, call: Call, print_: Print) -> None:
        """Start a run: reset the channel and set its handlers."""
        self._call, self._print = call, print_
        self._pieces, self._size = [], 0
        self._status, self._rest = "=", ""
        self.exit_code = None

    def dispatch(self, **message: Any) -> str:
        """The only callback. Exits on an error, because an exception would show the program our texts and paths."""
        try:
            return self._answer(message["m"])
        except BaseException as exc:  # noqa: BLE001
            print(f"worker: {exc!r}", file=sys.stderr)  # noqa: T201
            os._exit(1)

    def _answer(self, message: str) -> str:
        kind, text = message[0], message[1:]
        if kind == "a":
            self._end_of_call(text)
            return self._next_piece()
        if kind == "t":
            return str(time.monotonic_ns())
        if kind == "+":
            self._size += len(text.encode())
            if self._size <= self._message_bytes:
                self._pieces.append(text)
        elif kind == "n":
            return self._next_piece()
        elif kind == "x":
            self.exit_code = text[:20]
        else:
            self._print(int(kind), text)
        return ""

    def _end_of_call(self, last: str) -> None:
        operation, _, text = ("".join(self._pieces) + last).partition("\n")
        # A message in one piece has size 0 here: `call` checks its length. Of several pieces, some may be dropped.
        size = self._size and self._size + len(last.encode()) - len(operation.encode()) - 1
        self._pieces, self._size = [], 0
        try:
            if size > self._message_bytes:
                raise too_long(operation, size, self._message_bytes)
            self._status, self._rest = "=", self._call(operation, text)
        except Refusal as refusal:
            self._status, self._rest = "!", str(refusal)

    def _next_piece(self) -> str:
        piece, self._rest = self._rest[:PIECE_CHARS], self._rest[PIECE_CHARS:]
        return f"{self._status}{'+' if self._rest else '.'}{piece}"


def guest_image() -> Path:
    """The path of the stock guest. Importing `python_guest.path` would copy its 43 MB into the user's cache.

    Raises:
        GuestTrap: the guest is not installed.
    """
    spec = find_spec("python_guest")
    for folder in (spec.submodule_search_locations if spec is not None else None) or ():
        image = Path(folder) / "resources" / "python-sandbox.aot"
        if image.exists():
            return image
    raise GuestTrap("the package hyperlight-sandbox-python-guest has no python-sandbox.aot: install it again")


def _hypervisor() -> str:
    """The hypervisor that Hyperlight uses: it prefers Microsoft's."""
    if sys.platform == "win32":
        return "Windows Hypervisor Platform"
    return "MSHV" if Path("/dev/mshv").exists() else "KVM"


def _answer_warm_up(_: str, __: str) -> str:
    return "null"


def _discard(_: int, __: str) -> None:
    pass


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 300 else f"{line[:299]}…"
