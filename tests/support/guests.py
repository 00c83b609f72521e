"""A worker with a guest in it, as tests speak to it: the program in, what came of it out. Not a test."""

import json
import textwrap
from dataclasses import dataclass, field
from typing import Any

import anyio

from codeact_bridges.errors import BadGuestCall, GuestDied
from codeact_bridges.sandbox.worker_process import WorkerProcess, WorkerSetup

GUARD_S = 60
"""Stands guard over one run; an emulated machine takes up to 10 s for the longest here."""


@dataclass(slots=True)
class Ran:
    """One run: what it printed, its outcome, or why it died."""

    printed: list[str] = field(default_factory=list[str])
    outcome: dict[str, Any] = field(default_factory=dict[str, Any])
    died: str | None = None

    @property
    def text(self) -> str:
        return "".join(self.printed)

    @property
    def value(self) -> Any:
        """The value, for outcomes that are JSON."""
        assert self.outcome.get("form", "json") == "json", self
        return json.loads(self.outcome["text"])


class Host:
    """Answers what a guest asks without any bridge: it sleeps, it echoes."""

    def __init__(self, ran: Ran) -> None:
        self._ran = ran

    async def call(self, operation: str, text: str) -> str:
        asked = json.loads(text)
        match operation:
            case "echo":
                return text
            case "clock.sleep":
                await anyio.sleep(asked["seconds"])
                return "null"
            case "async.wait":
                await anyio.sleep(asked["timeout_s"])
                return "[]"
            case "modules.get":
                return "null"
            case _:
                raise BadGuestCall(f"there is no operation {operation[:100]!r}")

    def printed(self, channel: int, text: str) -> None:
        self._ran.printed.append(text if channel == 1 else f"stderr: {text}")


class Guest:
    """Keeps one worker; another takes its place when it died."""

    def __init__(self, setup: WorkerSetup) -> None:
        self.setup = setup
        self._worker: WorkerProcess | None = None

    async def worker(self) -> WorkerProcess:
        """The worker, with a fresh guest."""
        if self._worker is None:
            self._worker = await WorkerProcess.start(self.setup)
        return self._worker

    async def run(self, code: str) -> Ran:
        """Run a program in a fresh guest; it may be indented."""
        worker = await self.worker()
        ran = Ran()
        self._worker = None
        with anyio.fail_after(GUARD_S):
            try:
                ran.outcome = json.loads(await worker.run(json.dumps({"code": textwrap.dedent(code)}), Host(ran)))
                await worker.renew()
            except GuestDied as exc:
                ran.died = exc.reason
                await worker.aclose()
            else:
                self._worker = worker
        return ran

    async def aclose(self) -> None:
        if self._worker is not None:
            await self._worker.aclose()
