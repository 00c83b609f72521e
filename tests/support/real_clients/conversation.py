"""Runs one conversation of a real client with the scripted model, and says what there was to see.

The client has a home of its own, next to no environment, and a process group that ends with the conversation; whatever
else it starts carries a mark in its environment, by which it is found.
"""

import json
import os
import secrets
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL
from typing import Any

import anyio
import anyio.abc
from real_clients import tee
from real_clients.dialects import ShownResult, ShownTool
from real_clients.installation import Installed, node_folder
from real_clients.model import Model, serving
from real_clients.recipes import Place, RealClient
from real_clients.script import Step
from served import until

GUARD_S = 600
"""Ends a client that hangs. A conversation takes some 20 s, and several times that on a loaded machine."""

LEAVE_S = 60
"""How long the client may take to end after the model's last word, and what it has started after it."""

MARK = "CODEACT_TEST_CONVERSATION"


@dataclass(frozen=True, slots=True)
class Conversation:
    """What there was to see in one conversation."""

    client: RealClient
    version: str
    steps: Sequence[Step]
    definition: ShownTool | None
    """`execute_code` as the model first saw it."""

    results: Mapping[str, Sequence[ShownResult]]
    """The results of each step, by its name."""

    wire: Sequence[Mapping[str, Any]]
    """The messages between client and server: `from` and `message`."""

    left: Sequence[str]
    """Processes that were still there long after the client had ended."""

    report: str
    """What a reader of a failed test wants to see of the rest."""

    def text(self, step: str) -> str:
        """All that the model was shown of a step."""
        return "\n".join(result.text for result in self.results.get(step, ()))

    def answers(self, method: str) -> list[Mapping[str, Any]]:
        """The server's results to requests of a method, in order."""
        asked = {
            line["message"]["id"]
            for line in self.wire
            if line["from"] == "client" and line["message"].get("method") == method and "id" in line["message"]
        }
        return [
            line["message"]["result"]
            for line in self.wire
            if line["from"] == "server" and line["message"].get("id") in asked and "result" in line["message"]
        ]


@dataclass(frozen=True, slots=True)
class Setting:
    """What all conversations share."""

    steps: Sequence[Step]
    server: Sequence[str]
    """The command that starts the server."""

    environment: Mapping[str, str]
    """The server's, besides the client's."""


async def converse(client: RealClient, installed: Installed, setting: Setting, folder: Path) -> Conversation:
    """Run the conversation, in an empty folder."""
    home, work = folder / "home", folder / "work"
    home.mkdir()
    work.mkdir()
    mark = secrets.token_hex(8)
    order = {"command": setting.server, "environment": {**setting.environment, MARK: mark}}
    (folder / "server.json").write_text(json.dumps(order))
    model = Model(setting.steps, lambda: _listed(folder / "wire.jsonl"))
    server = [sys.executable, str(tee.__file__), str(folder)]
    ended = _Ended()
    left: list[str] = []
    async with serving(model):
        launch = client.start(Place(installed, home, model.url, server))
        environment = _environment(home, {**launch.environment, MARK: mark})
        with (folder / "client.log").open("wb") as log:
            process = await anyio.open_process(
                launch.command, stdin=DEVNULL, stdout=log, stderr=log, env=environment, cwd=work, start_new_session=True
            )
        try:
            await ended.wait(process, model)
        finally:
            with anyio.CancelScope(shield=True):
                left = await _end(process, mark)
    results: dict[str, list[ShownResult]] = {}
    for turn, result in zip(model.turns(), model.results, strict=True):
        results.setdefault(setting.steps[turn.step].name if turn.step < len(setting.steps) else "", []).append(result)
    first = model.first_definition
    (folder / "requests.json").write_text(json.dumps(model.bodies, indent=1))
    return Conversation(
        client,
        installed.version,
        setting.steps,
        first.tool if first is not None else None,
        results,
        _messages(folder / "wire.jsonl"),
        left,
        "\n".join([f"{client.name} {installed.version}: {ended.how}", *_logs(folder), f"more in {folder}"]),
    )


@dataclass
class _Ended:
    """How a client ended."""

    how: str = "not started"

    async def wait(self, process: anyio.abc.Process, model: Model) -> None:
        """Return when the client has ended, or has had the time to."""
        self.how = f"did not end within {GUARD_S} s"
        with anyio.move_on_after(GUARD_S):
            async with anyio.create_task_group() as tasks:

                async def leave() -> None:
                    await model.finished.wait()
                    await anyio.sleep(LEAVE_S)  # some never end by themselves
                    self.how = "was told all, and ended by us"
                    tasks.cancel_scope.cancel()

                tasks.start_soon(leave)
                await process.wait()
                self.how = f"ended with {process.returncode}"
                tasks.cancel_scope.cancel()


def _environment(home: Path, more: Mapping[str, str]) -> dict[str, str]:
    """Nothing of ours but where programs are."""
    temporary = home / "tmp"
    temporary.mkdir()
    path = os.pathsep.join([str(node_folder()), "/usr/local/bin", "/usr/bin", "/bin"])
    return {
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "NO_COLOR": "1",
        "PATH": path,
        "TERM": "xterm",
        "TMPDIR": str(temporary),
        **more,
    }


async def _listed(wire: Path) -> None:
    """Wait until the server has answered `tools/list`."""
    await until(lambda: any("tools" in (line["message"].get("result") or {}) for line in _messages(wire)), GUARD_S)


def _messages(wire: Path) -> list[dict[str, Any]]:
    """All whole lines of the wire."""
    text = wire.read_text() if wire.exists() else ""
    return [json.loads(line) for line in text.rpartition("\n")[0].splitlines()]


def _logs(folder: Path) -> list[str]:
    return [f"--- {path.name}:\n{path.read_text(errors='replace')[-2_000:]}" for path in sorted(folder.glob("*.log"))]


async def _end(process: anyio.abc.Process, mark: str) -> list[str]:
    """End the client and all that it has started. Returns what did not end by itself."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.returncode is None:
            os.killpg(process.pid, number)
            with anyio.move_on_after(10):
                await process.wait()
    try:
        await until(lambda: not _marked(mark), LEAVE_S)
    except TimeoutError:
        left = _marked(mark)
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        return list(left.values())
    return []


def _marked(mark: str) -> dict[int, str]:
    """The processes that carry the mark in their environment, by number, with their command lines."""
    found: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if mark.encode() in (entry / "environ").read_bytes():
                    found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue  # it has ended, or is another user's
    return found
