"""What a run does, as log notifications for clients that ask for them: what it prints, its tool calls, their progress.

Deprecated by 2026-07-28 (SEP-2577) and in the protocol until that drops them. A client asks with `logging/setLevel` for
its connection (handshake versions) or in the `_meta` of each request (2026-07-28); one that has not asked gets none.
"""

from collections import OrderedDict
from itertools import groupby
from typing import Any, Final, get_args

from mcp import types
from mcp.server.context import ServerRequestContext

from codeact_bridges.runs.observer import RunEvent
from codeact_bridges.values import CallProgress, CallRecord, Printed
from codeact_server.protocol.client import Client

LOGGER = "execute_code"

LEVELS: Final[tuple[types.LoggingLevel, ...]] = get_args(types.LoggingLevel)
"""The least severe first (RFC 5424)."""

MAX_CLIENTS = 1_000
"""Whose level is remembered; the one that has been away longest is forgotten, and gets no more."""

MAX_PENDING_CHARS = 100_000
"""Kept between two notifications. What is left out is in the run's result."""


class LogLevels:
    """What each handshake client has asked for."""

    def __init__(self) -> None:
        self._of: OrderedDict[str, types.LoggingLevel] = OrderedDict()

    def set_level(self, client: Client, level: types.LoggingLevel) -> None:
        """Remember what `logging/setLevel` says. Of clients that cannot be told apart, nothing is."""
        if client.anonymous:
            return
        self._of[client.owner] = level
        self._of.move_to_end(client.owner)
        while len(self._of) > MAX_CLIENTS:
            self._of.popitem(last=False)

    def asked(self, client: Client, ctx: ServerRequestContext[Any]) -> types.LoggingLevel | None:
        """The level from which on the client behind a request wants to be told, or None."""
        if client.modern:
            level = (ctx.meta or {}).get(types.LOG_LEVEL_META_KEY)
            return level if level in LEVELS else None
        return self._of.get(client.owner)


class LogMessages:
    """Collects the news of a run between two notifications."""

    def __init__(self, level: types.LoggingLevel | None) -> None:
        self._levels = LEVELS[LEVELS.index(level) :] if level is not None else ()
        self._pending: list[tuple[types.LoggingLevel, str]] = []
        self._chars = 0
        self._left_out = 0

    def add(self, what: RunEvent, line: str) -> None:
        """Note it, as `line` says it, unless the client wants no such thing."""
        level = level_of(what)
        if level not in self._levels:
            return
        if self._chars + len(line) > MAX_PENDING_CHARS:
            self._left_out += 1
            return
        self._chars += len(line)
        self._pending.append((level, line))

    def take(self) -> list[types.LoggingMessageNotification]:
        """What is to be sent now: one for all that follows on each other at the same level."""
        if self._left_out:
            self._pending.append(("warning", f"({self._left_out} more left out: the result has what is printed)"))
        pending, self._pending = self._pending, []
        self._chars = self._left_out = 0
        return [
            types.LoggingMessageNotification(
                params=types.LoggingMessageNotificationParams(
                    level=level, logger=LOGGER, data="\n".join(line for _, line in lines)
                )
            )
            for level, lines in groupby(pending, key=_level)
        ]


def level_of(what: RunEvent) -> types.LoggingLevel:
    """How severe: what fails or goes to stderr is a warning, what happens on the way to a result is for debugging."""
    match what:
        case Printed(stream="stderr"):
            return "warning"
        case Printed():
            return "info"
        case CallRecord():
            return "info" if what.outcome == "ok" else "warning"
        case CallProgress():
            return "debug"


def _level(pending: tuple[types.LoggingLevel, str]) -> types.LoggingLevel:
    return pending[0]
