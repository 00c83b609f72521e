"""Not a test: runs programs directly in a worker, without a pool or bridges, and returns what happened."""

import json
import textwrap
from dataclasses import dataclass, field
from typing import Any

import anyio

from codeact_bridges.errors import BadGuestCall, GuestDied
from codeact_bridges.sandbox.worker_process import WorkerProcess, WorkerSetup

GUARD_S = 60
"""Time limit of one run. The longest run takes up to 10 s in an emulated machine."""


@dataclass(slots=True)
class Ran:
    """One run: its printed text, and its outcome or the reason why the guest died."""

    printed: list[str] = field(default_factory=list[str])
    outcome: dict[str, Any] = field(default_factory=dict[str, Any])
    died: str | None = None

    @property
    def text(self) -> str:
        return "".join(self.printed)

    @property
    def value(self) -> Any:
        """The value of an outcome in JSON."""
        assert self.outcome.get("form", "json") == "json", self
        return json.loads(self.outcome["text"])


class Host:
    """Answers a guest's calls without any bridge: sleeps and echoes."""

    def __init__(self, ran: Ran) -> None:
        self._ran = ran

    async def call(self, operation: str, text: str) -> str:
        arguments = json.loads(text)
        match operation:
            case "echo":
                return text
            case "clock.sleep":
                await anyio.sleep(arguments["seconds"])
                return "null"
            case "async.wait":
                await anyio.sleep(arguments["timeout_s"])
                return "[]"
            case "modules.get":
                return "null"
            case _:
                raise BadGuestCall(f"there is no operation {operation[:100]!r}")

    def printed(self, channel: int, text: str) -> None:
        self._ran.printed.append(text if channel == 1 else f"stderr: {text}")


class Guest:
    """Holds one worker, and starts another one after it died."""

    def __init__(self, setup: WorkerSetup) -> None:
        self.setup = setup
        self._worker: WorkerProcess | None = None

    async def worker(self) -> WorkerProcess:
        """The worker, with a fresh guest."""
        if self._worker is None:
            self._worker = await WorkerProcess.start(self.setup)
        return self._worker

    async def run(self, code: str) -> Ran:
        """Run a program in a fresh guest. The whole program may be indented."""
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
