"""Thousands of runs one after the other: what they leave behind, printed next to what was promised.

    python tests/performance/soak.py [COUNT]

COUNT is 10,000 unless given. Every tenth run fails, every hundredth is stopped, some calls go to a tool.
"""

import gc
import os
import sys
import tempfile
import time
from pathlib import Path

import anyio

from codeact_bridges.runs.handle import RunOrder
from codeact_bridges.sandbox.pool import PoolSize
from codeact_bridges.tools.spec import StdioServer
from codeact_server.app import App, open_app
from codeact_server.config.model import Config

SHOP = StdioServer(name="shop", command=sys.executable, args=(str(Path(__file__).parents[1] / "servers" / "shop.py"),))
WARM_UP = 200


def memory_mib() -> float:
    """Resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def in_use() -> tuple[int, int]:
    """Descriptors and children."""
    gc.collect()
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return len(list(Path("/proc/self/fd").iterdir())), len(children)


async def run(app: App, number: int) -> None:
    code = "1/0" if number % 10 == 0 else "call_tool('shop.look', item=1)" if number % 10 == 1 else "print('x')\n42"
    handle = app.service.begin(
        RunOrder(owner=f"client {number}", code="while True: pass" if number % 100 == 99 else code)
    )
    if number % 100 == 99:
        await handle.next(0.01)
        handle.stop()
    await handle.next(60)
    app.runs.forget(handle)


async def all_renewed(app: App) -> None:
    """Wait until a worker that was killed has been replaced."""
    while app.pool.workers < app.pool.size.max_workers:  # noqa: ASYNC110  # the pool tells nobody
        await anyio.sleep(0.05)


async def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        tempfile.tempdir = folder
        size = PoolSize(spare=2, max_workers=2)
        async with open_app(Config(servers=(SHOP,), engine="wasmtime", pool=size), print) as app:
            await app.tools.wait_settled()
            for number in range(WARM_UP):
                await run(app, number)
            await all_renewed(app)
            before, memory = in_use(), memory_mib()
            started = time.perf_counter()
            for number in range(count):
                await run(app, number)
            took_s = time.perf_counter() - started
            await all_renewed(app)
            after, grown = in_use(), memory_mib() - memory
            left = os.listdir(folder)  # a Path would be for its own check only
    print(f"{count:,} runs in {took_s:.1f} s, {took_s / count * 1_000:.1f} ms each")
    print(f"descriptors and children: {before} before, {after} after   (promised: the same)")
    print(f"temporary files left: {len(left)}   (promised: none)")
    print(f"memory grew by {grown:.1f} MiB   (promised: less than 20 MiB after 10,000 runs)")


if __name__ == "__main__":
    anyio.run(main, int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
