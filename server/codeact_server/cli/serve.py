"""`codeact-mcp serve`: one transport in front of one app, until it ends or is stopped."""

import sys
from typing import Literal

from codeact_server.app import open_app
from codeact_server.cli.terminal import stderr_line
from codeact_server.config.model import Config
from codeact_server.protocol.server import open_server
from codeact_server.transports.stdio import serve_stdio


async def serve_until_stopped(
    config: Config, transport: Literal["stdio", "http", "sse"], host: str, port: int, allowed_hosts: tuple[str, ...]
) -> int:
    """The exit code: 0 when stdin ended; 1 when the address could not be bound."""
    if transport == "stdio":
        if sys.stdin.isatty():
            stderr_line("speaks MCP with a client that starts it, not with a person. Ctrl-C ends it; --help shows more")
        async with open_app(config, stderr_line) as app, open_server(app) as server:
            await serve_stdio(server)
        return 0
    from codeact_server.transports.http import LOOPBACK, bind, security, serve_http

    try:
        sock = bind(host, port)
    except OSError as exc:
        # Without Python's addition, which says again where.
        reason = (exc.strerror or str(exc)).partition(" (while attempting")[0]
        stderr_line(f"cannot listen on {host}:{port}: {reason}")
        return 1
    address = f"http://{f'[{host}]' if ':' in host else host}:{sock.getsockname()[1]}"
    with sock:
        async with open_app(config, stderr_line) as app, open_server(app) as server:
            stderr_line(f"serving {address}/sse" if transport == "sse" else f"serving {address}/mcp and {address}/sse")
            if host not in LOOPBACK:
                stderr_line("everybody who can reach this address can run programs and call your tools: nobody logs in")
            await serve_http(server, app, sock, security(host, allowed_hosts, sock.getsockname()[1]), transport)
    return 0
