"""A line of `codeact.files`, as the configuration file has it."""

from pathlib import Path
from typing import Annotated, TypeAlias

from pydantic import BaseModel, BeforeValidator, Field

from codeact_bridges.files.mounts import Mode, Mount, byte_size, mount

MAX_MOUNTS = 100


def _size(value: object) -> object:
    return byte_size(value) if isinstance(value, str) else value


Size: TypeAlias = Annotated[int, BeforeValidator(_size), Field(ge=1, lt=1 << 60)]
"""A number of bytes, or a text like `200MB` or `1 GiB`."""


class FolderSpec(BaseModel, extra="forbid", frozen=True):
    """A folder that programs may use, by the name they find it under (`codeact.files."/data"`)."""

    path: str | None = Field(default=None, min_length=1, max_length=4_000)
    """The folder on this machine; relative ones start beside the configuration file. None for `temp`."""

    mode: Mode = "ro"
    """`ro`: read. `rw`: read and write. `temp`: in memory, and gone with the run."""

    max_bytes: Size | None = None
    """How much there may be under it, everything counted. By default 1 GB for `rw` and 64 MB for `temp`."""

    max_files: int | None = Field(default=None, ge=1, le=10_000_000)
    """How many files and folders there may be under it. By default 10,000."""

    def mount(self, guest: str, path: Path | None) -> Mount:
        """What comes of it, with the path expanded. Raises `BadMount`."""
        return mount(guest, self.mode, path, self.max_bytes, self.max_files)
