"""Log notifications: who gets them, what is in them, how many there may be."""

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
    """What a client that asked for `level` is told of `PROGRAM`, line by line."""
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
async def test_a_client_that_asks_is_told_all_that_a_run_does_in_order(
    environment: Mapping[str, str], era: Era
) -> None:
    assert await logged(environment, era, "debug") == EVERYTHING


@pytest.mark.parametrize("era", ERAS)
async def test_a_client_that_asks_for_warnings_is_told_of_nothing_less(
    environment: Mapping[str, str], era: Era
) -> None:
    assert await logged(environment, era, "warning") == [each for each in EVERYTHING if each[0] == "warning"]


@pytest.mark.parametrize("era", ERAS)
async def test_a_client_that_has_not_asked_is_told_nothing(environment: Mapping[str, str], era: Era) -> None:
    assert await logged(environment, era, None) == []


def test_what_is_too_much_between_two_notifications_is_left_out_and_counted() -> None:
    messages = LogMessages("info")
    line = "x" * 10_000
    for _ in range(12):
        messages.add(Printed("stdout", line), line)

    sent = messages.take()

    assert [notification.params.level for notification in sent] == ["info", "warning"]
    assert sent[0].params.data == "\n".join([line] * (MAX_PENDING_CHARS // 10_000))
    assert sent[1].params.data.startswith("(2 more left out")
    assert messages.take() == []
