"""`codeact-mcp demo`: the orders program against the example server, with what it does made visible."""

import sys
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table

from codeact_bridges.runs.observer import NullObserver
from codeact_bridges.tools.spec import StdioServer
from codeact_bridges.values import CallRecord, Printed
from codeact_server.app import open_app
from codeact_server.cli.terminal import stderr_line
from codeact_server.config.model import Config


def examples() -> Path:
    """The examples: inside an installed package, or beside the source in a working copy."""
    installed = Path(__file__).parents[1] / "examples"
    return installed if installed.is_dir() else Path(__file__).parents[3] / "examples"


def orders_config(config: Config) -> Config:
    """`config` with the orders server added."""
    server = StdioServer(name="orders", command=sys.executable, args=(str(examples() / "orders_server.py"),))
    others = tuple(each for each in config.servers if each.name != server.name)
    return replace(config, servers=(*others, server))


class _Stage(NullObserver):
    """Shows the program's output as it comes, and keeps its calls in the order in which they ended."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.calls: list[CallRecord] = []

    def printed(self, piece: Printed) -> None:
        self._console.out(piece.text, end="", highlight=False)

    def called(self, call: CallRecord) -> None:
        self.calls.append(call)


async def run_demo(config: Config) -> int:
    """0 when the program ended well, else 1."""
    console = Console(highlight=False)
    program = (examples() / "orders.py").read_text(encoding="utf-8")
    console.print("[bold]The program[/bold], as a model would write it:\n")
    console.print(Syntax(program.strip(), "python", background_color="default", word_wrap=True))
    console.print("\n[bold]What it prints[/bold], while it runs:\n")
    stage = _Stage(console)
    async with open_app(config, stderr_line) as app:
        await app.tools.wait_settled()
        await app.run("None")  # the sandbox is warm, as for any but a server's first program
        result = await app.run(program, observer=stage)
    if result.failure is not None:
        console.print(result.failure.message, style="red", markup=False)
        return 1
    table = Table("call", "began after", "took", "tool", box=None, header_style="bold")
    for number, call in enumerate(stage.calls, 1):
        table.add_row(str(number), f"{call.started_s * 1000:.1f} ms", f"{call.duration_s * 1000:.1f} ms", call.tool)
    console.print("\n[bold]Its tool calls[/bold], none of which a model had to wait for:\n")
    console.print(table)
    if result.value is not None:
        console.print("\n[bold]Its result[/bold], all that a model's context has to hold:\n")
        console.print(result.value.text, markup=False)
    took = f"{len(result.calls)} tool calls in one program, {result.duration_s * 1000:.0f} ms"
    console.print(f"\n{took}; engine: {result.engine}, {result.isolation}.", markup=False)
    return 0
