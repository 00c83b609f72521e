"""`codeact-mcp tools`: the catalog, on a terminal."""

from textwrap import indent

from codeact_server.app import App, open_app
from codeact_server.cli.terminal import stderr_line, write
from codeact_server.config.model import Config


async def print_tools(config: Config) -> int:
    """0 when every server answered, else 1."""
    async with open_app(config, lambda _: None) as app:  # nothing runs here, so nobody asks in what
        app.tools.start_lazy_servers()
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
