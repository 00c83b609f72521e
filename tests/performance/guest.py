"""Figures of the guest: `python tests/performance/guest.py [wasmtime|hyperlight]`. Prints medians; asserts nothing.

Not a test: a figure is true of one machine. The last column has the goals, for a quiet one of 2025 with two cores.
"""

import json
import statistics
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import cast, get_args

import anyio
import platformdirs

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from lab import Lab, open_lab

from codeact_bridges.limits import Limits
from codeact_bridges.modules.packages import find_packages
from codeact_bridges.sandbox.engine_selection import EngineName
from codeact_bridges.testing import ScriptedTools, echo
from codeact_bridges.values import Data, JsonValue, ToolValue

COMMON = [
    "asyncio", "json", "re", "datetime", "math", "collections", "itertools", "csv", "statistics", "random",
    "os", "sys", "time", "functools", "dataclasses", "typing", "decimal", "hashlib", "base64", "urllib.parse",
]  # fmt: skip

SIZE = 5_000_000


async def big(_: Mapping[str, JsonValue]) -> ToolValue:
    return Data("x" * SIZE)


async def slow(_: Mapping[str, JsonValue]) -> ToolValue:
    await anyio.sleep(0.1)
    return Data(None)


TOOLS = ScriptedTools({"t.echo": echo, "t.big": big, "t.slow": slow})


def timed(program: str, times: int = 1) -> str:
    """A program whose value is how many milliseconds each of `times` rounds of `program` takes."""
    body = "\n".join(f"    {line}" for line in program.splitlines())
    return f"import time, asyncio\n_began = time.perf_counter()\nfor _ in range({times}):\n{body}\n(time.perf_counter() - _began) * 1000 / {times}"


async def median(lab: Lab, program: str, rounds: int = 7, times: int = 1) -> float:
    took: list[float] = [await lab.value(timed(program, times), TOOLS) for _ in range(rounds)]
    return statistics.median(took)


async def renewals(lab: Lab) -> float:
    """How long a worker takes for a fresh guest."""
    took: list[float] = []
    async with lab.pool.worker() as worker:
        for _ in range(20):
            began = time.perf_counter()
            await worker.renew()
            took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)


async def whole_run(lab: Lab, program: str) -> float:
    took: list[float] = []
    for _ in range(15):
        began = time.perf_counter()
        await lab.run(program, TOOLS, limits=Limits(output_bytes=1_000_000))
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)


async def first_import(lab: Lab, statement: str, packages: tuple[str, ...] = ()) -> float:
    program = f"import time\n_began = time.perf_counter()\n{statement}\n(time.perf_counter() - _began) * 1000"
    found = find_packages(packages)
    took: list[float] = [await lab.value(program, packages=found) for _ in range(5)]
    return statistics.median(took)


def say(what: str, milliseconds: float, goal: str = "") -> None:
    print(f"{what:<58} {milliseconds:>9.3f} ms  {goal}")


async def main(engine: EngineName) -> None:
    cache = platformdirs.user_cache_path("codeact-mcp", appauthor=False)
    async with open_lab(engine, cache, workers=1) as lab:
        await lab.run("1")
        say("a fresh sandbox, common modules imported", await renewals(lab), "goal 5")
        say("a whole run of `1`, as the host sees it", await whole_run(lab, "1"))
        imports = json.loads(json.dumps(await lab.value(
            f"import time, importlib\nr = []\nfor n in {COMMON!r}:\n    t = time.perf_counter(); importlib.import_module(n); r.append((time.perf_counter() - t) * 1000)\nr"
        )))  # fmt: skip
        say("the slowest import of the 20 most used modules", max(imports), "goal 1")
        say("an import over the modules bridge (xmlrpc.client)", await first_import(lab, "import xmlrpc.client"))
        say("import yaml, a third-party package", await first_import(lab, "import yaml", ("PyYAML",)))
        trip = await median(lab, "call_tool('echo')", times=500)
        say("a tool call's round trip", trip, "goal 0.15")
        say("5 MB through a tool result", await median(lab, "call_tool('big')"), "goal 150")
        one, thousand = await whole_run(lab, "print(1)"), await whole_run(lab, "for i in range(1000): print(i)")
        say("1,000 prints more than one print", thousand - one, "goal 20")
        ten = "await asyncio.gather(*[call_tool_async('slow') for _ in range(10)])"
        say("ten 100 ms tools at once", await median(lab, ten), "goal 130")
        say(
            "plain Python: sum of a million squares",
            await median(lab, "sum(i * i for i in range(1_000_000))", rounds=3),
        )
    began = time.perf_counter()
    sum(i * i for i in range(1_000_000))
    say("  the same on this machine's own Python", (time.perf_counter() - began) * 1000)


if __name__ == "__main__":
    chosen = sys.argv[1] if len(sys.argv) > 1 else "wasmtime"
    if chosen not in get_args(EngineName):
        sys.exit(f"{chosen}: one of {', '.join(get_args(EngineName))}")
    anyio.run(main, cast("EngineName", chosen))
