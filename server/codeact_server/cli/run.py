"""`codeact-mcp run`: run one program on a terminal."""

from codeact_bridges.values import Media, RunResult, Value
from codeact_server.app import open_app
from codeact_server.cli.terminal import TerminalObserver, stderr_line, write
from codeact_server.config.model import Config
from codeact_server.protocol.results import call_report


async def run_and_print(config: Config, code: str, timeout_s: float | None) -> int:
    """Run `code` and print its output and result. Returns the exit code: 0 if the program succeeds, else 1."""
    terminal = TerminalObserver()
    async with open_app(config, stderr_line) as app:
        result = await app.service.run(code, timeout_s, terminal)
    _print_result(result, terminal)
    if result.failure is None:
        return 0
    write("\n".join([result.failure.message.rstrip("\n"), *call_report(result.calls)]) + "\n", to_stderr=True)
    return 1


def _print_result(result: RunResult, terminal: TerminalObserver) -> None:
    """Print what the program displayed, its value, and the files it wrote."""
    for shown in (*result.displayed, *([result.value] if result.value is not None else [])):
        match shown:
            case Value():
                terminal.line(shown.text)
                if shown.cut_bytes:
                    stderr_line(f"{shown.cut_bytes:,} bytes of the value left out (codeact.limits.output_bytes)")
                    terminal.line(shown.tail)
            case Media():
                stderr_line(f"displayed: {shown.mime_type}, {len(shown.base64) * 3 // 4:,} bytes")
    for file in result.produced:
        stderr_line(f"wrote {file.path} ({file.size_bytes:,} bytes, {file.mime_type})")
