"""Mounts for every hostile test, with both ways to resolve a path."""

from collections.abc import Generator
from pathlib import Path

import pytest
from mounted import Mounted, mounted_below

from codeact_bridges.files import safe_open


@pytest.fixture(params=["openat2", "walk"])
def mounted(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Mounted]:
    """Once with `openat2`, where this kernel has it, and once with the walk that replaces it elsewhere."""
    if request.param == "walk":
        monkeypatch.setattr(safe_open, "has_openat2", lambda: False)
    elif not safe_open.has_openat2():
        pytest.skip("this kernel has no openat2")
    with mounted_below(tmp_path) as mounted:
        yield mounted
