"""The command `codeact-mcp`. Parts are imported by the command that needs them: `serve` must answer fast."""

import logging
import math
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn, TypeAlias

import anyio
import typer

from codeact_bridges.errors import EngineUnavailable

if TYPE_CHECKING:
    from codeact_server.config.model import Config

Engine: TypeAlias = Literal["auto", "hyperlight", "wasmtime"]
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="TOML or JSON: your MCP servers, and our settings under 'codeact'."),
]
EngineOption = Annotated[
    Engine | None,
    typer.Option("--engine", help="How to sandbox; overrides the configuration. auto: the strongest this machine has."),
]

EXIT_FAILED = 1
EXIT_USAGE = 2

cli = typer.Typer(
    name="codeact-mcp",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def main() -> None:
    """The console script."""
    cli()


def _tell_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"codeact-mcp {version('codeact-mcp')}")
        raise typer.Exit


@cli.callback()
def options(
    _: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Tell the version and exit.")
    ] = False,
) -> None:
    """One MCP server, one tool: programs that call your other MCP servers' tools from inside a sandbox."""


@cli.command()
def serve(
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="-- COMMAND ARG …", help="A stdio server to put this in front of, instead of --config."),
    ] = None,
    config: ConfigOption = None,
    engine: EngineOption = None,
    transport: Annotated[Literal["stdio", "http", "sse"], typer.Option(help="http serves /mcp and /sse.")] = "stdio",
    host: Annotated[str, typer.Option(help="Address to bind, for http and sse.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to bind, for http and sse. 0 takes a free one.")
    ] = 8765,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A further name that clients may use in Host and Origin; repeatable."),
    ] = None,
) -> None:
    """Serve MCP clients, over stdio unless told otherwise."""
    settings = _configured(config, engine, command)
    from codeact_server.cli.serve import serve_until_stopped

    _run(lambda: serve_until_stopped(settings, transport, host, port, tuple(allow_host or ())), stopped=0)


@cli.command()
def run(
    program: Annotated[str, typer.Argument(metavar="FILE|-", help="A Python program; - reads it from stdin.")],
    config: ConfigOption = None,
    engine: EngineOption = None,
    timeout_s: Annotated[float | None, typer.Option("--timeout-s", help="Seconds the program may take.")] = None,
) -> None:
    """Run one program; print what it prints, then its value.

    As a client's program would be run. Diagnostics go to stderr; the exit code is 1 when the program failed.
    """
    if timeout_s is not None and not 0 < timeout_s < math.inf:
        _refuse("--timeout-s: must be a number of seconds over 0")
    try:
        code = sys.stdin.read() if program == "-" else Path(program).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        _refuse(f"{program}: {exc.strerror if isinstance(exc, OSError) else 'not UTF-8'}")
    settings = _configured(config, engine)
    from codeact_server.cli.run import run_and_print

    _run(lambda: run_and_print(settings, code, timeout_s))


@cli.command()
def tools(config: ConfigOption = None, engine: EngineOption = None) -> None:
    """Print every server's tools, as programs see them.

    The exit code is 1 when a server could not be reached.
    """
    settings = _configured(config, engine)
    from codeact_server.cli.tools import print_tools

    _run(lambda: print_tools(settings))


@cli.command()
def login(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The server's name in the configuration.")],
    config: ConfigOption = None,
    browser: Annotated[bool, typer.Option(help="Open the address in a browser, besides printing it.")] = True,
) -> None:
    """Log in to a remote server that asks for OAuth."""
    settings = _configured(config, None)
    from codeact_server.cli.login import log_in_and_say_so

    _run(lambda: log_in_and_say_so(settings, name, open_browser=browser))


@cli.command()
def doctor(config: ConfigOption = None, engine: EngineOption = None) -> None:
    """Say what programs run in here, and whether all works.

    The exit code is 1 when something that was asked for does not work.
    """
    settings = _configured(config, engine, check=False)
    from codeact_server.cli.doctor import examine

    _run(lambda: examine(settings))


@cli.command()
def demo(config: ConfigOption = None, engine: EngineOption = None) -> None:
    """Show a program that makes 36 tool calls at work."""
    from codeact_server.cli.demo import orders_config, run_demo

    settings = orders_config(_configured(config, engine))
    _run(lambda: run_demo(settings))


def _configured(
    path: Path | None, engine: Engine | None, command: list[str] | None = None, *, check: bool = True
) -> "Config":
    """The configuration, or one line and exit 2. `check`: also refuse an engine that does not work here."""
    from codeact_bridges.modules.packages import PackageRefused, find_packages
    from codeact_bridges.sandbox.engine_selection import check_engine
    from codeact_server.config.load import ConfigError, for_command, load
    from codeact_server.config.model import Config
    from codeact_server.observability.audit_log import AuditLog, AuditUnavailable

    if path is not None and command:
        _refuse("give either --config FILE or -- COMMAND, not both")
    try:
        settings = load(path, os.environ) if path is not None else for_command(command) if command else Config.default()
    except ConfigError as exc:
        _refuse(str(exc))
    if engine is not None:
        settings = replace(settings, engine=engine)
    try:
        if check:
            check_engine(settings.engine)
        find_packages(settings.packages)
        if check and settings.audit is not None:
            AuditLog(settings.audit).check()
    except EngineUnavailable as exc:
        _refuse(str(exc))
    except (PackageRefused, AuditUnavailable) as exc:
        _refuse(f"{settings.source}: {exc}" if settings.source else str(exc))
    logging.basicConfig(
        stream=sys.stderr, level=settings.log_level.upper(), format="codeact-mcp: %(levelname)s %(name)s: %(message)s"
    )
    for note in settings.notes:
        typer.echo(f"codeact-mcp: {note}", err=True)
    return settings


def _run(command: Callable[[], Awaitable[int]], *, stopped: int | None = None) -> NoReturn:
    """Run a command to its end and end the process with its exit code.

    A signal ends it with the code `stopped`, or with the one by which shells report that signal. The process ends with
    `os._exit` when all is closed: a thread that still blocks in a read of stdin must not keep it.
    """

    async def until_signalled() -> int:
        code = 0
        # Open to the very end: a second Ctrl-C must not interrupt the clean-up after the first.
        with ExitStack() as stack:
            async with anyio.create_task_group() as tasks:

                async def stop(signals: AsyncIterator[signal.Signals]) -> None:
                    nonlocal code
                    async for number in signals:
                        code = 128 + number if stopped is None else stopped
                        tasks.cancel_scope.cancel()

                if sys.platform != "win32":
                    received = anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM)
                    tasks.start_soon(stop, stack.enter_context(received))
                code = await command()
                tasks.cancel_scope.cancel()
        return code

    try:
        code = anyio.run(until_signalled)
    except KeyboardInterrupt:  # Windows
        code = 128 + signal.SIGINT if stopped is None else stopped
    with suppress(OSError):  # whoever read our output may be gone
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def _refuse(reason: str) -> NoReturn:
    typer.echo(f"codeact-mcp: {reason}", err=True)
    raise typer.Exit(EXIT_USAGE)
