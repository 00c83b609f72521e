"""One suite for every engine. To add an engine, add it to `ENGINES`; a mark says where it cannot run."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from lab import Lab, open_lab

from codeact_bridges.sandbox.engine_selection import EngineName

ENGINES = [
    pytest.param("wasmtime", id="wasmtime"),
    pytest.param("hyperlight", id="hyperlight", marks=pytest.mark.hyperlight),
]


@pytest.fixture(scope="session", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> EngineName:
    name: EngineName = request.param
    return name


@pytest.fixture(scope="session")
async def lab(engine: EngineName, guest_cache: Path) -> AsyncGenerator[Lab]:
    async with open_lab(engine, guest_cache) as lab:
        yield lab
