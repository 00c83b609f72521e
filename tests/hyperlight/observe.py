"""Not a test: uses `hyperlight-sandbox` directly and prints what happens as JSON. Run by `test_facts.py`.

Runs in a separate process, because some parts end the process or make it unusable. `observe.py NAME` runs one part.
"""

import json
import sys
import threading
from collections.abc import Callable
from importlib import import_module
from typing import Any

from codeact_bridges.sandbox.worker.hyperlight_engine import guest_image

ARGUMENTS: list[Any] = []


def give(**kw: Any) -> Any:
    """The host function of every sandbox here."""
    ARGUMENTS.append(kw)
    what = kw.get("what")
    if what == "raise":
        raise ValueError("from the host")
    results: dict[Any, Any] = {
        "tuple": (1, 2),
        "big": 2**70,
        "nan": float("nan"),
        "bytes": b"x",
        "size": "y" * int(kw.get("size", 0)),
    }
    if what == "deep":
        value: Any = 1
        for _ in range(70):
            value = [value]
        return value
    return results.get(what)


def new_sandbox(**sizes: str) -> Any:
    """A sandbox in which `give` is registered."""
    hyperlight_sandbox: Any = import_module("hyperlight_sandbox")
    sandbox = hyperlight_sandbox.Sandbox(backend="wasm", module_path=str(guest_image()), **sizes)
    sandbox.register_tool("give", give)
    return sandbox


def outcome_of(act: Callable[[], Any]) -> str:
    """The result as `out|err|code`, or the exception."""
    try:
        done = act()
    except BaseException as exc:  # noqa: BLE001  # a Rust panic is a BaseException
        return f"{type(exc).__name__}: {exc}"
    return f"{done.stdout}|{done.stderr}|{done.exit_code}" if done is not None else "None"


def one_sandbox() -> dict[str, str]:
    """Everything that `restore` recovers from."""
    sandbox = new_sandbox()
    found = {"first run": outcome_of(lambda: sandbox.run("print(6 * 7)"))}
    snapshot = sandbox.snapshot()

    def run(code: str) -> str:
        result = outcome_of(lambda: sandbox.run(code))
        sandbox.restore(snapshot)
        return result

    for name, code in PROGRAMS.items():
        found[name] = run(code)
    found["tool result of 1.5 MB"] = run("print(len(call_tool('give', what='size', size=1_500_000)))")
    found["tool result of 4 MB"] = run("print(len(call_tool('give', what='size', size=4_000_000)))")
    sandbox.run("x = 1\nimport bisect\nbisect.mine = 2")
    found["globals of the last run"] = outcome_of(lambda: sandbox.run("print(x, bisect.mine)"))
    sandbox.restore(snapshot)
    found["globals after restore"] = run("import bisect; print('x' in globals(), hasattr(bisect, 'mine'))")
    draw = "import os, random; print(random.random(), os.urandom(8).hex())"
    found["random 1"], found["random 2"] = run(draw), run(draw)
    found["abort"] = outcome_of(lambda: sandbox.run("import os; os.abort()"))
    found["after an abort"] = outcome_of(lambda: sandbox.run("print(1)"))
    sandbox.restore(snapshot)
    found["after restore"] = run("print(1)")
    found["tool registered late"] = outcome_of(lambda: sandbox.register_tool("late", give))
    found["GIL"] = str(_ticks(lambda: sandbox.run("for i in range(300_000): pass")))
    return found


PROGRAMS = {
    "output of 16,000 bytes": "print('x' * 16_000)",
    "output of 16,400 bytes": "print('x' * 16_400)",
    "argument of 16,000 bytes": "call_tool('give', a='x' * 16_000); print('sent')",
    "argument of 16,400 bytes": "call_tool('give', a='x' * 16_400); print('sent')",
    "tuple": "print(repr(call_tool('give', what='tuple')))",
    "bytes": "print(repr(call_tool('give', what='bytes')))",
    "big": "print(repr(call_tool('give', what='big')))",
    "nan": "print(repr(call_tool('give', what='nan')))",
    "deep": "call_tool('give', what='deep')",
    "big argument": "call_tool('give', a=2 ** 70)",
    "raise": "call_tool('give', what='raise')",
    "datetime": "import datetime",
    "asyncio": "import asyncio",
    "_datetime": "import _datetime; print('there')",
    "json": "import json, re, math, random, dataclasses, inspect; print('there')",
    "monotonic": "import time; a = time.monotonic()\nfor i in range(100_000): pass\n"
    "print(time.monotonic() - a, time.perf_counter() - a)",
    "time": "import time; a = time.time()\nfor i in range(100_000): pass\nprint(time.time() > a)",
    "traceback": "def f(): 1 / 0\nf()",
    "sys.exit": "import sys; sys.exit(3)",
    "value": "1 + 1",
    "thread": "import _thread; _thread.start_new_thread(print, ())",
    "out of memory": "x = []\nwhile True: x.append(bytearray(1 << 20))",
    "raise_signal": "import _signal; _signal.raise_signal(15)",
    "deep parser": "exec('(' * 10_000)",
    "deep json": "import json; json.loads('[' * 100_000)",
    "KeyboardInterrupt": "raise KeyboardInterrupt",
    "unpaired surrogate": "print('\\ud800')",
    "os._exit": "import os; os._exit(3)",
    "recursion": "def f(): f()\nf()",
}


def _ticks(act: Callable[[], Any]) -> int:
    """How often another thread could count while `act` ran."""
    counted = 0
    stop = threading.Event()

    def count() -> None:
        nonlocal counted
        while not stop.wait(0.001):
            counted += 1

    thread = threading.Thread(target=count)
    thread.start()
    act()
    during = counted
    stop.set()
    thread.join()
    return during


def panic(code: str) -> dict[str, str]:
    """Panics, from which only a new process recovers."""
    sandbox = new_sandbox()
    sandbox.run("None")
    snapshot = sandbox.snapshot()
    return {
        "run": outcome_of(lambda: sandbox.run(code)),
        "next run": outcome_of(lambda: sandbox.run("print(1)")),
        "restore": outcome_of(lambda: sandbox.restore(snapshot)),
    }


def threads() -> dict[str, str]:
    """A run in another thread than the one that created the sandbox."""
    sandbox = new_sandbox()
    found: dict[str, str] = {}
    thread = threading.Thread(target=lambda: found.update(run=outcome_of(lambda: sandbox.run("print(1)"))))
    thread.start()
    thread.join()
    return found


def sizes() -> dict[str, str]:
    """Inconsistent memory settings."""
    return {
        "stack smaller than heap": outcome_of(lambda: new_sandbox(heap_size="64Mi", stack_size="35Mi").run("print(1)")),
        "tiny heap": outcome_of(lambda: new_sandbox(heap_size="4Mi", stack_size="35Mi").run("print(1)")),
    }


def hang() -> dict[str, str]:
    """Never returns."""
    sandbox = new_sandbox()
    sandbox.run("None")
    sys.stdout.write("reading\n")
    sys.stdout.flush()
    return {"run": outcome_of(lambda: sandbox.run("input()"))}


def main() -> None:
    """Run the part that the command line names."""
    parts: dict[str, Callable[[], dict[str, str]]] = {
        "one_sandbox": one_sandbox,
        "sleep": lambda: panic("import time; time.sleep(0.01)"),
        "select": lambda: panic("import select; select.select([], [], [], 0.01)"),
        "poll": lambda: panic("import select; select.poll().poll(10)"),
        "threads": threads,
        "sizes": sizes,
        "hang": hang,
    }
    json.dump(parts[sys.argv[1]](), sys.stdout)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
