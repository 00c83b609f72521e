"""The arguments of the file operations, parsed once. The guest's side is `guest/runtime/codeact_guest/files/`."""

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

MAX_OFFSET = 1 << 53
"""Larger than any file, and exact in every JSON parser."""

MAX_AHEAD = 1 << 20
"""Bytes of content that may come with the result of `files.open`."""

Path: TypeAlias = Annotated[str, Field(max_length=8_000)]
Handle: TypeAlias = Annotated[int, Field(ge=0, lt=1 << 53)]
Offset: TypeAlias = Annotated[int, Field(ge=0, le=MAX_OFFSET)]
Nanoseconds: TypeAlias = Annotated[int, Field(ge=-(1 << 62), le=1 << 62)]


class FileRequest(BaseModel):
    """The arguments that every operation takes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    closed: Annotated[list[Handle], Field(max_length=1_000)] = []
    """Handles that the guest has closed since its last request. A request of their own would cost a round trip."""


class Open(FileRequest):
    """`files.open`."""

    path: Path
    access: Literal["r", "w", "rw"] = "r"
    append: bool = False
    create: bool = False
    exclusive: bool = False
    truncate: bool = False
    ahead: Annotated[int, Field(ge=0, le=MAX_AHEAD)] = 0
    """How many bytes from the start of the file come with the result."""


class Read(FileRequest):
    """`files.read`."""

    handle: Handle
    at: Offset
    length: Annotated[int, Field(ge=0)]


class Write(FileRequest):
    """`files.write`; `at` null is the end of the file. The bytes follow the arguments (`encoding.py`)."""

    handle: Handle
    at: Offset | None


class Truncate(FileRequest):
    """`files.truncate`."""

    handle: Handle
    size: Offset


class HandleRequest(FileRequest):
    """`files.fstat`."""

    handle: Handle


class Stat(FileRequest):
    """`files.stat`."""

    path: Path
    follow: bool = True


class List(FileRequest):
    """`files.list`; `after` is the last name of the previous page."""

    path: Path
    after: str | None = None


class PathRequest(FileRequest):
    """`files.mkdir`, `files.rmdir`, `files.remove`, `files.readlink`."""

    path: Path


class Rename(FileRequest):
    """`files.rename`."""

    path: Path
    target: Path


class SetTimes(FileRequest):
    """`files.utime`; nanoseconds since 1970, or null for now."""

    path: Path
    accessed_ns: Nanoseconds | None
    modified_ns: Nanoseconds | None


class Close(FileRequest):
    """`files.close`: has only `closed`."""
