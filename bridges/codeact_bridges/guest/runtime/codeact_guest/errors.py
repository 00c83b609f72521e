"""The exceptions that a program may catch, made from the host's errors. Their names are the host's `guest_type`s."""

import errno


class BridgeError(Exception):
    """The host could not do what the program requested."""


class ToolError(BridgeError):
    """A tool call failed: `.server`, `.tool`, `.reason`."""

    server: str = ""
    tool: str = ""
    reason: str = ""


class UnknownTool(ToolError, LookupError):
    """No tool has that name."""


class ToolArgumentError(ToolError, TypeError):
    """The arguments do not match the tool's parameters."""


class ToolDenied(ToolError, PermissionError):
    """The operator or the user does not allow this call."""


class ToolTimeout(ToolError, TimeoutError):
    """The tool did not answer in time."""


class BudgetSpent(BridgeError):
    """The run has reached one of its limits."""


class HttpError(BridgeError, OSError):
    """An HTTP request got no complete response: `.reason`. `raise_for_status()` raises `HttpStatusError` instead."""

    reason: str = ""


class HttpTimeout(HttpError, TimeoutError):
    """The HTTP request did not finish in time."""


class HttpStatusError(HttpError):
    """The response's status is 400 or more: `.response`."""

    response: object = None


class InvalidRequest(PermissionError, ValueError):
    """The URL or a header is not safe to send, so no rule can allow the request."""


PUBLIC = (
    BridgeError,
    ToolError,
    UnknownTool,
    ToolArgumentError,
    ToolDenied,
    ToolTimeout,
    BudgetSpent,
    HttpError,
    HttpTimeout,
    HttpStatusError,
    InvalidRequest,
)

for _class in PUBLIC:
    _class.__module__ = "builtins"  # tracebacks then show `ToolError: …`, the name that a program uses

_BY_NAME: dict[str, type[Exception]] = {each.__name__: each for each in PUBLIC}
_BY_NAME |= {"TypeError": TypeError, "ValueError": ValueError, "PermissionError": PermissionError}


def from_host(error: dict[str, object]) -> Exception:
    """Make the exception for one of the host's error objects."""
    facts = error.get("facts")
    if error.get("type") == "OSError":
        return os_error_from_host(facts)
    raised = _BY_NAME.get(str(error.get("type")), BridgeError)(str(error.get("message")))
    if isinstance(facts, dict):
        for name, value in facts.items():
            setattr(raised, str(name), value)
    return raised


class Denied(PermissionError):
    """A `PermissionError` whose text omits the error number: here EACCES is 2, elsewhere "no such file"."""

    def __str__(self) -> str:
        return self.strerror if self.filename is None else f"{self.filename!r}: {self.strerror}"


Denied.__name__ = Denied.__qualname__ = "PermissionError"
Denied.__module__ = "builtins"


def denied(sentence: str, path: object) -> PermissionError:
    """Make the error for an access that the configuration or a safety rule forbids."""
    return Denied(errno.EACCES, sentence) if path is None else Denied(errno.EACCES, sentence, path)


def os_error_from_host(facts: dict[str, str]) -> OSError:
    """Make the `OSError` for the host's `FileRefused`."""
    code = getattr(errno, facts["errno"], errno.EIO)
    path = facts["filename"] or None
    if code == errno.EACCES:
        return denied(facts["strerror"], path)
    return OSError(code, facts["strerror"], path) if path is not None else OSError(code, facts["strerror"])
