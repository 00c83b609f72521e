"""What a guest may ask of its files, parsed once. The other side is `guest/runtime/codeact_guest/files.py`."""

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

MAX_OFFSET = 1 << 53
"""Beyond what any file system has, and exact in every JSON reader."""

MAX_AHEAD = 1 << 20
"""Bytes that a guest may ask for along with a file it opens."""

Path: TypeAlias = Annotated[str, Field(max_length=8_000)]
Handle: TypeAlias = Annotated[int, Field(ge=0, lt=1 << 53)]
Offset: TypeAlias = Annotated[int, Field(ge=0, le=MAX_OFFSET)]
Nanoseconds: TypeAlias = Annotated[int, Field(ge=-(1 << 62), le=1 << 62)]


class Call(BaseModel):
    """What every operation takes."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    closed: Annotated[list[Handle], Field(max_length=1_000)] = []
    """Files that the guest has closed since it last asked; telling so alone would cost a round trip."""


class Open(Call):
    """`files.open`."""

    path: Path
    access: Literal["r", "w", "rw"] = "r"
    append: bool = False
    create: bool = False
    exclusive: bool = False
    truncate: bool = False
    ahead: Annotated[int, Field(ge=0, le=MAX_AHEAD)] = 0
    """How many bytes from the beginning come with the answer."""


class Read(Call):
    """`files.read`."""

    handle: Handle
    at: Offset
    length: Annotated[int, Field(ge=0)]


class Write(Call):
    """`files.write`; `at` null is the end of the file. The bytes follow (`session.py`)."""

    handle: Handle
    at: Offset | None


class Truncate(Call):
    """`files.truncate`."""

    handle: Handle
    size: Offset


class OfHandle(Call):
    """`files.fstat`."""

    handle: Handle


class Stat(Call):
    """`files.stat`."""

    path: Path
    follow: bool = True


class List(Call):
    """`files.list`; `after` is the last name of the page before."""

    path: Path
    after: str | None = None


class OfPath(Call):
    """`files.mkdir`, `files.rmdir`, `files.remove`, `files.readlink`."""

    path: Path


class Rename(Call):
    """`files.rename`."""

    path: Path
    target: Path


class SetTimes(Call):
    """`files.utime`; nanoseconds since 1970, or null for now."""

    path: Path
    accessed_ns: Nanoseconds | None
    modified_ns: Nanoseconds | None


class Close(Call):
    """`files.close`: nothing but `closed`."""
