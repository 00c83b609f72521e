"""What we cost over `hyperlight-sandbox` and MCP used directly, as ratios in one run. Needs a micro-VM.

    python tests/performance/hyperlight.py
    python tests/hyperlight_vm/vm.py run --awake -- python tests/performance/hyperlight.py

In an emulated machine the milliseconds mean nothing; the ratios do. Medians, of turns taken one after the other.
"""

import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

import anyio
from mcp import Client, StdioServerParameters

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from lab import Lab, open_lab
from served import EXAMPLES, Commands, execute

from codeact_bridges.sandbox.worker.hyperlight_engine import HEAP_MIB, LIBRARY_MIB, guest_image
from codeact_bridges.testing import ScriptedTools

TURNS = 30
CALLS = 20
CALLBACKS = 200
"""More, because the run around them is measured with them."""
CALL_TURNS = 12
MEMORY_MIB = 128
IDLE_S = 1.0
MANY_CALLS = f"""
import time
took = []
for _ in range({CALLS}):
    start = time.perf_counter()
    call_tool("orders.get_tax_rate", region="EU")
    took.append(time.perf_counter() - start)
sorted(took)[len(took) // 2]
"""


class Direct:
    """A sandbox of the same size as ours, in this process."""

    def __init__(self) -> None:
        hyperlight_sandbox: Any = import_module("hyperlight_sandbox")
        sizes = {"heap_size": f"{HEAP_MIB}Mi", "stack_size": f"{MEMORY_MIB - LIBRARY_MIB + HEAP_MIB}Mi"}
        self._sandbox = hyperlight_sandbox.Sandbox(backend="wasm", module_path=str(guest_image()), **sizes)
        self._sandbox.register_tool("number", _number)
        self._sandbox.run("None")
        self._snapshot = self._sandbox.snapshot()

    def restore(self) -> None:
        """What every fresh run needs before it."""
        self._sandbox.restore(self._snapshot)

    def run(self, code: str = "1 + 1") -> None:
        """A bare run."""
        self._sandbox.run(code)

    def restore_and_run(self) -> None:
        """Both."""
        self.restore()
        self.run()

    def call(self) -> None:
        """Calls of a tool that is a function in this process."""
        self.run(f"for i in range({CALLBACKS}): call_tool('number', i=i)")


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
    """From request to result, one after the other, each waiting for the last one's restore."""

    async def one(code: str) -> float:
        start = time.perf_counter()
        result = await lab.run(code, ScriptedTools({}))
        assert result.failure is None, result.failure
        return time.perf_counter() - start

    await one("1 + 1")
    return {"run, restore waited for": median([await one("1 + 1") for _ in range(TURNS)])}


async def through_the_server(commands: Commands, direct: Direct) -> dict[str, float]:
    """Over stdio, as a client has it; and what it takes to run and to reach the same server below directly.

    Turn and turn about, each after the same pause, in which both sandboxes are restored.
    """
    orders = StdioServerParameters(command=sys.executable, args=[str(EXAMPLES / "orders_server.py")])
    below = {"orders": {"command": orders.command, "args": orders.args}}
    one = {"spare": 1, "max_workers": 1}  # as there is one direct sandbox; no second one boots beside the measurement
    config = commands.config(below, engine="hyperlight", pool=one, limits={"start_timeout_s": 120})
    async with AsyncExitStack() as stack:
        served = await stack.enter_async_context(commands.serving("stdio", "--config", config))
        ours = await stack.enter_async_context(served.client("legacy"))
        tool_server = await stack.enter_async_context(Client(orders))

        async def call() -> None:
            await tool_server.call_tool("get_tax_rate", {"region": "EU"})

        async def run() -> None:
            failed, said = await execute(ours, "1 + 1")
            assert (failed, said) == (False, "2")

        async def bare_run() -> None:
            direct.run()

        took: dict[str, list[float]] = {"MCP call": [], "run through the server": [], "bare run": []}
        for _ in range(TURNS):
            for name, act in zip(took, (call, run, bare_run), strict=True):
                direct.restore()
                await anyio.sleep(IDLE_S)
                took[name].append(await timed_async(act, 1))
        calls: dict[str, list[float]] = {"callback": [], "MCP call, one after the other": [], "tool call": []}
        for _ in range(CALL_TURNS):
            calls["callback"].append(timed(direct.call, 1) / CALLBACKS)
            calls["MCP call, one after the other"].append(await timed_async(call, CALLS))
            calls["tool call"].append(float((await execute(ours, MANY_CALLS))[1]))
        return {name: median(each) for name, each in (took | calls).items()}


async def timed_async(act: Callable[[], Awaitable[None]], turns: int) -> float:
    """Seconds, the median."""
    took: list[float] = []
    for _ in range(turns):
        start = time.perf_counter()
        await act()
        took.append(time.perf_counter() - start)
    return median(took)


async def measure() -> None:
    """Both, and how they compare."""
    direct = Direct()
    took = {"restore + run": timed(direct.restore_and_run)}
    async with open_lab("hyperlight", Path(), workers=1) as lab:
        took |= await through_the_pool(lab)
    with tempfile.TemporaryDirectory() as folder:
        commands = Commands(Path(folder), {"HOME": folder, "PATH": os.environ["PATH"]})
        took |= await through_the_server(commands, direct)
    for name, seconds in took.items():
        print(f"{name:<28} {seconds * 1_000:9.3f} ms")
    for name, others, wanted in (
        ("run, restore waited for", ["restore + run"], 1.3),
        ("run through the server", ["bare run", "MCP call"], 1.3),
        ("tool call", ["callback", "MCP call, one after the other"], 1.5),
    ):
        ratio = took[name] / sum(took[other] for other in others)
        print(f"{name} / ({' + '.join(others)}): {ratio:.2f}  wanted: at most {wanted}")


if __name__ == "__main__":
    anyio.run(measure)
