"""The values that cross boundaries between modules. Frozen, validated where they enter, never checked again.

Imports nothing of ours.
"""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
"""Any JSON value."""


@dataclass(frozen=True, slots=True)
class Data:
    """A plain value."""

    value: JsonValue
    json: str | None = field(default=None, compare=False, repr=False)
    """The value as JSON text, where that has been made already."""


@dataclass(frozen=True, slots=True)
class Media:
    """An image, a sound or a file's content, as base64 text."""

    kind: Literal["image", "audio", "resource"]
    mime_type: str
    base64: str
    uri: str | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """A resource that a downstream server has named but not sent."""

    uri: str
    name: str
    mime_type: str | None = None
    server: str = ""
    """The downstream server that can read it."""


@dataclass(frozen=True, slots=True)
class ToolParts:
    """The values of one result, in order."""

    parts: tuple[Data | Media | Link, ...]


ToolValue: TypeAlias = Data | Media | Link | ToolParts
"""The result of a tool call, as the program gets it."""


ValueForm: TypeAlias = Literal["json", "text", "repr"]
"""JSON; a text of several lines, unquoted; or the `repr` of a value that is not JSON-serializable."""


@dataclass(frozen=True, slots=True)
class Value:
    """The value of the program's last expression."""

    form: ValueForm
    text: str
    """The whole text, or its beginning."""
    cut_bytes: int = 0
    """Number of bytes left out between `text` and `tail`."""
    tail: str = ""
    """The end of the text, if it was cut."""
    stored: bool = False
    """The whole is stored because it was cut, and one of the run's links leads to it."""


@dataclass(frozen=True, slots=True)
class Printed:
    """A piece of the program's output."""

    stream: Literal["stdout", "stderr"]
    text: str


@dataclass(frozen=True, slots=True)
class Output:
    """The program's output in order."""

    pieces: tuple[Printed, ...] = ()
    """All of it, or its beginning."""
    cut_bytes: int = 0
    """Number of bytes left out between `pieces` and `tail`."""
    tail: tuple[Printed, ...] = ()
    """The end of the output, if it was cut."""
    stored: bool = False
    """The whole is stored because it was cut, and one of the run's links leads to it."""


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One tool call of a run: for the client after a failure, and for `demo`."""

    tool: str
    outcome: Literal["ok", "error", "unfinished"]
    started_s: float
    """Seconds since the run began."""
    duration_s: float
    error: str | None = None
    decision: str = "allow"
    """The decision of the policy, and of a person if one was asked."""
    asked_again: bool = False
    """The call was denied, and a person is asked again when it is made again."""
    arguments: str = ""
    """The beginning of the arguments that the guest sent, as JSON; not shown to clients."""
    sha256: str = ""
    """Of the whole arguments that the guest sent."""
    bytes: int = 0
    """Size of the result."""
    read_only: bool = False
    """The server declares the tool read-only."""
    sent: bool = False
    """The call was valid and allowed, and was sent to the server: it may have had effects."""


@dataclass(frozen=True, slots=True)
class CallProgress:
    """The progress of a tool call, as its server reports it."""

    tool: str
    progress: float
    total: float | None
    message: str
    """Bounded; empty if the server sends none."""


@dataclass(frozen=True, slots=True)
class Preparing:
    """The program has not begun: the sandbox is being prepared on this machine, which takes long once."""


@dataclass(frozen=True, slots=True)
class AccessRecord:
    """One access to a file or a host, allowed or denied."""

    what: str
    """For example `read /data/a.csv` or `GET https://api.example.com/x`; bounded."""
    decision: Literal["allow", "deny"]
    rule: str
    """The configured rule that decided, or the rule that would be needed."""
    bytes: int
    at_s: float
    """Seconds on the event loop's clock."""
    duration_s: float


@dataclass(frozen=True, slots=True)
class ProducedFile:
    """A file that the run created or changed under a writable mount."""

    path: str
    """As the guest sees it."""
    uri: str
    """Its location on this machine, as `file:///…`."""
    size_bytes: int
    mime_type: str
    base64: str | None = None
    """The content of images and small texts; None for other files."""


@dataclass(frozen=True, slots=True)
class ResultLink:
    """A stored result that was too long for the client."""

    uri: str
    what: str
    mime_type: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a run failed."""

    kind: Literal["raised", "exited", "deadline", "cancelled", "died", "refused", "internal"]
    message: str
    """For the model: a traceback or a sentence."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """The result of a finished run."""

    engine: str
    """`wasmtime` or `hyperlight`."""
    isolation: str
    """The isolation between the guest and this machine, as it is shown to clients."""
    duration_s: float
    output: Output = field(default_factory=Output)
    value: Value | None = None
    displayed: tuple[Value | Media, ...] = ()
    calls: tuple[CallRecord, ...] = ()
    accesses: tuple[AccessRecord, ...] = ()
    produced: tuple[ProducedFile, ...] = ()
    stored: tuple[ResultLink, ...] = ()
    session: str | None = None
    session_state: Literal["began empty", "went on", "lost"] = "went on"
    failure: Failure | None = None
