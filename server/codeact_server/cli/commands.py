"""The command line of `codeact-mcp`. Each subcommand imports its own modules: `serve` must answer fast."""

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
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn, TypeAlias, cast

import anyio
import typer

from codeact_bridges.errors import EngineUnavailable

if TYPE_CHECKING:
    from codeact_server.config.model import Config
    from codeact_server.front.start import Start

Engine: TypeAlias = Literal["auto", "hyperlight", "wasmtime"]
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="TOML or JSON file: your MCP servers, and settings under 'codeact'."),
]
EngineOption = Annotated[
    Engine | None,
    typer.Option("--engine", help="The sandbox; overrides the configuration. auto: the strongest that works here."),
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


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"codeact-mcp {version('codeact-mcp')}")
        raise typer.Exit


@cli.callback()
def options(
    _: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """An MCP server with one tool: run a program in a sandbox that calls the tools of your other MCP servers."""


@cli.command()
def serve(
    context: typer.Context,
    command: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="-- COMMAND ARG …", help="The one MCP server that programs call (over stdio), instead of --config."
        ),
    ] = None,
    config: ConfigOption = None,
    engine: EngineOption = None,
    transport: Annotated[
        Literal["stdio", "http", "sse"], typer.Option(help="http serves /mcp and /sse; sse only /sse.")
    ] = "stdio",
    host: Annotated[str, typer.Option(help="Address to listen on (http, sse).")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on (http, sse); 0 takes a free one.")
    ] = 8765,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Another name that clients may send in Host and Origin; repeatable."),
    ] = None,
) -> None:
    """Serve MCP clients, over stdio by default."""
    settings = _configured(config, engine, command)
    from codeact_server.cli.serve import serve_network, serve_one_client

    if transport == "stdio":
        _run(lambda: serve_one_client(settings, cast("Start", context.obj)), stopped=0)
    _run(lambda: serve_network(settings, transport, host, port, tuple(allow_host or ())), stopped=0)


@cli.command()
def run(
    program: Annotated[str, typer.Argument(metavar="FILE|-", help="A Python program; - reads it from stdin.")],
    config: ConfigOption = None,
    engine: EngineOption = None,
    timeout_s: Annotated[float | None, typer.Option("--timeout-s", help="Seconds the program may take.")] = None,
) -> None:
    """Run one program; print its output, then its value.

    The program runs as if an MCP client had sent it. Diagnostics go to stderr. The exit code is 1 if the program fails.
    """
    if timeout_s is not None and not 0 < timeout_s < math.inf:
        _refuse("--timeout-s: must be a number of seconds greater than 0")
    try:
        code = sys.stdin.read() if program == "-" else Path(program).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        _refuse(f"{program}: {exc.strerror if isinstance(exc, OSError) else 'not UTF-8 text'}")
    settings = _configured(config, engine)
    from codeact_server.cli.run import run_and_print

    _run(lambda: run_and_print(settings, code, timeout_s))


@cli.command()
def tools(config: ConfigOption = None, engine: EngineOption = None) -> None:
    """Print the tools of all servers, as programs see them.

    The exit code is 1 if a server cannot be reached.
    """
    settings = _configured(config, engine)
    from codeact_server.cli.tools import print_tools

    _run(lambda: print_tools(settings))


@cli.command()
def login(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the server in the configuration.")],
    config: ConfigOption = None,
    browser: Annotated[bool, typer.Option(help="Also open the printed address in a browser.")] = True,
) -> None:
    """Log in to a remote server that requires OAuth."""
    settings = _configured(config, None)
    from codeact_server.cli.login import log_in_and_report

    _run(lambda: log_in_and_report(settings, name, open_browser=browser))


@cli.command()
def doctor(config: ConfigOption = None, engine: EngineOption = None) -> None:
    """Report the engine and its isolation; check the configuration.

    The exit code is 1 if something that is configured does not work.
    """
    settings = _configured(config, engine, check=False)
    from codeact_server.cli.doctor import examine

    _run(lambda: examine(settings))


@cli.command()
def demo(config: ConfigOption = None, engine: EngineOption = None) -> None:
    """Run an example program that makes 36 tool calls."""
    from codeact_server.cli.demo import orders_config, run_demo

    settings = orders_config(_configured(config, engine))
    _run(lambda: run_demo(settings))


def _configured(
    path: Path | None, engine: Engine | None, command: list[str] | None = None, *, check: bool = True
) -> "Config":
    """Return the configuration, or print one line and exit with 2. With `check`, refuse an engine or an audit log that
    does not work here."""
    from codeact_bridges.modules.packages import PackageRefused, find_packages
    from codeact_bridges.sandbox.engine_selection import check_engine
    from codeact_server.config.load import ConfigError, for_command, load
    from codeact_server.config.model import Config
    from codeact_server.observability.audit_log import AuditLog, AuditUnavailable

    if path is not None and command:
        _refuse("use either --config FILE or -- COMMAND, not both")
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
    """Run a command to its end, then exit the process with the command's exit code.

    After a signal the exit code is `stopped`, or the code by which shells report that signal. When everything is
    closed, the process ends with `os._exit`: a thread that is still blocked reading stdin must not delay the exit.
    """

    async def until_signalled() -> int:
        code = 0
        # Open until the end: a second Ctrl-C must not interrupt the cleanup after the first.
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
    with suppress(OSError):  # the reader of our output may have exited
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def _refuse(reason: str) -> NoReturn:
    typer.echo(f"codeact-mcp: {reason}", err=True)
    raise typer.Exit(EXIT_USAGE)
