"""`codeact-mcp run` and `tools`: one program, or the catalog, on a terminal."""

import os
import sys
from textwrap import indent

from codeact_bridges.runs.observer import Nobody
from codeact_bridges.values import Media, Printed, RunResult, Value
from codeact_server.app import App, open_app
from codeact_server.config.load import Config
from codeact_server.protocol.results import call_report
from codeact_server.transports.stdio import stderr_line


class TerminalObserver(Nobody):
    """Shows what a program prints while it runs."""

    def __init__(self) -> None:
        self._in_line = False
        """Whether what was printed last did not end its line."""

    def printed(self, piece: Printed) -> None:
        self._in_line = self._in_line if piece.stream == "stderr" else not piece.text.endswith("\n")
        write(piece.text, to_stderr=piece.stream == "stderr")

    def line(self, text: str) -> None:
        """A line of its own on stdout."""
        write("\n" * self._in_line + text + "\n")
        self._in_line = False


def write(text: str, *, to_stderr: bool = False) -> None:
    """Write at once. Whoever read our output may have gone, like `head`, which is no error of ours."""
    stream = sys.stderr if to_stderr else sys.stdout
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


async def run_and_print(config: Config, code: str, timeout_s: float | None) -> int:
    """0 when the program ended well, else 1."""
    terminal = TerminalObserver()
    async with open_app(config, stderr_line) as app:
        result = await app.run(code, timeout_s, terminal)
    if result.output.cut_bytes:
        stderr_line(f"{result.output.cut_bytes:,} more bytes were printed and are cut (codeact.limits.output_bytes)")
    _print_result(result, terminal)
    if result.failure is None:
        return 0
    write("\n".join([result.failure.message.rstrip("\n"), *call_report(result.calls)]) + "\n", to_stderr=True)
    return 1


def _print_result(result: RunResult, terminal: TerminalObserver) -> None:
    """What it displayed, the files it made, its value."""
    for shown in (*result.displayed, *([result.value] if result.value is not None else [])):
        match shown:
            case Value():
                terminal.line(shown.text)
                if shown.cut_bytes:
                    stderr_line(f"{shown.cut_bytes:,} more bytes of the value are cut (codeact.limits.output_bytes)")
            case Media():
                stderr_line(f"it displayed {shown.mime_type}, {len(shown.base64) * 3 // 4:,} bytes")
    for file in result.produced:
        stderr_line(f"it wrote {file.path} ({file.size_bytes:,} bytes, {file.mime_type})")


async def print_tools(config: Config) -> int:
    """0 when every server answered, else 1."""
    async with open_app(config, lambda _: None) as app:  # nothing runs here, so nobody asks in what
        app.tools.wake()
        await app.tools.wait_settled()
        return _print_catalog(app)


def _print_catalog(app: App) -> int:
    code = 0
    for status in app.tools.statuses():
        mine = [tool for tool in app.tools.catalog.tools if tool.server == status.name]
        if status.state == "ready":
            write(f"{status.name}: {len(mine)} tools\n")
        else:
            code = 1
            write(f"{status.name}: {status.state}{f': {status.reason}' if status.reason else ''}\n")
        for tool in mine:
            write(indent(f"{tool.signature}\n", "  "))
            if tool.summary:
                write(f"      {tool.summary}\n")
    if not app.tools.statuses():
        stderr_line("no servers: name some with --config FILE")
    return code
