"""What all tests share."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import pytest
from hypothesis import settings
from micro_vm import why_no_micro_vm
from served import Commands

from codeact_bridges.sandbox.component_cache import COMPILE_TIMEOUT_S

settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")  # how long an example takes depends on what else the machine does

HERE = Path(__file__).parent
SLOW = tuple(
    str(HERE / each)
    for each in (
        "bridges/runs/test_encoded_once.py",
        "bridges/sandbox/test_worker_process.py",
        "bridges/tools/credentials/test_oauth.py",
        "bridges/tools/downstream/test_published_servers.py",
        "conformance",
        "differential",
        "e2e",
        "examples",
        "security/files/test_links_swapped_in.py",
        "security/network/test_floods.py",
        "security/network/test_no_url_gets_around_the_rules.py",
        "security/network/test_stalling_servers.py",
        "server/protocol/test_servers_questions.py",
        "server/test_run_states.py",
    )
)
"""Folders and files whose tests are marked `slow`. A single one carries the mark itself."""

SLOW_FIXTURES = {"commands", "environment", "everyday", "hostile", "lab", "serving"}
"""A test that uses one is `slow` too: each starts processes, of servers or of workers with a guest."""

NOT_TESTED = pytest.StashKey[tuple[int, str]]()


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


def pytest_itemcollected(item: pytest.Item) -> None:
    if str(item.path).startswith(SLOW) or not SLOW_FIXTURES.isdisjoint(getattr(item, "fixturenames", ())):
        item.add_marker(pytest.mark.slow)


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
def lasting_folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Makes folders that last from one test session to the next; for one session with `-p no:cacheprovider`."""
    cache: pytest.Cache | None = getattr(request.config, "cache", None)
    return partial(tmp_path_factory.mktemp, numbered=False) if cache is None else cache.mkdir


@pytest.fixture(scope="session")
def guest_cache(lasting_folder: Callable[[str], Path]) -> Path:
    """The folder of the compiled guest, as below a user's cache directory. Compiling takes 10 s."""
    return lasting_folder("codeact-mcp")


@pytest.fixture(scope="session")
def environment(guest_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """What a client gives a server: next to nothing. The guest is compiled when a test gets it."""
    home = tmp_path_factory.mktemp("home")
    environment = {"HOME": str(home), "PATH": "/usr/bin:/bin", "XDG_CACHE_HOME": str(guest_cache.parent)}
    done = Commands(home, environment).run("run", "-", stdin="6 * 7", timeout_s=COMPILE_TIMEOUT_S)
    assert done.stdout == "42\n", done.stderr
    return environment


@pytest.fixture
def commands(tmp_path: Path, environment: Mapping[str, str]) -> Commands:
    return Commands(tmp_path, environment)
