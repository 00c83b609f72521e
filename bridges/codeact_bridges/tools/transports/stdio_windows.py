"""A downstream server as a child process on Windows: `mcp.client.stdio`, which knows job objects and `.cmd` files.

What `stdio.py` adds elsewhere is missing here: a bound on one line, the reason in a process's last words, an end
within 2.5 s. Type-checked, and run on no machine of ours.
"""

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from mcp.client.stdio import StdioServerParameters, stdio_client

from codeact_bridges.tools.spec import StdioServer
from codeact_bridges.tools.transports.mcp_streams import TransportStreams
from codeact_bridges.tools.transports.server_log import LOG_FILE_BYTES, ServerLog


class ServerProcess:
    """One run of a stdio server. `opened` holds the process for the length of its block."""

    def __init__(self, spec: StdioServer, server_log: ServerLog) -> None:
        self._spec, self._log = spec, server_log

    @property
    def failure_detail(self) -> str | None:
        """Nothing: the process is the SDK's."""
        return None

    @property
    def stderr_detail(self) -> str | None:
        """Nothing either."""
        return None

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[TransportStreams]:
        spec = self._spec
        parameters = StdioServerParameters(command=spec.command, args=list(spec.args), env=dict(spec.env), cwd=spec.cwd)
        path = self._log.path or Path(os.devnull)
        if self._log.path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists() and path.stat().st_size > LOG_FILE_BYTES:
                path.replace(path.with_suffix(".old.log"))
        with path.open(
            "a", encoding="utf-8"
        ) as stderr:  # a child writes into it by itself, so only its start is bounded
            async with stdio_client(parameters, stderr) as streams:
                yield streams
