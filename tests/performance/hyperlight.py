"""What our pool and our door cost over `hyperlight-sandbox` used directly, as ratios in one run. Needs a micro-VM.

    python tests/performance/hyperlight.py
    python tests/hyperlight_vm/vm.py run -- python tests/performance/hyperlight.py

In an emulated machine the milliseconds mean nothing; the ratios do. Medians, of turns taken one after the other.
"""

import sys
import time
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

import anyio

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from lab import Lab, open_lab

from codeact_bridges.sandbox.hyperlight_engine import HEAP_MIB, LIBRARY_MIB, guest_image
from codeact_bridges.testing import ScriptedTools
from codeact_bridges.values import Data, JsonValue

TURNS = 30
CALLS = 200
MEMORY_MIB = 128
IDLE_S = 1.0
CALLING = f"for i in range({CALLS}): call_tool('test.number', i=i)"


async def number(arguments: Mapping[str, JsonValue]) -> Data:
    """The tool: one addition."""
    given = arguments["i"]
    assert isinstance(given, int)
    return Data(given + 1)


def directly() -> dict[str, float]:
    """A sandbox of the same size, in this process."""
    hyperlight_sandbox: Any = import_module("hyperlight_sandbox")
    sizes = {"heap_size": f"{HEAP_MIB}Mi", "stack_size": f"{MEMORY_MIB - LIBRARY_MIB + HEAP_MIB}Mi"}
    sandbox = hyperlight_sandbox.Sandbox(backend="wasm", module_path=str(guest_image()), **sizes)
    sandbox.register_tool("number", _number)
    sandbox.run("None")
    snapshot = sandbox.snapshot()

    def restored(code: str) -> None:
        sandbox.restore(snapshot)
        sandbox.run(code)

    sandbox.restore(snapshot)
    return {
        "bare run": timed(lambda: sandbox.run("1 + 1")),
        "restore + run": timed(lambda: restored("1 + 1")),
        "callback": timed(lambda: sandbox.run(f"for i in range({CALLS}): call_tool('number', i=i)"), 5) / CALLS,
    }


def _number(**arguments: Any) -> Any:
    return arguments["i"] + 1


def timed(act: Callable[[], Any], turns: int = TURNS) -> float:
    """Seconds, the median."""
    took: list[float] = []
    for _ in range(turns):
        start = time.perf_counter()
        act()
        took.append(time.perf_counter() - start)
    return median(took)


async def through_the_pool(lab: Lab) -> dict[str, float]:
    """From request to result, one after the other; with a worker that is restored already, and with one that is not."""

    async def one(code: str) -> float:
        start = time.perf_counter()
        result = await lab.run(code, ScriptedTools({"test.number": number}))
        assert result.failure is None, result.failure
        return time.perf_counter() - start

    await one("1 + 1")
    at_once = [await one("1 + 1") for _ in range(TURNS)]
    warm: list[float] = []
    for _ in range(TURNS):
        await anyio.sleep(IDLE_S)  # the restore is over by then
        warm.append(await one("1 + 1"))
    calls = [await one(CALLING) for _ in range(5)]
    return {
        "run, restore waited for": median(at_once),
        "run, restore off the path": median(warm),
        "tool call": (median(calls) - median(at_once)) / CALLS,
    }


async def measure() -> None:
    """Both, and how they compare."""
    bare = directly()
    async with open_lab("hyperlight", Path(), workers=1) as lab:
        ours = await through_the_pool(lab)
    for name, seconds in {**bare, **ours}.items():
        print(f"{name:<28} {seconds * 1_000:9.3f} ms")
    for name, other in (
        ("run, restore waited for", "restore + run"),
        ("run, restore off the path", "bare run"),
        ("tool call", "callback"),
    ):
        print(f"{name} / {other}: {ours[name] / bare[other]:.2f}")


if __name__ == "__main__":
    anyio.run(measure)
