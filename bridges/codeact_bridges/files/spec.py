"""An entry of `codeact.files`, as written in the configuration file."""

from pathlib import Path
from typing import Annotated, TypeAlias

from pydantic import BaseModel, BeforeValidator, Field

from codeact_bridges.files.mounts import Mode, Mount, byte_size, mount

MAX_MOUNTS = 100


def _size(value: object) -> object:
    return byte_size(value) if isinstance(value, str) else value


Size: TypeAlias = Annotated[int, BeforeValidator(_size), Field(ge=1, lt=1 << 60)]
"""A number of bytes, or text like `200MB` or `1 GiB`."""


class FolderSpec(BaseModel, extra="forbid", frozen=True):
    """A folder that programs may use. Its key is the guest's path (`codeact.files."/data"`)."""

    path: str | None = Field(default=None, min_length=1, max_length=4_000)
    """The folder on this machine, relative to the configuration file's folder. None for `temp`."""

    mode: Mode = "ro"
    """`ro`: read. `rw`: read and write. `temp`: in memory, and gone with the run."""

    max_bytes: Size | None = None
    """Most bytes in the folder, including what is there already. By default 1 GB for `rw` and 64 MB for `temp`."""

    max_files: int | None = Field(default=None, ge=1, le=10_000_000)
    """Most files and folders in the folder, including those there already. By default 10,000."""

    def mount(self, guest: str, path: Path | None) -> Mount:
        """The checked mount; `path` is `self.path`, expanded. Raises `BadMount`."""
        return mount(guest, self.mode, path, self.max_bytes, self.max_files)
