"""`codeact-mcp tools`: print the catalog on a terminal."""

from textwrap import indent

from codeact_server.app import App, open_app
from codeact_server.cli.terminal import stderr_line, write
from codeact_server.config.model import Config


async def print_tools(config: Config) -> int:
    """Print the tools of every server. Returns the exit code: 0 if every server is ready, else 1."""
    async with open_app(config, lambda _: None) as app:  # no program runs, so the engine does not matter
        app.tools.start_lazy_servers()
        await app.tools.wait_settled()
        return _print_catalog(app)


def _print_catalog(app: App) -> int:
    code = 0
    for status in app.tools.statuses():
        own = [tool for tool in app.tools.catalog.tools if tool.server == status.name]
        if status.state == "ready":
            write(f"{status.name}: {len(own)} tools\n")
        else:
            code = 1
            write(f"{status.name}: {status.state}{f': {status.reason}' if status.reason else ''}\n")
        for tool in own:
            write(indent(f"{tool.signature}\n", "  "))
            if tool.summary:
                write(f"      {tool.summary}\n")
    if not app.tools.statuses() and not app.config.source:  # with a file, its notes have said so
        stderr_line(app.config.no_servers)
    return code
