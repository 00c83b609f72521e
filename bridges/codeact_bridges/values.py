"""The values that cross between the parts. Frozen, made at the door, never checked again. Imports nothing of ours."""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
"""Anything JSON can say."""


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
    """A resource that a downstream server offers but has not sent."""

    uri: str
    name: str
    mime_type: str | None = None
    server: str = ""
    """Whose it is: who can be asked for it."""


@dataclass(frozen=True, slots=True)
class ToolParts:
    """Several values that came as one result, in order."""

    parts: tuple[Data | Media | Link, ...]


ToolValue: TypeAlias = Data | Media | Link | ToolParts
"""What a tool call gives the program, unwrapped."""


ValueForm: TypeAlias = Literal["json", "text", "repr"]
"""JSON text; a text of several lines as it reads; the `repr` of what JSON cannot say."""


@dataclass(frozen=True, slots=True)
class Value:
    """What the program's last expression gave."""

    form: ValueForm
    text: str
    cut_bytes: int = 0
    """How many bytes of the text were left out."""


@dataclass(frozen=True, slots=True)
class Printed:
    """A piece of what the program printed."""

    stream: Literal["stdout", "stderr"]
    text: str


@dataclass(frozen=True, slots=True)
class Output:
    """Everything printed, in order, up to the limit."""

    pieces: tuple[Printed, ...] = ()
    cut_bytes: int = 0
    """How many bytes were printed beyond the limit and left out."""


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One tool call a run made: for the client after a failure, and for `demo`."""

    tool: str
    outcome: Literal["ok", "error", "unfinished"]
    started_s: float
    """Seconds since the run began."""
    duration_s: float
    error: str | None = None
    decision: str = "allow"
    """What the policy, and then perhaps a person, said to it."""
    arguments: str = ""
    """The beginning of what the guest sent, JSON text; not shown to clients."""
    sha256: str = ""
    """Of all that the guest sent."""
    bytes: int = 0
    """Of its result."""
    read_only: bool = False
    """The tool says that it only reads."""
    sent: bool = False
    """It was found, fits its schema, is allowed, and went to its server: it may have had effects."""


@dataclass(frozen=True, slots=True)
class CallProgress:
    """How far a tool call has come, as its server says."""

    tool: str
    progress: float
    total: float | None
    message: str
    """Bounded; empty where the server says nothing."""


@dataclass(frozen=True, slots=True)
class AccessRecord:
    """One use of a file or a host, allowed or not."""

    what: str
    """As `read /data/a.csv` or `GET https://api.example.com/x`, bounded."""
    decision: Literal["allow", "deny"]
    rule: str
    """The configuration's rule that decided, or the one that would be needed."""
    bytes: int
    at_s: float
    """Seconds on the event loop's clock."""
    duration_s: float


@dataclass(frozen=True, slots=True)
class ProducedFile:
    """A file that the run made or changed under a mount that it may write to."""

    path: str
    """As the guest knows it."""
    uri: str
    """Where it is on this machine, as `file:///…`."""
    size_bytes: int
    mime_type: str
    base64: str | None = None
    """The content of images and small texts; the others stay where they are."""


@dataclass(frozen=True, slots=True)
class ResultLink:
    """Something that was too long for the client and is kept for it."""

    uri: str
    what: str
    mime_type: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a run did not end well."""

    kind: Literal["raised", "exited", "deadline", "cancelled", "died", "refused", "internal"]
    message: str
    """For the model to read: a traceback, or a sentence."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """All that is left of a run when it is over."""

    engine: str
    """`wasmtime` or `hyperlight`."""
    isolation: str
    """What stands between the guest and this machine, in words that are true."""
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
