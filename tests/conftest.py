"""What all tests share."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from micro_vm import why_no_micro_vm
from served import Commands

NOT_TESTED = pytest.StashKey[tuple[int, str]]()


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what needs a micro-VM where none starts, which `pytest_terminal_summary` then says loudly."""
    marked = [item for item in items if item.get_closest_marker("hyperlight")]
    if not marked:
        return
    why = why_no_micro_vm()
    if why is not None:
        config.stash[NOT_TESTED] = (len(marked), why)
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="no micro-VM starts on this machine"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what a green result does not cover."""
    if NOT_TESTED not in config.stash:
        return
    count, why = config.stash[NOT_TESTED]
    terminalreporter.section("HYPERLIGHT WAS NOT TESTED", "!", red=True, bold=True)
    terminalreporter.line(f"{count} tests were skipped: {why}")
    terminalreporter.line("They run in a virtual machine with: python tests/hyperlight_vm/vm.py test")


@pytest.fixture(scope="session")
def guest_cache(request: pytest.FixtureRequest) -> Path:
    """Where the compiled guest stays from one test session to the next: compiling takes 10 s."""
    cache = request.config.cache
    assert cache is not None
    return cache.mkdir("codeact-mcp")


@pytest.fixture(scope="session")
def environment(guest_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """What a client gives a server: next to nothing. The guest is compiled when a test gets it."""
    home = tmp_path_factory.mktemp("home")
    environment = {"HOME": str(home), "PATH": "/usr/bin:/bin", "XDG_CACHE_HOME": str(guest_cache)}
    done = Commands(home, environment).run("run", "-", stdin="6 * 7")
    assert done.stdout == "42\n", done.stderr
    return environment


@pytest.fixture
def commands(tmp_path: Path, environment: Mapping[str, str]) -> Commands:
    return Commands(tmp_path, environment)
