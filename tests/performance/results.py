"""The CPU time that one large structured result costs the server's own process. Prints; asserts nothing. Linux only.

    python tests/performance/results.py [PYTHON …]

Each PYTHON is an interpreter beside which another version of codeact-mcp is installed. All versions are measured by
turns in one run, because times of different runs on a busy machine cannot be compared.
"""

import json
import os
import statistics
import sys
import tempfile
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
from mcp import Client, StdioServerParameters

ROWS = 40_000
"""Of 113 bytes: 4.5 MB."""
TURNS = 5
CALLS = 4
"""In each program, after one that warms everything up."""
CODE = "for _ in range({calls}):\n    r = call_tool('rows.{tool}')\nlen(r)"
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def serve_rows() -> None:
    """The downstream server: made by hand, so that its answer is made once."""
    rows = [{"id": n, "name": f"customer {n}", "email": f"customer{n}@example.com", "ok": True} for n in range(ROWS)]
    rows = [{**row, "note": "x" * 30} for row in rows]
    structured = json.dumps({"rows": rows}, separators=(",", ":"))
    text = json.dumps([{"type": "text", "text": structured}])
    tools = [{"name": name, "inputSchema": {"type": "object"}} for name in ("structured", "both")]
    results: dict[str, str] = {
        "structured": f'{{"content":[],"structuredContent":{structured}}}',
        "both": f'{{"content":{text},"structuredContent":{structured}}}',
    }
    info: dict[str, Any] = {
        "protocolVersion": "2025-11-25",
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "r", "version": "0"},
    }
    for line in sys.stdin:
        message: dict[str, Any] = json.loads(line)
        if "id" not in message:
            continue
        match message["method"]:
            case "initialize":
                answer = f'"result":{json.dumps(info)}'
            case "tools/list":
                answer = f'"result":{json.dumps({"tools": tools})}'
            case "tools/call":
                answer = f'"result":{results[message["params"]["name"]]}'
            case _:
                answer = '"error":{"code":-32601,"message":"no such method"}'
        sys.stdout.write(f'{{"jsonrpc":"2.0","id":{message["id"]},{answer}}}\n')
        sys.stdout.flush()


@asynccontextmanager
async def served(python: str, home: str) -> AsyncGenerator[tuple[Client, int]]:
    """A server of that version, and its process id."""
    own = [sys.executable, str(Path(__file__).resolve()), "serve"]
    config = Path(home) / "servers.json"
    config.write_text(json.dumps({"mcpServers": {"rows": {"command": own[0], "args": own[1:]}}}))
    pid_file = Path(home) / "pid"
    start = f"import os, pathlib; pathlib.Path({str(pid_file)!r}).write_text(str(os.getpid()))"
    run = "from runpy import run_module; run_module('codeact_server', run_name='__main__', alter_sys=True)"
    parameters = StdioServerParameters(
        command=python,
        args=["-c", f"{start}; {run}", "serve", "--engine", "wasmtime", "--config", str(config)],
        env={"HOME": home, "PATH": os.environ["PATH"]},
    )
    async with Client(parameters, mode="legacy") as client:
        yield client, int(pid_file.read_text())


def cpu_s(pid: int) -> float:
    """Seconds of CPU time that the process itself has used, without its children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


async def cost_ms(client: Client, pid: int, tool: str) -> float:
    """Milliseconds of CPU time for one call."""
    before = cpu_s(pid)
    result = await client.call_tool("execute_code", {"code": CODE.format(calls=CALLS, tool=tool), "timeout_s": 200})
    if result.is_error:
        raise RuntimeError(str(result.content))
    return (cpu_s(pid) - before) / CALLS * 1_000


async def main(pythons: list[str]) -> None:
    taken: dict[tuple[str, str], list[float]] = {}
    async with AsyncExitStack() as stack:
        servers: dict[str, tuple[Client, int]] = {}
        for python in pythons:
            home = stack.enter_context(tempfile.TemporaryDirectory())
            servers[python] = await stack.enter_async_context(served(python, home))
        for turn in range(TURNS + 1):
            for tool in ("structured", "both"):
                for python, (client, pid) in servers.items():
                    ms = await cost_ms(client, pid, tool)
                    if turn > 0:  # the first one starts workers and servers
                        taken.setdefault((tool, python), []).append(ms)
    print(f"CPU time of the server's process for one result of {ROWS:,} rows (4.5 MB), median and least of {TURNS}:")
    for (tool, python), times in taken.items():
        what = "structured content only" if tool == "structured" else "structured content and the same as text"
        print(f"  {what}: {statistics.median(times):.0f} ms, {min(times):.0f} ms   {python}")


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        serve_rows()
    else:
        anyio.run(main, [sys.executable, *sys.argv[1:]])
