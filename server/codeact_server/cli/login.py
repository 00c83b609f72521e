"""`codeact-mcp login NAME`: a person gives us access to a remote server, in a browser."""

import sys
import webbrowser

import anyio.to_thread

from codeact_bridges.tools.spec import HttpServer
from codeact_server.app import configured_secret_store
from codeact_server.config import dialects
from codeact_server.config.model import Config


async def log_in_and_say_so(config: Config, name: str, *, open_browser: bool) -> int:
    """0 when we have access, else 1."""
    from codeact_bridges.tools.downstream.login import LoginFailedError, log_in
    from codeact_server.cli.terminal import stderr_line

    wanted = dialects.identity(name)
    spec = next((server for server in config.servers if dialects.identity(server.name) == wanted), None)
    if spec is None:
        names = ", ".join(server.name for server in config.servers) or "none"
        stderr_line(f"no server is called {name!r}; the servers: {names}")
        return 1
    if not isinstance(spec, HttpServer) or spec.oauth is None or spec.oauth.grant != "authorization_code":
        stderr_line(f"{spec.name} needs no login: set codeact.servers.{spec.name}.oauth = {{}} if it asks for OAuth")
        return 1
    secret_store = configured_secret_store(config)
    assert secret_store is not None

    async def show(url: str) -> None:
        sys.stdout.write(f"Open this address and log in to {spec.name}:\n\n{url}\n\n")
        sys.stdout.flush()
        if open_browser:
            await anyio.to_thread.run_sync(webbrowser.open, url, abandon_on_cancel=True)

    try:
        tools = await log_in(spec, secret_store, show)
    except LoginFailedError as exc:
        stderr_line(f"not logged in to {spec.name}: {exc}")
        return 1
    if tools is None:
        stderr_line(f"{spec.name} did not ask for a login")
        return 0
    stderr_line(f"logged in to {spec.name}: it has {tools} tools")
    return 0
