"""The other side of `peers.py`: run by a Python that has agent-framework-hyperlight. Prints seconds as JSON."""

import asyncio
import json
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

import workload


async def measure(turns: int) -> dict[str, float]:
    """Medians of warm runs."""
    framework: Any = import_module("agent_framework_hyperlight")
    tool = framework.HyperlightExecuteCodeTool(tools=list(workload.FUNCTIONS))

    async def run(code: str) -> str:
        return str([content.text for content in await tool.invoke(arguments={"code": code}) if content.text])

    async def timed(code: str, is_right: Callable[[str], bool]) -> float:
        took: list[float] = []
        for _ in range(turns):
            await asyncio.sleep(workload.PAUSE_S)
            began = time.perf_counter()
            said = await run(code)
            took.append(time.perf_counter() - began)
            assert is_right(said), said
        return median(took)

    await run("None")
    return {
        "the orders program": await timed(workload.ORDERS, lambda said: workload.FIRST in said),
        "ten calls of 100 ms": await timed(workload.TEN_SLOW, lambda said: "rror" not in said),
    }


print(json.dumps(asyncio.run(measure(int(sys.argv[1])))))
