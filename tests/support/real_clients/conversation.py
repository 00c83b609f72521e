"""Runs one conversation of a real client with the scripted model, and says what there was to see."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
from real_clients import tee
from real_clients.dialects import ShownResult, ShownTool
from real_clients.installation import Installed
from real_clients.model import Model, serving
from real_clients.processes import LEAVE_S, client_process, new_mark
from real_clients.recipes import Place, RealClient
from real_clients.script import Step
from served import until

GUARD_S = 600
"""Ends a client that hangs. A conversation takes some 20 s, and several times that on a loaded machine."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What all conversations share."""

    steps: Sequence[Step]
    server: Sequence[str]
    """The command that starts the server."""

    environment: Mapping[str, str]
    """The server's, besides the client's."""


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

    requests: Sequence[str]
    """Every request to the model, whole, as JSON."""

    wire: Sequence[Mapping[str, Any]]
    """The messages between client and server: `from` and `message`."""

    left: Sequence[str]
    """Processes that were still there long after the client had ended."""

    report: str
    """What a reader of a failed test wants to see of the rest."""

    def text(self, step: str) -> str:
        """All that the model was shown of a step."""
        return "\n".join(result.text for result in self.results.get(step, ()))

    def answers(self, *methods: str) -> list[Mapping[str, Any]]:
        """The server's results to requests of these methods, in order."""
        requested = {
            line["message"]["id"]
            for line in self.wire
            if line["from"] == "client" and line["message"].get("method") in methods and "id" in line["message"]
        }
        return [
            line["message"]["result"]
            for line in self.wire
            if line["from"] == "server" and line["message"].get("id") in requested and "result" in line["message"]
        ]


async def converse(client: RealClient, installed: Installed, setting: Setting, folder: Path) -> Conversation:
    """Run the conversation, in an empty folder."""
    home, wire, mark = folder / "home", folder / "wire.jsonl", new_mark()
    home.mkdir()
    order = {"command": setting.server, "environment": {**setting.environment, **mark}}
    (folder / "server.json").write_text(json.dumps(order))
    model = Model(setting.steps, lambda: _listed(wire))
    async with serving(model):
        launch = client.start(Place(installed, home, model.url, [sys.executable, str(tee.__file__), str(folder)]))
        async with client_process(launch.command, home, {**launch.environment, **mark}) as started:
            how = await _end(started.process, model)
    results: dict[str, list[ShownResult]] = {step.name: [] for step in setting.steps}
    for turn, result in zip(model.turns(), model.results, strict=True):
        if turn.step < len(setting.steps):
            results[setting.steps[turn.step].name].append(result)
    first = model.first_definition
    logs = [f"--- {path.name}:\n{path.read_text(errors='replace')[-2_000:]}" for path in _logs(folder)]
    return Conversation(
        client,
        installed.version,
        setting.steps,
        first.tool if first is not None else None,
        results,
        [json.dumps(body) for body in model.bodies],
        _messages(wire),
        started.left,
        "\n".join([f"{client.name} {installed.version} {how}, after {len(model.bodies)} requests", *logs]),
    )


async def _end(process: anyio.abc.Process, model: Model) -> str:
    """Return how the client ended, when it has, or has had the time to."""
    how = f"did not end within {GUARD_S} s"
    with anyio.move_on_after(GUARD_S):
        async with anyio.create_task_group() as tasks:

            async def leave() -> None:
                nonlocal how
                await model.finished.wait()
                await anyio.sleep(LEAVE_S)  # some never end by themselves
                how = "was told all, and did not end by itself"
                tasks.cancel_scope.cancel()

            tasks.start_soon(leave)
            code = await process.wait()
            how = f"ended with exit code {code}"
            tasks.cancel_scope.cancel()
    return how


async def _listed(wire: Path) -> None:
    """Wait until the server has answered `tools/list`."""
    await until(lambda: any("tools" in (line["message"].get("result") or {}) for line in _messages(wire)), GUARD_S)


def _messages(wire: Path) -> list[dict[str, Any]]:
    """All whole lines of the wire."""
    text = wire.read_text() if wire.exists() else ""
    return [json.loads(line) for line in text.rpartition("\n")[0].splitlines()]


def _logs(folder: Path) -> list[Path]:
    return [path for path in (folder / name for name in ("client.out", "client.err", "server.log")) if path.exists()]
