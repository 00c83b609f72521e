"""Real servers, each in a process of its own."""

import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from subprocess import PIPE
from typing import Literal, TypeAlias

import anyio
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream

from codeact_bridges.tools.spec import HttpServer, StdioServer

SERVERS = Path(__file__).parents[2] / "servers"

Hostile: TypeAlias = Callable[..., StdioServer]
Serving: TypeAlias = Callable[..., AbstractAsyncContextManager[HttpServer]]


@pytest.fixture
def hostile() -> Hostile:
    """A hostile server, as `hostile("--start", "hang", call_timeout_s=1)`."""

    def make(
        *options: str, name: str = "hostile", start_timeout_s: float = 5, call_timeout_s: float = 5
    ) -> StdioServer:
        return StdioServer(
            name=name,
            command=sys.executable,
            args=(str(SERVERS / "hostile.py"), *options),
            start_timeout_s=start_timeout_s,
            call_timeout_s=call_timeout_s,
        )

    return make


@pytest.fixture
def everyday() -> StdioServer:
    return StdioServer(name="everyday", command=sys.executable, args=(str(SERVERS / "everyday.py"), "stdio"))


@pytest.fixture
def serving() -> Serving:
    """Serve the everyday server on loopback for the duration of a block."""

    @asynccontextmanager
    async def serve(transport: Literal["http", "sse"], port: int = 0) -> AsyncGenerator[HttpServer]:
        command = [sys.executable, str(SERVERS / "everyday.py"), transport, str(port)]
        async with await anyio.open_process(command, stdout=PIPE, stderr=None) as process:
            assert process.stdout is not None
            try:
                with anyio.fail_after(15):
                    url = await BufferedByteReceiveStream(process.stdout).receive_until(b"\n", 200)
                yield HttpServer(name="everyday", url=url.decode().strip(), transport=transport)
            finally:
                process.kill()

    return serve
