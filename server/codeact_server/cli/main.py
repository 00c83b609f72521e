"""The entry point: begin to answer an MCP client, then import everything else."""

import os
import sys

from codeact_server.front.start import Start


def main() -> None:
    """Run the command line: the entry point of the console script."""
    start = Start.begin(sys.argv[1:], os.environ)
    from codeact_server.cli.commands import cli

    cli(obj=start)
