"""Mounts for every hostile test, on both ways to resolve a path."""

from collections.abc import Generator
from pathlib import Path

import pytest
from mounted import Mounted, mounted_below

from codeact_bridges.files import safe_open as beneath


@pytest.fixture(params=["openat2", "walk"])
def mounted(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Mounted]:
    """With the system call where this kernel has it, and with the walk that stands in for it elsewhere."""
    if request.param == "walk":
        monkeypatch.setattr(beneath, "has_openat2", lambda: False)
    elif not beneath.has_openat2():
        pytest.skip("this kernel has no openat2")
    with mounted_below(tmp_path) as mounted:
        yield mounted
