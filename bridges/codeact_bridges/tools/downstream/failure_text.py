"""Why something failed downstream, in words for the program and the operator: bounded, without traceback, URL or
secret."""

from typing import cast

import httpx2
from mcp import MCPError
from mcp.types import CONNECTION_CLOSED
from pydantic import ValidationError

from codeact_bridges.text import lines, one_line

MAX_REASON = 1_000


def failure_text(exc: BaseException, detail: str | None = None) -> str:
    """What `exc` means. `detail` is what the transport knows besides."""
    reason = _reason(_innermost(exc))
    return lines(f"{reason} ({detail})" if detail else reason, MAX_REASON)


def is_connection_closed(exc: BaseException) -> bool:
    """Whether the server closed the connection, rather than answered, hung or could not be reached."""
    inner = _innermost(exc)
    return isinstance(inner, MCPError) and inner.code == CONNECTION_CLOSED


def _reason(exc: BaseException) -> str:
    match exc:
        case MCPError() if exc.code == CONNECTION_CLOSED and exc.message == "Connection closed":
            return "it closed the connection"
        case MCPError():
            return exc.message or f"error {exc.code}"
        case ValidationError():
            first = exc.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(step) for step in first["loc"][:8])
            return one_line(f"its answer does not follow the protocol: {where}: {first['msg']}", MAX_REASON)
        case httpx2.HTTPStatusError():
            return f"HTTP {exc.response.status_code}"
        case httpx2.ConnectError():
            return "nothing can be reached at its address"
        case httpx2.HTTPError():
            return f"the HTTP connection failed: {type(exc).__name__}"
        case FileNotFoundError():
            return f"there is no {exc.filename!r} to start"
        case PermissionError():
            return f"no permission to start {exc.filename!r}"
        case _:
            return one_line(str(exc), MAX_REASON) or type(exc).__name__


def _innermost(exc: BaseException) -> BaseException:
    """The first cause in groups of groups, which is what task groups make of one error."""
    while isinstance(exc, BaseExceptionGroup):
        exc = cast("BaseExceptionGroup[BaseException]", exc).exceptions[0]
    return exc
