"""What can go wrong between guest, host and downstream servers. Imports nothing of ours.

Each error is a fact with its parts as attributes. `guest_type` names the exception that the guest runtime
raises in its place; the classes of these names live in `guest/runtime/errors.py`.
"""

from typing import ClassVar


class BridgeError(Exception):
    """A call from the guest was not answered with a value. Still usable: the run."""

    guest_type: ClassVar[str] = "BridgeError"

    def facts(self) -> dict[str, str]:
        """What the guest's exception carries as attributes, besides its message."""
        return {}


class ToolError(BridgeError):
    """A downstream tool could not be called, or failed."""

    guest_type = "ToolError"

    def __init__(self, server: str, tool: str, reason: str) -> None:
        super().__init__(f"{server}.{tool}: {reason}" if server else f"{tool}: {reason}")
        self.server, self.tool, self.reason = server, tool, reason

    def facts(self) -> dict[str, str]:
        return {"server": self.server, "tool": self.tool, "reason": self.reason}


class DownstreamFailed(ToolError):
    """A downstream server answered with an error, or not at all."""


class CallTimedOut(ToolError):
    """A downstream server did not answer within the call timeout."""

    guest_type = "ToolTimeout"


class UnknownTool(ToolError):
    """No tool of that name; the reason names the nearest ones."""

    guest_type = "UnknownTool"


class BadArguments(ToolError):
    """The arguments do not fit the tool's schema; nothing was sent."""

    guest_type = "ToolArgumentError"


class ToolDenied(ToolError):
    """The operator's policy, or the user, said no."""

    guest_type = "ToolDenied"


class BudgetSpent(BridgeError):
    """The run has used up one of its limits."""

    guest_type = "BudgetSpent"

    def __init__(self, what: str, limit: int, setting: str) -> None:
        super().__init__(f"this run has used its {limit:,} {what} (setting {setting})")
        self.what, self.limit, self.setting = what, limit, setting


class BadGuestCall(BridgeError):
    """The guest asked for something that does not exist, or in a form that cannot be read."""

    guest_type = "TypeError"


class NotAllowed(BridgeError):
    """No rule of the operator's allows this request; says which one would."""

    guest_type = "PermissionError"

    def __init__(self, reason: str, rule: str) -> None:
        super().__init__(reason)
        self.reason, self.rule = reason, rule


class BadRequest(BridgeError):
    """A request that no rule could allow: a URL or a header that is not safe to send."""

    guest_type = "InvalidRequest"

    def __init__(self, reason: str, request: str = "") -> None:
        super().__init__(f"{request}: {reason}" if request else reason)
        self.request, self.reason = request, reason


class HttpFailed(BridgeError):
    """An allowed request that got no whole answer."""

    guest_type = "HttpError"

    def __init__(self, request: str, reason: str) -> None:
        super().__init__(f"{request}: {reason}")
        self.request, self.reason = request, reason

    def facts(self) -> dict[str, str]:
        return {"reason": self.reason}


class HttpTimedOut(HttpFailed):
    """An allowed request that was not over in time."""

    guest_type = "HttpTimeout"


class FileRefused(BridgeError):
    """A file operation failed or is not allowed. The guest raises the `OSError` of this name: `FileNotFoundError` …"""

    guest_type = "OSError"

    def __init__(self, errno_name: str, reason: str, path: str) -> None:
        super().__init__(f"{errno_name}: {reason}: {path!r}")
        self.errno_name, self.reason, self.path = errno_name, reason, path

    def facts(self) -> dict[str, str]:
        return {"errno": self.errno_name, "strerror": self.reason, "filename": self.path}


class SandboxError(Exception):
    """The sandbox, not the program, failed. The run is over; the pool replaces the worker."""


class GuestDied(SandboxError):
    """The guest is gone: out of memory, crashed, or its worker broke the protocol."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class EngineUnavailable(SandboxError):
    """The engine cannot run on this machine; says why and what to do."""


class TooBusy(SandboxError):
    """Every worker is taken and the queue is full."""


class UnknownRun(Exception):
    """No run of that handle, for this client."""

    def __init__(self, run_id: str) -> None:
        why = "its result was fetched already, it was not fetched in time, or it is another client's"
        super().__init__(f"there is no run {run_id[:60]!r}: {why}")
        self.run_id = run_id


class SessionLost(SandboxError):
    """A session's guest is gone, with all its variables."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(
            f"session {name!r} is lost, and its variables with it: {why}. Pass reset=true to begin it anew"
        )
        self.name, self.why = name, why
