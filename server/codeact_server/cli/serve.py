"""`codeact-mcp serve`: serve one app over one transport until stdin ends or a signal arrives."""

import sys
from typing import Literal

import anyio

from codeact_server.app import open_app
from codeact_server.cli.terminal import stderr_line
from codeact_server.config.model import Config
from codeact_server.front.start import Start
from codeact_server.protocol.recorder import record_answers
from codeact_server.protocol.server import open_server
from codeact_server.transports.stdio import serve_stdio


async def serve_one_client(config: Config, start: Start) -> int:
    """Serve over stdio until stdin ends. Returns the exit code."""
    _say_if_no_servers(config)
    if sys.stdin.isatty():
        stderr_line("waiting for an MCP client on stdin. MCP clients start this command themselves; Ctrl-C stops it")
    async with open_app(config, stderr_line) as app, open_server(app) as server, anyio.create_task_group() as tasks:
        if start.recording is not None:
            tasks.start_soon(record_answers, app, server, start.recording)
        await serve_stdio(server, start.opening)
        tasks.cancel_scope.cancel()
    return 0


async def serve_network(
    config: Config, transport: Literal["http", "sse"], host: str, port: int, allowed_hosts: tuple[str, ...]
) -> int:
    """Serve over HTTP or SSE until cancelled. Returns the exit code: 1 if the address cannot be bound."""
    _say_if_no_servers(config)
    from codeact_server.transports.http import LOOPBACK, bind, security, serve_http

    try:
        sock = bind(host, port)
    except OSError as exc:
        # Without Python's addition, which repeats the address.
        reason = (exc.strerror or str(exc)).partition(" (while attempting")[0]
        stderr_line(f"cannot listen on {host}:{port}: {reason}")
        return 1
    address = f"http://{f'[{host}]' if ':' in host else host}:{sock.getsockname()[1]}"
    with sock:
        async with open_app(config, stderr_line) as app, open_server(app) as server:
            stderr_line(f"serving {address}/sse" if transport == "sse" else f"serving {address}/mcp and {address}/sse")
            if host not in LOOPBACK:
                stderr_line(
                    "no authentication: everyone who can reach this address can run programs and call your tools"
                )
            await serve_http(server, app, sock, security(host, allowed_hosts, sock.getsockname()[1]), transport)
    return 0


def _say_if_no_servers(config: Config) -> None:
    if not config.servers and not config.source:  # with a file, its notes have said so
        stderr_line(config.no_servers)
