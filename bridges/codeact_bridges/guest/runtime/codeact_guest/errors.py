"""The exceptions that a program may catch. Their names are the `guest_type`s of the host's errors."""

import errno


class BridgeError(Exception):
    """The host could not do what the program asked for."""


class ToolError(BridgeError):
    """A tool call failed: `.server`, `.tool`, `.reason`."""

    server: str = ""
    tool: str = ""
    reason: str = ""


class UnknownTool(ToolError, LookupError):
    """There is no tool of that name."""


class ToolArgumentError(ToolError, TypeError):
    """The arguments do not fit the tool."""


class ToolDenied(ToolError, PermissionError):
    """The operator or the user does not allow this call."""


class ToolTimeout(ToolError, TimeoutError):
    """The tool did not answer in time."""


class BudgetSpent(BridgeError):
    """The run has used up one of its limits."""


class HttpError(BridgeError, OSError):
    """An HTTP request got no whole answer: `.reason`. `raise_for_status()` raises `HttpStatusError` instead."""

    reason: str = ""


class HttpTimeout(HttpError, TimeoutError):
    """The HTTP request was not over in time."""


class HttpStatusError(HttpError):
    """The answer's status is 400 or more: `.response`."""

    response: object = None


class InvalidRequest(PermissionError, ValueError):
    """No rule could allow this request: its URL or a header is not safe to send."""


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
    _class.__module__ = "builtins"  # tracebacks then say `ToolError: …`, the name that a program uses

_BY_NAME: dict[str, type[Exception]] = {each.__name__: each for each in PUBLIC}
_BY_NAME |= {"TypeError": TypeError, "ValueError": ValueError, "PermissionError": PermissionError}


def from_host(error: dict[str, object]) -> Exception:
    """The exception for an error object of the host's."""
    facts = error.get("facts")
    if error.get("type") == "OSError":
        return os_error_from_host(facts)
    raised = _BY_NAME.get(str(error.get("type")), BridgeError)(str(error.get("message")))
    if isinstance(facts, dict):
        for name, value in facts.items():
            setattr(raised, str(name), value)
    return raised


class Denied(PermissionError):
    """A `PermissionError` without its number in the text: it is 2 in here, in which everybody reads "no such file"."""

    def __str__(self) -> str:
        return self.strerror if self.filename is None else f"{self.filename!r}: {self.strerror}"


def denied(sentence: str, path: object) -> PermissionError:
    """A refusal by the operator's configuration, or for safety's sake."""
    return Denied(errno.EACCES, sentence) if path is None else Denied(errno.EACCES, sentence, path)


def os_error_from_host(facts: dict[str, str]) -> OSError:
    """The host's `FileRefused`."""
    code = getattr(errno, facts["errno"], errno.EIO)
    path = facts["filename"] or None
    if code == errno.EACCES:
        return denied(facts["strerror"], path)
    return OSError(code, facts["strerror"], path) if path is not None else OSError(code, facts["strerror"])
