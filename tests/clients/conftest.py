"""One conversation for each client, that all tests of the client share."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import pytest
from real_clients.conversation import Conversation, Setting, converse
from real_clients.installation import Installed, NotInstalled, installed
from real_clients.programs import STEPS
from real_clients.recipes import CLIENTS, RealClient
from served import server, serving, until

IN_SLOW = {"claude", "codex", "gemini", "langchain"}
"""These are tested with the other slow tests, as one for each kind of failure that was seen. All: `-m clients`."""

PATIENT = Path(__file__).parents[1] / "support" / "real_clients" / "patient.py"
"""`codeact-mcp`, on which the speed of the machine has no influence."""

START_S = 180
"""Ends the wait for a server that does not come up."""

NOT_TESTED = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[NOT_TESTED] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what a green result does not cover."""
    if reasons := config.stash[NOT_TESTED]:
        terminalreporter.section("CLIENTS WERE NOT TESTED", "!", red=True, bold=True)
        for reason in reasons:
            terminalreporter.line(reason)


@dataclass(frozen=True)
class Installer:
    """Installs clients where they last."""

    folder: Path
    config: pytest.Config
    failed: dict[str, str] = field(default_factory=dict[str, str])

    def __call__(self, client: str) -> Installed:
        """The client. Where it cannot be had, its tests are skipped, loudly; with CODEACT_NO_SKIP=1 they fail."""
        if client not in self.failed:
            try:
                return installed(client, self.folder)
            except NotInstalled as exc:
                self.failed[client] = f"{client}: {exc}"
                self.config.stash[NOT_TESTED].append(self.failed[client])
        if os.environ.get("CODEACT_NO_SKIP"):
            return pytest.fail(self.failed[client], pytrace=False)
        return pytest.skip(f"{client} cannot be installed")


@pytest.fixture(scope="session")
def install(lasting_folder: Callable[[str], Path], pytestconfig: pytest.Config) -> Installer:
    chosen = os.environ.get("CODEACT_CLIENTS_CACHE")
    return Installer(Path(chosen) if chosen else lasting_folder("clients"), pytestconfig)


@pytest.fixture(scope="session")
def setting(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Setting:
    """The server, whose tools only read. For one of them a program must ask."""
    environment: Mapping[str, str] = request.getfixturevalue("environment")  # by name, it would mark all tests slow
    folder = tmp_path_factory.mktemp("clients-server")
    config = {
        "mcpServers": {"orders": server("orders.py", str(folder / "called.log"))},
        "codeact": {
            "answer_after_s": 2,
            "policy": {"rules": [{"tool": "orders.customer_addresses", "action": "ask"}]},
        },
    }
    (folder / "servers.json").write_text(json.dumps(config))
    arguments = ["--config", str(folder / "servers.json")]
    anyio.run(start_once, arguments, {**environment, "HOME": str(folder)}, folder)
    command = [sys.executable, str(PATIENT), "serve", "--transport", "stdio", *arguments]
    return Setting(STEPS, command, {**environment, "HOME": str(folder)})


async def start_once(arguments: list[str], environment: Mapping[str, str], home: Path) -> None:
    """Let the server record its first answers: every later start gives them at once, however loaded the machine is."""
    async with serving("stdio", arguments, environment=environment, log=home / "first.log"):
        await until(lambda: any(home.glob(".local/state/codeact-mcp/openings/*.json")), START_S)


def parameters() -> list[object]:
    return [
        pytest.param(client, id=client.name, marks=[pytest.mark.slow] * (client.name in IN_SLOW)) for client in CLIENTS
    ]


@pytest.fixture(scope="session", params=parameters())
def conversation(
    request: pytest.FixtureRequest,
    install: Installer,
    setting: Setting,
    tmp_path_factory: pytest.TempPathFactory,
) -> Conversation:
    client: RealClient = request.param
    folder = tmp_path_factory.mktemp(client.name)
    conversation = anyio.run(converse, client, install(client.name), setting, folder)
    shutil.rmtree(folder, ignore_errors=True)  # some write much
    return conversation
