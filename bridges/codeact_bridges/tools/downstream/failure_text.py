"""Texts for downstream failures, for the program and the operator: bounded, without traceback, URL or secret."""

from typing import cast

import httpx2
from mcp import MCPError
from mcp.types import CONNECTION_CLOSED
from pydantic import ValidationError

from codeact_bridges.text import lines, one_line

MAX_REASON = 1_000


def failure_text(exc: BaseException, detail: str | None = None) -> str:
    """The text for `exc`, with `detail` from the transport in parentheses."""
    reason = _reason(_innermost(exc))
    return lines(f"{reason} ({detail})" if detail else reason, MAX_REASON)


def is_connection_closed(exc: BaseException) -> bool:
    """Whether `exc` means that the server closed the connection."""
    inner = _innermost(exc)
    return isinstance(inner, MCPError) and inner.code == CONNECTION_CLOSED


def _reason(exc: BaseException) -> str:
    match exc:
        case MCPError() if exc.code == CONNECTION_CLOSED and exc.message == "Connection closed":
            return "the server closed the connection"
        case MCPError():
            return exc.message or f"error {exc.code}"
        case ValidationError():
            first = exc.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(step) for step in first["loc"][:8])
            return one_line(f"its response violates the protocol: {where}: {first['msg']}", MAX_REASON)
        case httpx2.HTTPStatusError():
            return f"HTTP {exc.response.status_code}"
        case httpx2.ConnectError():
            return "cannot connect to its address"
        case httpx2.HTTPError():
            return f"the HTTP connection failed: {type(exc).__name__}"
        case FileNotFoundError():
            return f"the command {exc.filename!r} does not exist"
        case PermissionError():
            return f"no permission to run the command {exc.filename!r}"
        case _:
            return one_line(str(exc), MAX_REASON) or type(exc).__name__


def _innermost(exc: BaseException) -> BaseException:
    """The first exception in nested groups: task groups wrap a single error in groups."""
    while isinstance(exc, BaseExceptionGroup):
        exc = cast("BaseExceptionGroup[BaseException]", exc).exceptions[0]
    return exc
