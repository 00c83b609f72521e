"""`codeact-mcp serve`: serve one app over one transport until stdin ends or a signal arrives."""

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
    """Serve until stopped. Returns the exit code: 0 at the end of stdin, 1 if the address cannot be bound."""
    if transport == "stdio":
        if sys.stdin.isatty():
            stderr_line(
                "waiting for an MCP client on stdin. MCP clients start this command themselves; Ctrl-C stops it"
            )
        async with open_app(config, stderr_line) as app, open_server(app) as server:
            await serve_stdio(server)
        return 0
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
