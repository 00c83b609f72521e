"""The errors between guest, host and downstream servers. Imports nothing of ours.

Each error has its facts as attributes. `guest_type` names the exception that the guest runtime raises instead;
`guest/runtime/codeact_guest/errors.py` defines those exceptions.
"""

from typing import ClassVar


class BridgeError(Exception):
    """A call from the guest failed. The run can continue."""

    guest_type: ClassVar[str] = "BridgeError"

    def facts(self) -> dict[str, str]:
        """The attributes of the guest's exception, besides its message."""
        return {}


class ToolError(BridgeError):
    """A tool could not be called, or failed."""

    guest_type = "ToolError"

    def __init__(self, server: str, tool: str, reason: str) -> None:
        super().__init__(f"{server}.{tool}: {reason}" if server else f"{tool}: {reason}")
        self.server, self.tool, self.reason = server, tool, reason

    def facts(self) -> dict[str, str]:
        return {"server": self.server, "tool": self.tool, "reason": self.reason}


class DownstreamFailed(ToolError):
    """A downstream server answered with an error, or did not answer."""


class CallTimedOut(ToolError):
    """A downstream server did not answer within the call timeout."""

    guest_type = "ToolTimeout"


class UnknownTool(ToolError):
    """There is no tool of that name. The reason names similar ones."""

    guest_type = "UnknownTool"


class BadArguments(ToolError):
    """The arguments do not match the tool's schema. Nothing was sent."""

    guest_type = "ToolArgumentError"


class ToolDenied(ToolError):
    """The call is not allowed. `why` is the reason without the advice on what would allow it."""

    guest_type = "ToolDenied"

    def __init__(self, server: str, tool: str, why: str, *, advice: str = "", asked_again: bool = False) -> None:
        """`asked_again`: a person is asked again when the call is made again. Otherwise, it is denied again."""
        super().__init__(server, tool, f"{why}. {advice}" if advice else why)
        self.why, self.asked_again = why, asked_again


class BudgetSpent(BridgeError):
    """The run has reached one of its limits."""

    guest_type = "BudgetSpent"

    def __init__(self, what: str, limit: int, setting: str) -> None:
        super().__init__(f"this run has used its {limit:,} {what} (setting {setting})")
        self.what, self.limit, self.setting = what, limit, setting


class BadGuestCall(BridgeError):
    """The guest called an unknown operation, or sent arguments that cannot be parsed."""

    guest_type = "TypeError"


class NotAllowed(BridgeError):
    """No rule of the operator allows this request. `rule` is one that would."""

    guest_type = "PermissionError"

    def __init__(self, reason: str, rule: str) -> None:
        super().__init__(reason)
        self.reason, self.rule = reason, rule


class BadRequest(BridgeError):
    """No rule could allow this request: its URL or a header is not safe to send."""

    guest_type = "InvalidRequest"

    def __init__(self, reason: str, request: str = "") -> None:
        super().__init__(f"{request}: {reason}" if request else reason)
        self.request, self.reason = request, reason


class HttpFailed(BridgeError):
    """An allowed request got no complete response."""

    guest_type = "HttpError"

    def __init__(self, request: str, reason: str) -> None:
        super().__init__(f"{request}: {reason}")
        self.request, self.reason = request, reason

    def facts(self) -> dict[str, str]:
        return {"reason": self.reason}


class HttpTimedOut(HttpFailed):
    """An allowed request did not finish in time."""

    guest_type = "HttpTimeout"


class FileRefused(BridgeError):
    """A file operation failed or is not allowed. The guest raises the `OSError` for `errno_name`."""

    guest_type = "OSError"

    def __init__(self, errno_name: str, reason: str, path: str) -> None:
        super().__init__(f"{errno_name}: {reason}: {path!r}")
        self.errno_name, self.reason, self.path = errno_name, reason, path

    def facts(self) -> dict[str, str]:
        return {"errno": self.errno_name, "strerror": self.reason, "filename": self.path}


class SandboxError(Exception):
    """The sandbox failed, not the program. The run is over; the pool replaces the worker."""


class GuestDied(SandboxError):
    """The guest ended: it ran out of memory, it crashed, or its worker broke the protocol."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class EngineUnavailable(SandboxError):
    """The engine cannot run on this machine. The message says why, and what to do."""


class TooBusy(SandboxError):
    """Every worker is busy and the queue is full."""


class UnknownRun(Exception):
    """This client has no run with that handle."""

    def __init__(self, run_id: str) -> None:
        why = "its result was already fetched, or not fetched in time, or the run belongs to another client"
        super().__init__(f"there is no run {run_id[:60]!r}: {why}")
        self.run_id = run_id


class SessionLost(SandboxError):
    """A session's guest has ended, and its variables are lost."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"session {name!r} and its variables are lost: {why}. Pass reset=true to start it again")
        self.name, self.why = name, why
