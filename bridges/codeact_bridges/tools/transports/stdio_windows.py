"""A downstream server as a child process on Windows: `mcp.client.stdio`, which handles job objects and `.cmd` files.

It lacks what `stdio` adds on POSIX: a bound on one line, the exit code and stderr in a failure's reason, an end within
2.5 s. Type-checked, but never run on Windows by us.
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
    """One process of a stdio server, which `opened` starts and ends."""

    def __init__(self, spec: StdioServer, server_log: ServerLog) -> None:
        self._spec, self._log = spec, server_log

    @property
    def failure_detail(self) -> str | None:
        """None: the SDK does not expose the process."""
        return None

    @property
    def stderr_detail(self) -> str | None:
        """None as well."""
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
        # The child writes into the file directly, so that its size is checked only at the start.
        with path.open("a", encoding="utf-8") as stderr:
            async with stdio_client(parameters, stderr) as streams:
                yield streams
