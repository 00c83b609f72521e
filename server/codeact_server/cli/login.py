"""`codeact-mcp login NAME`: a person authorizes us at a remote server, in a browser."""

import sys
import webbrowser

import anyio.to_thread

from codeact_bridges.tools.spec import HttpServer
from codeact_server.app import configured_secret_store
from codeact_server.config import dialects
from codeact_server.config.model import Config


async def log_in_and_report(config: Config, name: str, *, open_browser: bool) -> int:
    """Log in to the server `name`. Returns the exit code: 0 if we have access, else 1."""
    from codeact_bridges.tools.downstream.login import LoginFailedError, log_in
    from codeact_server.cli.terminal import stderr_line

    wanted = dialects.identity(name)
    spec = next((server for server in config.servers if dialects.identity(server.name) == wanted), None)
    if spec is None:
        names = ", ".join(server.name for server in config.servers) or "none"
        stderr_line(f"no server is named {name!r}; the configured servers: {names}")
        return 1
    if not isinstance(spec, HttpServer):
        stderr_line(f"{spec.name} needs no login: it is started by a command, not reached at an address")
        return 1
    if spec.oauth is None:
        stderr_line(
            f"{spec.name} has no OAuth settings; if it requires OAuth, set codeact.servers.{spec.name}.oauth = {{}}"
        )
        return 1
    if spec.oauth.grant != "authorization_code":
        stderr_line(f"{spec.name} needs no login: its grant is {spec.oauth.grant}")
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
        stderr_line(f"login to {spec.name} failed: {exc}")
        return 1
    if tools is None:
        stderr_line(f"{spec.name} did not require a login")
        return 0
    stderr_line(f"logged in to {spec.name}, which has {tools} tools")
    return 0
