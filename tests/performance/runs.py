"""What a run's life costs, printed next to what was promised.

    python tests/performance/runs.py

A decision of the policy; a hundred runs of the orders program at once against the same number one after the other.
"""

import sys
import time
from pathlib import Path

import anyio

from codeact_bridges.approval.policy import Policy, ToolRule
from codeact_bridges.limits import Limits
from codeact_bridges.runs.handle import RunHandle, RunOrder
from codeact_bridges.runs.tool_calls import ToolCalls
from codeact_bridges.testing import ScriptedTools
from codeact_bridges.tools.spec import StdioServer
from codeact_server.app import App, open_app
from codeact_server.config.model import Config

EXAMPLES = Path(__file__).parents[2] / "examples"
ORDERS = StdioServer(name="orders", command=sys.executable, args=(str(EXAMPLES / "orders_server.py"),))
RUNS = 100
CALLS = 5_000
CALL = '{"tool":"test.echo","arguments":{"a":1},"line":1}'


async def call_us(policy: Policy | None) -> float:
    """Microseconds of one call to a tool that does nothing; the best of five rounds."""
    best = float("inf")
    for _ in range(5):
        limits = Limits(tool_calls=CALLS)
        handle = RunHandle(RunOrder(owner="benchmark", code=""), limits, policy)
        handlers = ToolCalls(ScriptedTools(), handle, limits).handlers()
        started = time.perf_counter()
        for _ in range(CALLS):
            await handlers["tools.call"](CALL)
        best = min(best, time.perf_counter() - started)
    return best / CALLS * 1e6


async def run_all(app: App, at_once: int) -> float:
    """Seconds that `RUNS` runs take, `at_once` of them at a time."""
    order = RunOrder(owner="benchmark", code=(EXAMPLES / "orders.py").read_text(encoding="utf-8"), timeout_s=240)
    left = list(range(RUNS))

    async def some() -> None:
        while left:
            left.pop()
            handle = app.service.begin(order)
            result = await handle.next(600)
            app.runs.forget(handle)
            failure = getattr(result, "failure", "no result")
            if failure is not None:
                raise SystemExit(f"a run was lost: {failure}")

    started = time.perf_counter()
    async with anyio.create_task_group() as tasks:
        for _ in range(at_once):
            tasks.start_soon(some)
    return time.perf_counter() - started


async def main() -> None:
    rules = tuple(ToolRule(tool=f"server{n}.tool_*", action="deny") for n in range(20))
    bare, plain, ruled = await call_us(None), await call_us(Policy()), await call_us(Policy(rules=rules))
    print(f"an allow decision        {plain - bare:6.1f} µs, after 20 rules {ruled - bare:.1f} µs   (promised: 20 µs)")
    async with open_app(Config(servers=(ORDERS,), engine="wasmtime"), print) as app:
        await app.tools.wait_settled()
        await run_all(app, 4)
        one_by_one = await run_all(app, 1)
        at_once = await run_all(app, RUNS)
    factor = at_once / one_by_one
    print(f"{RUNS} runs one by one      {one_by_one:6.2f} s")
    print(
        f"{RUNS} runs at once         {at_once:6.2f} s, {factor:.2f} times as long   (promised: 1.5 times, none lost)"
    )


if __name__ == "__main__":
    anyio.run(main)
