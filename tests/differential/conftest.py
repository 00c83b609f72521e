"""One guest of each engine for all programs."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from lab import Lab, open_lab

from codeact_bridges.sandbox.engine_selection import EngineName


@pytest.fixture(scope="session", params=["wasmtime", pytest.param("hyperlight", marks=pytest.mark.hyperlight)])
async def lab(request: pytest.FixtureRequest, guest_cache: Path) -> AsyncGenerator[Lab]:
    engine: EngineName = request.param
    async with open_lab(engine, guest_cache) as lab:
        yield lab
