"""Log notifications over every transport."""

from typing import get_args

import anyio
import pytest
from mcp.types import LoggingMessageNotificationParams
from served import Commands, Era, Transport, execute

GUARD_S = 60


@pytest.mark.parametrize("era", get_args(Era))
@pytest.mark.parametrize("transport", get_args(Transport))
async def test_what_a_program_prints_is_logged_to_the_client_that_asks(
    commands: Commands, transport: Transport, era: Era
) -> None:
    came: list[str] = []

    async def on_log(params: LoggingMessageNotificationParams) -> None:
        came.append(params.data)

    config = commands.config({}, engine="wasmtime")
    with anyio.fail_after(GUARD_S):
        async with (
            commands.serving(transport, "--config", config) as served,
            served.client(era, logging_callback=on_log, log_level="info") as client,
        ):
            if era == "legacy":
                await client.set_logging_level("info")  # pyright: ignore[reportDeprecated]
            assert await execute(client, "print('on the way')\n1 + 1") == (False, "on the way\n[result]\n2")

    assert came == ["on the way"]
