"""What a guest may request of its host, parsed once: JSON text in, a frozen value out, or `BadGuestCall`.

The other side is `guest/runtime`.
"""

import math
from dataclasses import dataclass
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from codeact_bridges.errors import BadGuestCall
from codeact_bridges.values import ValueForm

MAX_VALUES = 500_000
"""Values in one message, counted by its brackets and commas: a million take a second and 100 MB to parse."""


class _Call(BaseModel):
    """The arguments of one operation."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CallTool(_Call):
    """`tools.call`."""

    tool: Annotated[str, Field(max_length=1_000)]
    arguments: dict[str, JsonValue]
    line: int | None = None
    """The program's line that makes the call, as the guest claims. It is shown, and never trusted."""


class ReadResource(_Call):
    """`tools.read_resource`."""

    server: Annotated[str, Field(max_length=200)]
    uri: Annotated[str, Field(max_length=8_000)]


class SearchTools(_Call):
    """`tools.search`."""

    query: Annotated[str, Field(max_length=1_000)]
    server: Annotated[str, Field(max_length=200)] | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 10


class DescribeTool(_Call):
    """`tools.describe`."""

    name: Annotated[str, Field(max_length=1_000)]


class ListTools(_Call):
    """`tools.list`."""

    server: Annotated[str, Field(max_length=200)] | None = None


class Sleep(_Call):
    """`clock.sleep`."""

    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Wait(_Call):
    """`async.wait`."""

    timeout_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None


class Cancel(_Call):
    """`async.cancel`."""

    id: int


class GetModule(_Call):
    """`modules.get`."""

    name: Annotated[str, Field(max_length=500)]
    magic: Annotated[str, Field(max_length=20)]
    """The guest's `importlib.util.MAGIC_NUMBER`, in hexadecimal digits."""


class ReadModuleData(_Call):
    """`modules.data` and `modules.list`."""

    path: Annotated[str, Field(max_length=2_000)]


class DisplayValue(_Call):
    """`display.value`."""

    form: ValueForm
    text: str


class DisplayMedia(_Call):
    """`display.media`."""

    kind: Literal["image", "audio", "resource"]
    mime_type: Annotated[str, Field(max_length=200, pattern=r"^[\w.+-]+/[\w.+-]+(;.*)?$")]
    base64: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]*={0,2}$")]


class Request(_Call):
    """`network.request`."""

    method: Annotated[str, Field(max_length=100)]
    url: Annotated[str, Field(max_length=100_000)]
    headers: Annotated[list[tuple[str, str]], Field(max_length=1_000)] = []
    text: str | None = None
    """The body, as UTF-8; or else `base64`."""
    base64: str | None = None
    timeout_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None


class MoreOfResponse(_Call):
    """`network.read` and `network.close`."""

    id: int


class Outcome(BaseModel, extra="forbid", frozen=True):
    """What the guest gives to `run.end`."""

    kind: Literal["returned", "exited", "raised"]
    form: ValueForm = "json"
    text: str | None = None
    code: int = 0
    traceback: str = ""


@dataclass(frozen=True, slots=True)
class Submit:
    """`async.submit`: an operation to start now, whose end is fetched later."""

    id: int
    operation: str
    text: str
    """Its arguments, as JSON text."""


def parse_submit(text: str) -> Submit:
    """Parse `ID OPERATION`, a line feed and the operation's arguments, which stay text so that they are parsed once.

    Raises:
        BadGuestCall: it is not of that form.
    """
    head, _, arguments = text.partition("\n")
    number, _, operation = head.partition(" ")
    if not (number.isascii() and number.isdigit() and len(number) <= 16):
        raise BadGuestCall("async.submit: it begins with a number, a space and the operation")
    return Submit(int(number), operation, arguments)


_CallT = TypeVar("_CallT", bound=BaseModel)


def parse_tool_call(text: str) -> CallTool:
    """Parse the arguments of `tools.call`.

    Raises:
        BadGuestCall: they are not of that form, or hold a number that is not finite, which JSON cannot carry.
    """
    call = parse(CallTool, "call_tool", text)
    if _has_infinite(call.arguments):  # pydantic reads `NaN`, `Infinity` and `1e999`
        raise BadGuestCall("call_tool: an argument holds NaN, an infinity or a number too large for a float")
    return call


def _has_infinite(value: JsonValue) -> bool:
    match value:
        case float():
            return not math.isfinite(value)
        case dict():
            return any(map(_has_infinite, value.values()))
        case list():
            return any(map(_has_infinite, value))
        case _:
            return False


def parse(model: type[_CallT], operation: str, text: str) -> _CallT:
    """Parse an operation's arguments.

    Raises:
        BadGuestCall: they do not have the model's form; it names the first mistake.
    """
    if len(text) > MAX_VALUES and sum(map(text.count, "[{,")) > MAX_VALUES:
        raise BadGuestCall(f"{operation}: over {MAX_VALUES:,} values in one message; send fewer, or one text")
    try:
        return model.model_validate_json(text)
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadGuestCall(f"{operation}: {where + ': ' if where else ''}{first['msg']}") from None
