"""How fast the server is, as ratios and differences to what it cannot be faster than. Prints; asserts nothing.

    python tests/performance/server.py

Everything is measured in one go on one machine, the two sides of a comparison by turns. Absolute times say little on a
machine with other work to do.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import anyio
from mcp import Client, StdioServerParameters

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
from served import COMMAND, EXAMPLES, Commands, execute

STARTS = 7
CALLS = 200
CALL_TURNS = 8
GREETING = (
    b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},'
    b'"clientInfo":{"name":"benchmark","version":"0"}}}\n'
)
NO_OP = """
import anyio
from mcp import types
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

async def list_tools(ctx, params):
    return types.ListToolsResult(tools=[types.Tool(name="no_op", input_schema={"type": "object"})])

async def call_tool(ctx, params):
    return types.CallToolResult(content=[types.TextContent(text="42")])

async def main():
    server = Server("no-op", on_list_tools=list_tools, on_call_tool=call_tool)
    async with stdio_server() as streams:
        await server.run(*streams, server.create_initialization_options())

anyio.run(main)
"""
MANY_CALLS = """
import time
samples = []
for _ in range(100):
    began = time.perf_counter()
    call_tool('orders.get_tax_rate', region='EU')
    samples.append((time.perf_counter() - began) * 1000)
sorted(samples)[len(samples) // 2]
"""


def started(command: list[str], environment: dict[str, str], *, greet: bool) -> float:
    """Seconds until `command` has answered `initialize`, or without a greeting until it has ended."""
    began = time.perf_counter()
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        if greet:
            process.stdin.write(GREETING)
            process.stdin.flush()
            assert b"serverInfo" in process.stdout.readline()
        else:
            process.wait()
        took = time.perf_counter() - began
        process.kill()
    return took


async def by_turns(*sides: Callable[[], Awaitable[object]]) -> list[float]:
    """The median in ms of each, after some that do not count."""
    samples: list[list[float]] = [[] for _ in sides]
    for turn in range(CALLS + 20):
        for side, times in zip(sides, samples, strict=True):
            began = time.perf_counter()
            await side()
            if turn >= 20:
                times.append((time.perf_counter() - began) * 1000)
    return [statistics.median(times) for times in samples]


def say(what: str, measured: str, wanted: str) -> None:
    sys.stdout.write(f"{what:<52} {measured:<44} wanted: {wanted}\n")
    sys.stdout.flush()


def measure_starts(environment: dict[str, str]) -> None:
    servers: list[float] = []
    libraries: list[float] = []
    for _ in range(STARTS):
        servers.append(started([COMMAND, "serve"], environment, greet=True))
        libraries.append(started([sys.executable, "-c", "import mcp.server"], environment, greet=False))
    server, library = statistics.median(servers), statistics.median(libraries)
    say(
        "initialize, and `import mcp.server`",
        f"{server * 1000:.0f} and {library * 1000:.0f} ms: {server / library:.2f} times",
        "at most 1.3 times",
    )


async def measure_calls(commands: Commands) -> None:
    orders_server = StdioServerParameters(command=sys.executable, args=[str(EXAMPLES / "orders_server.py")])
    no_op = commands.folder / "no_op.py"
    no_op.write_text(NO_OP)
    orders = {"command": sys.executable, "args": [str(EXAMPLES / "orders_server.py")]}
    config = commands.config({"orders": orders})
    async with AsyncExitStack() as stack:
        served = await stack.enter_async_context(commands.serving("stdio", "--config", config))
        ours = await stack.enter_async_context(served.client("legacy"))
        theirs = await stack.enter_async_context(
            Client(StdioServerParameters(command=sys.executable, args=[str(no_op)]), mode="legacy")
        )
        direct = await stack.enter_async_context(Client(orders_server))

        run, bare = await by_turns(lambda: execute(ours, "6 * 7"), lambda: theirs.call_tool("no_op", {}))
        say("a trivial warm program, and a tool that does nothing", f"{run:.2f} and {bare:.2f} ms", "3 ms more at most")

        proxied_calls: list[float] = []
        straight_calls: list[float] = []
        for turn in range(CALL_TURNS + 1):
            _, text = await execute(ours, MANY_CALLS)
            (straight,) = await by_turns(lambda: direct.call_tool("get_tax_rate", {"region": "EU"}))
            if turn:
                proxied_calls.append(float(text))
                straight_calls.append(straight)
        proxied, straight = statistics.median(proxied_calls), statistics.median(straight_calls)
        say(
            "call_tool in a program, and from a client of its own",
            f"{proxied:.2f} and {straight:.2f} ms",
            "0.3 ms more at most",
        )

        program = (EXAMPLES / "orders.py").read_text()
        (whole,) = await by_turns(lambda: execute(ours, program))
        say("the orders program, 36 calls", f"{whole:.1f} ms", "at most 80 ms")


async def measure_cold(environment: dict[str, str]) -> None:
    async def first() -> None:
        process = await anyio.open_process([COMMAND, "run", "-"], env=environment)
        async with process:
            assert process.stdin is not None
            await process.stdin.send(b"6 * 7")
            await process.stdin.aclose()
            await process.wait()

    samples: list[float] = []
    for _ in range(STARTS):
        began = time.perf_counter()
        await first()
        samples.append(time.perf_counter() - began)
    say("`codeact-mcp run` of a trivial program, all of it", f"{statistics.median(samples) * 1000:.0f} ms", "-")


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        cache = os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))
        environment = {"HOME": folder, "PATH": os.environ["PATH"], "XDG_CACHE_HOME": cache}
        commands = Commands(Path(folder), environment)
        assert commands.run("run", "-", stdin="6 * 7").stdout == "42\n"
        measure_starts(environment)
        await measure_calls(commands)
        await measure_cold(environment)


if __name__ == "__main__":
    anyio.run(main)
