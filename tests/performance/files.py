"""How fast a program reads and writes mounted files: `python tests/performance/files.py [hyperlight]`.

Not a test. Prints milliseconds inside the guest; wanted: 50 MB in one second and 1,000 small files in 300 ms.
"""

import os
import sys
import tempfile
from pathlib import Path

import anyio
import platformdirs

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from lab import open_lab, stdout

from codeact_bridges.files.bridge import FilesBridge
from codeact_bridges.files.mounts import mount
from codeact_bridges.limits import Limits
from codeact_bridges.sandbox.engine_selection import EngineName

BIG = 50_000_000

PROGRAM = """
import os, pathlib, shutil, time

def best_of(times, name, what):
    took = []
    for _ in range(times):
        began = time.perf_counter()
        what()
        took.append(time.perf_counter() - began)
    print(f"{min(took) * 1000:8.1f} ms  {name}")

def read(path, size):
    with open(path, "rb") as file:
        while file.read(size):
            pass

def lines():
    with open("/data/lines.txt") as file:
        for line in file:
            pass

def write(size):
    piece = bytes(range(256)) * (size // 256)
    with open("/out/big", "wb") as file:
        for _ in range(50_000_000 // size):
            file.write(piece)

def write_small(folder):
    os.mkdir(folder)
    for number in range(1000):
        with open(f"{folder}/{number}", "w") as file:
            file.write("small")
    shutil.rmtree(folder)

best_of(3, "50 MB of bytes, one read()", lambda: open("/data/bytes", "rb").read())
best_of(3, "50 MB of bytes, 1 MB at a time", lambda: read("/data/bytes", 1 << 20))
best_of(3, "50 MB of text, 1 MB at a time", lambda: read("/data/lines.txt", 1 << 20))
best_of(2, "50 MB of text, line by line", lines)
best_of(3, "1,000 small files: open and read", lambda: [open(f"/data/small/{n}").read() for n in range(1000)])
best_of(3, "1,000 small files: with Path.iterdir()", lambda: [p.read_text() for p in pathlib.Path("/data/small").iterdir()])
best_of(3, "1,000 os.stat", lambda: [os.stat(f"/data/small/{n}") for n in range(1000)])
best_of(2, "50 MB written, 1 MB at a time", lambda: write(1 << 20))
best_of(2, "1,000 small files written and removed, rw", lambda: write_small("/out/many"))
best_of(2, "1,000 small files written and removed, temp", lambda: write_small("/scratch/many"))
from codeact_guest import host
best_of(3, "for comparison: 1,000 calls that do nothing", lambda: [host.call("clock.sleep", seconds=0) for _ in range(1000)])
"""


async def main() -> None:
    engine: EngineName = "hyperlight" if "hyperlight" in sys.argv else "wasmtime"
    cache = Path(platformdirs.user_cache_path("codeact-mcp", appauthor=False))
    with tempfile.TemporaryDirectory() as folder:
        data, out = Path(folder, "data"), Path(folder, "out")
        (data / "small").mkdir(parents=True)
        out.mkdir()
        (data / "bytes").write_bytes(os.urandom(BIG))
        (data / "lines.txt").write_text("a line of text, fifty characters with its end, yes\n" * (BIG // 51))
        for number in range(1000):
            (data / "small" / str(number)).write_text(f"the content of file {number}\n")
        mounts = (mount("/data", "ro", data), mount("/out", "rw", out), mount("/scratch", "temp"))
        bridge = FilesBridge(mounts, Limits().message_bytes)
        async with open_lab(engine, cache, workers=1) as lab:
            result = await lab.run(PROGRAM, configured=(bridge,))
        print(stdout(result), result.failure.message if result.failure else "")


if __name__ == "__main__":
    anyio.run(main)
