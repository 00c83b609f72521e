"""`codeact-mcp demo`: run the orders program against the example server, and show its calls and result."""

import sys
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table

from codeact_bridges.runs.observer import RunEvent
from codeact_bridges.tools.spec import StdioServer
from codeact_bridges.values import CallRecord, Printed
from codeact_server.app import open_app
from codeact_server.cli.terminal import stderr_line
from codeact_server.config.model import Config


def examples() -> Path:
    """The folder of examples: in the installed package, or beside the source in a working copy."""
    installed = Path(__file__).parents[1] / "examples"
    return installed if installed.is_dir() else Path(__file__).parents[3] / "examples"


def orders_config(config: Config) -> Config:
    """`config` with the orders server added."""
    server = StdioServer(name="orders", command=sys.executable, args=(str(examples() / "orders_server.py"),))
    others = tuple(each for each in config.servers if each.name != server.name)
    return replace(config, servers=(*others, server))


class _DemoObserver:
    """Shows the program's output while it is printed, and collects its calls in the order in which they ended."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.calls: list[CallRecord] = []

    def __call__(self, event: RunEvent) -> None:
        match event:
            case Printed():
                self._console.out(event.text, end="", highlight=False)
            case CallRecord():
                self.calls.append(event)
            case _:
                pass


async def run_demo(config: Config) -> int:
    """Run the demo. Returns the exit code: 0 if the program succeeds, else 1."""
    console = Console(highlight=False)
    program = (examples() / "orders.py").read_text(encoding="utf-8")
    console.print("[bold]The program[/bold], as a model would write it:\n")
    console.print(Syntax(program.strip(), "python", background_color="default", word_wrap=True))
    console.print("\n[bold]Its output[/bold], while it runs:\n")
    observer = _DemoObserver(console)
    async with open_app(config, stderr_line) as app:
        await app.tools.wait_settled()
        await app.service.run("None")  # the sandbox is warm, as for all programs but the first of a server
        result = await app.service.run(program, observer=observer)
    if result.failure is not None:
        console.print(result.failure.message, style="red", markup=False)
        return 1
    table = Table("call", "began after", "took", "tool", box=None, header_style="bold")
    for number, call in enumerate(observer.calls, 1):
        table.add_row(str(number), f"{call.started_s * 1000:.1f} ms", f"{call.duration_s * 1000:.1f} ms", call.tool)
    console.print("\n[bold]Its tool calls[/bold], with no turn of the model between them:\n")
    console.print(table)
    if result.value is not None:
        console.print("\n[bold]Its result[/bold]; the model gets this and the output, not the results of the calls:\n")
        console.print(result.value.text, markup=False)
    took = f"{len(result.calls)} tool calls in one program, {result.duration_s * 1000:.0f} ms"
    console.print(f"\n{took}; engine: {result.engine}, {result.isolation}.", markup=False)
    return 0
