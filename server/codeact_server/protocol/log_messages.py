"""A run's events as log notifications: the wait for the sandbox, printed text, tool calls, their progress.

Log notifications are deprecated since 2026-07-28 (SEP-2577), but still part of the protocol. A client requests them
with `logging/setLevel` for its connection (handshake versions) or in the `_meta` of each request (2026-07-28). A client
that has not requested a level gets none.
"""

from collections import OrderedDict
from itertools import groupby
from typing import Any, Final, get_args

from mcp import types
from mcp.server.context import ServerRequestContext

from codeact_bridges.runs.observer import RunEvent
from codeact_bridges.values import CallProgress, CallRecord, Preparing, Printed
from codeact_server.protocol.client import Client

LOGGER = "execute_code"

LEVELS: Final[tuple[types.LoggingLevel, ...]] = get_args(types.LoggingLevel)
"""Ordered from the least severe to the most severe (RFC 5424)."""

MAX_CLIENTS = 1_000
"""Clients whose level is remembered. The one that set its level longest ago is forgotten and gets no more messages."""

MAX_PENDING_CHARS = 100_000
"""Buffer limit between two notifications. Messages beyond it are counted; the run's result has the printed text."""


class LogLevels:
    """The level that each handshake client has set."""

    def __init__(self) -> None:
        self._by_owner: OrderedDict[str, types.LoggingLevel] = OrderedDict()

    def set_level(self, client: Client, level: types.LoggingLevel) -> None:
        """Remember the level of a `logging/setLevel` request. Ignored for anonymous clients: they share one owner."""
        if client.anonymous:
            return
        self._by_owner[client.owner] = level
        self._by_owner.move_to_end(client.owner)
        while len(self._by_owner) > MAX_CLIENTS:
            self._by_owner.popitem(last=False)

    def requested(self, client: Client, ctx: ServerRequestContext[Any]) -> types.LoggingLevel | None:
        """The least severe level that the client of this request wants, or None for no messages."""
        if client.modern:
            level = (ctx.meta or {}).get(types.LOG_LEVEL_META_KEY)
            return level if level in LEVELS else None
        return self._by_owner.get(client.owner)


class LogMessages:
    """Buffers a run's messages between two notifications."""

    def __init__(self, level: types.LoggingLevel | None) -> None:
        self._levels = LEVELS[LEVELS.index(level) :] if level is not None else ()
        self._pending: list[tuple[types.LoggingLevel, str]] = []
        self._chars = 0
        self._omitted = 0

    def add(self, event: RunEvent, line: str) -> None:
        """Buffer `line`, which describes `event`, if the client wants messages of the event's level."""
        level = level_of(event)
        if level not in self._levels:
            return
        if self._chars + len(line) > MAX_PENDING_CHARS:
            self._omitted += 1
            return
        self._chars += len(line)
        self._pending.append((level, line))

    def take(self) -> list[types.LoggingMessageNotification]:
        """Drain the buffer: one notification for each run of consecutive lines of equal level."""
        if self._omitted:
            text = f"({self._omitted} more messages omitted; the result contains the printed output)"
            self._pending.append(("warning", text))
        pending, self._pending = self._pending, []
        self._chars = self._omitted = 0
        return [
            types.LoggingMessageNotification(
                params=types.LoggingMessageNotificationParams(
                    level=level, logger=LOGGER, data="\n".join(line for _, line in lines)
                )
            )
            for level, lines in groupby(pending, key=_level)
        ]


def level_of(event: RunEvent) -> types.LoggingLevel:
    """The event's level: warning for stderr and failed calls, debug for progress of a call, else info."""
    match event:
        case Preparing():
            return "info"
        case Printed(stream="stderr"):
            return "warning"
        case Printed():
            return "info"
        case CallRecord():
            return "info" if event.outcome == "ok" else "warning"
        case CallProgress():
            return "debug"


def _level(pending: tuple[types.LoggingLevel, str]) -> types.LoggingLevel:
    return pending[0]
