"""Side by side with agent-framework-hyperlight: the same plain functions as tools of both. Needs a micro-VM.

Both rest between two runs, as while a model writes its next program: ours restores its sandbox meanwhile.

    python -m venv PEER && PEER/bin/pip install agent-framework-hyperlight
    python tests/performance/peers.py PEER/bin/python
    python tests/hyperlight_vm/vm.py run --awake -- python tests/performance/peers.py PEER/bin/python

Ours runs through the tools port, with no MCP in between. In an emulated machine the times mean nothing; the ratios do.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

import anyio
import anyio.to_thread

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

import workload
from lab import Lab, open_lab, stdout

from codeact_bridges.testing import ScriptedTools
from codeact_bridges.values import Data, JsonValue, ToolValue

TURNS = 5


def as_tool(function: Callable[..., Any]) -> Callable[[Mapping[str, JsonValue]], Any]:
    """A function as the tools port has it; one that waits does so in a thread."""

    async def call(arguments: Mapping[str, JsonValue]) -> ToolValue:
        if function is workload.wait:
            return Data(await anyio.to_thread.run_sync(function))
        return Data(function(**arguments))

    return call


async def ours(lab: Lab) -> dict[str, float]:
    """Medians of warm runs."""
    tools = ScriptedTools({f"shop.{function.__name__}": as_tool(function) for function in workload.FUNCTIONS})

    async def timed(code: str, is_right: Callable[[str], bool]) -> float:
        took: list[float] = []
        for _ in range(TURNS):
            await anyio.sleep(workload.PAUSE_S)
            began = time.perf_counter()
            result = await lab.run(code, tools)
            took.append(time.perf_counter() - began)
            assert result.failure is None, result.failure
            assert is_right(stdout(result)), result
        return median(took)

    await lab.run("None")
    return {
        "the orders program": await timed(workload.ORDERS, lambda said: workload.FIRST in said),
        "ten calls of 100 ms": await timed(workload.TEN_SLOW_AT_ONCE, lambda _: True),
    }


async def measure(peer: str) -> None:
    """Both, and how they compare."""
    there = Path(__file__).with_name("peer_agent_framework.py")
    told = await anyio.to_thread.run_sync(
        lambda: subprocess.run([peer, str(there), str(TURNS)], check=True, capture_output=True, text=True).stdout
    )
    theirs: dict[str, float] = json.loads(told.splitlines()[-1])
    async with open_lab("hyperlight", Path(), workers=1) as lab:
        mine = await ours(lab)
    for what, seconds in mine.items():
        print(
            f"{what:<20} {seconds * 1_000:8.0f} ms; {theirs[what] * 1_000:8.0f} ms there: {theirs[what] / seconds:.1f} times"
        )


if __name__ == "__main__":
    anyio.run(measure, sys.argv[1])
