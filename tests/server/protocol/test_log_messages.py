"""Log notifications: which clients get them, their content, and their limit."""

from collections.abc import Mapping

import anyio
import pytest
from apps import ERAS, GUARD_S, Era, execute, opened
from mcp.types import LoggingLevel, LoggingMessageNotificationParams

from codeact_bridges.values import Printed
from codeact_server.protocol.log_messages import MAX_PENDING_CHARS, LogMessages

PROGRAM = """
import sys
print("on the way")
print("beware", file=sys.stderr)
call_tool("shop.look")
try:
    call_tool("shop.fail")
except ToolError:
    pass
print("nearly", "there")
"""

EVERYTHING = [
    ("info", "on the way"),
    ("warning", "beware"),
    ("info", "called shop.look"),
    ("warning", "called shop.fail (error)"),
    ("info", "nearly there"),
]


async def logged(environment: Mapping[str, str], era: Era, level: LoggingLevel | None) -> list[tuple[str, str]]:
    """The messages about `PROGRAM` that a client with this level gets, line by line."""
    came: list[LoggingMessageNotificationParams] = []

    async def on_log(params: LoggingMessageNotificationParams) -> None:
        came.append(params)

    with anyio.fail_after(GUARD_S):
        async with opened(environment) as opening:
            client = opening.client(era)
            client.logging_callback = on_log
            client.log_level = level
            async with client:
                if era == "legacy" and level is not None:
                    await client.set_logging_level(level)  # pyright: ignore[reportDeprecated]
                assert (await execute(client, PROGRAM))[0] is False
                assert client.server_capabilities is not None
                assert client.server_capabilities.logging is not None
    assert {params.logger for params in came} <= {"execute_code"}
    return [(params.level, line) for params in came for line in params.data.splitlines()]


@pytest.mark.parametrize("era", ERAS)
async def test_a_client_at_debug_level_gets_every_event_of_a_run_in_order(
    environment: Mapping[str, str], era: Era
) -> None:
    assert await logged(environment, era, "debug") == EVERYTHING


@pytest.mark.parametrize("era", ERAS)
async def test_a_client_at_warning_level_gets_no_less_severe_messages(environment: Mapping[str, str], era: Era) -> None:
    assert await logged(environment, era, "warning") == [each for each in EVERYTHING if each[0] == "warning"]


@pytest.mark.parametrize("era", ERAS)
async def test_a_client_that_requested_no_level_gets_no_messages(environment: Mapping[str, str], era: Era) -> None:
    assert await logged(environment, era, None) == []


def test_messages_beyond_the_buffer_limit_are_omitted_and_counted() -> None:
    messages = LogMessages("info")
    line = "x" * 10_000
    for _ in range(12):
        messages.add(Printed("stdout", line), line)

    sent = messages.take()

    assert [notification.params.level for notification in sent] == ["info", "warning"]
    assert sent[0].params.data == "\n".join([line] * (MAX_PENDING_CHARS // 10_000))
    assert sent[1].params.data.startswith("(2 more messages omitted")
    assert messages.take() == []
