"""What a small HTTP GET costs a program: through the guest and the bridge, against httpx2 on the host.

Run it: `python tests/performance/network.py`. Wanted: at most 1 ms more than httpx2.
On a machine that is busy with other things only the best times mean something.
"""

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import anyio
import anyio.to_thread
import httpx2

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from http_peers import Seen, answering, http, loopback
from lab import Lab, open_lab

from codeact_bridges.limits import Limits
from codeact_bridges.network.bridge import NetworkBridge
from codeact_bridges.network.rules import HostRules

REQUESTS = 300
LARGE_BYTES = 50_000_000

PROGRAM = """
import time
def timed(n, url):
    took = []
    for _ in range(n):
        began = time.perf_counter()
        http_get(url)
        took.append(time.perf_counter() - began)
    return took
timed(20, URL)
took = timed({requests}, URL)
began = time.perf_counter()
size = 0
import urllib.request
with urllib.request.urlopen(URL + "large") as answer:
    while piece := answer.read(500_000):
        size += len(piece)
{{"took": took, "large_s": time.perf_counter() - began, "size": size}}
"""


def site(seen: Seen) -> bytes:
    return LARGE if seen.target == "/large" else SMALL


SMALL = http('{"hello": "world"}', Content_Type="application/json")
LARGE = http(bytes(range(97, 107)) * (LARGE_BYTES // 10))


async def measure(lab: Lab) -> None:
    # The server has a loop and a thread of its own, so that it waits for nobody here.
    ready, stop = anyio.Event(), anyio.Event()
    port = 0

    async def serve() -> None:
        nonlocal port
        async with answering(site) as served:
            port = served.port
            anyio.from_thread.run_sync(ready.set)
            while True:
                await anyio.sleep(0.1)
                if anyio.from_thread.run_sync(stop.is_set):
                    return

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(anyio.to_thread.run_sync, lambda: anyio.run(serve))
        await ready.wait()
        url = f"http://127.0.0.1:{port}/"
        on_host: list[float] = []
        async with httpx2.AsyncClient(trust_env=False) as client:
            for at in range(REQUESTS + 20):
                began = time.perf_counter()
                await client.get(url)
                if at >= 20:
                    on_host.append(time.perf_counter() - began)
            began = time.perf_counter()
            async with client.stream("GET", url + "large") as answer:
                async for _ in answer.aiter_bytes():
                    pass
            host_large_s = time.perf_counter() - began
        network = NetworkBridge(HostRules((loopback(port),)), Limits())
        code = f"URL = {url!r}\n{PROGRAM.format(requests=REQUESTS)}"
        result = await lab.run(code, configured=(network,))
        assert result.value is not None, result.failure
        said = json.loads(result.value.text)
        assert said["size"] == LARGE_BYTES
        for name, of in (("median", statistics.median), ("best", min)):
            host, guest = of(on_host) * 1000, of(said["took"]) * 1000
            print(
                f"small GET, {name}: httpx2 on the host {host:.3f} ms, through the guest {guest:.3f} ms: +{guest - host:.3f} ms"
            )
        print(f"{LARGE_BYTES // 1_000_000} MB, httpx2 on the host:     {LARGE_BYTES / host_large_s / 1e6:.0f} MB/s")
        print(f"{LARGE_BYTES // 1_000_000} MB, urlopen in the guest:   {LARGE_BYTES / said['large_s'] / 1e6:.0f} MB/s")
        stop.set()


async def main() -> None:
    with tempfile.TemporaryDirectory() as cache:
        async with open_lab("wasmtime", Path(cache)) as lab:
            await measure(lab)


if __name__ == "__main__":
    anyio.run(main)
