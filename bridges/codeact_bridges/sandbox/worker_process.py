"""A worker process as the host sees it: started, spoken to, killed. The other end is `worker.py`."""

import json
import logging
import os
import signal
import sys
import tempfile
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Literal

import anyio
import anyio.lowlevel
from pydantic import BaseModel, ValidationError

import codeact_bridges
from codeact_bridges.errors import BridgeError, EngineUnavailable, GuestDied
from codeact_bridges.guest.replies import error_text
from codeact_bridges.sandbox.port import EngineInfo, GuestHost
from codeact_bridges.sandbox.worker.frames import Frame, FrameKind, FrameReader, WireError, encode
from codeact_bridges.system.child_process import ChildProcess, ProcessEnded, spawn

log = logging.getLogger(__name__)

CONTROL_BYTES = 64_000
"""Room for the operation's name and the frame around a message."""

START_TIMEOUT_S = 120.0
"""A worker starts in 0.1 s with Wasmtime and in 1 s with Hyperlight, of which an emulated machine makes 20 s."""
EXIT_TIMEOUT_S = 5.0
"""How long the system may take to collect a killed process before we say so and go on."""
LAST_BREATH_S = 0.2
"""Between the end of a process's pipe and its own, for the exit code. A run is over 0.5 s after its deadline."""
LAST_WORDS_BYTES = 2_000
FRAMES_AT_ONCE = 200
"""Printed frames taken before others on the event loop have their turn."""

ENGINE_PACKAGES: dict[str, tuple[str, ...]] = {
    "hyperlight": ("hyperlight_sandbox", "hyperlight_sandbox_backend_wasm", "python_guest"),
    "wasmtime": ("wasmtime",),
}
"""What each engine imports."""

_BOOT = "import sys; sys.path[:0] = sys.argv[1:]; from {module} import main; main()"


def worker_command(module: str, *needs: str) -> list[str]:
    """The command that runs `module`'s `main` with nothing on its path but the standard library, us and `needs`.

    `-I -S`: no environment variables, no `site`, no `.pth` files. It starts sooner and looks nowhere else.
    """
    paths = [Path(codeact_bridges.__file__).parent.parent]
    for name in needs:
        spec = find_spec(name)
        if spec is None or spec.origin is None:
            raise EngineUnavailable(f"the package {name!r} is not installed")
        paths.append(Path(spec.origin).parent.parent)
    return [sys.executable, "-I", "-S", "-c", _BOOT.format(module=module), *dict.fromkeys(map(str, paths))]


class _Ready(BaseModel, extra="ignore", frozen=True):
    engine: str
    isolation: str
    versions: dict[str, str]
    hardened: tuple[str, ...]
    not_hardened: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WorkerSetup:
    """What a worker is told first."""

    engine: Literal["hyperlight", "wasmtime"]
    memory_mib: int
    message_bytes: int
    compiled: Path | None = None
    """The compiled guest, for `wasmtime`."""


class WorkerProcess:
    """See `port.Worker`. Made by `start`; whoever made it calls `aclose`."""

    def __init__(self, child: ChildProcess, stderr: IO[bytes], message_bytes: int) -> None:
        self._child, self._stderr = child, stderr
        self._reader = FrameReader(message_bytes + CONTROL_BYTES)
        self._frames: deque[Frame] = deque()
        self._info: EngineInfo | None = None
        self._closed = False

    @classmethod
    async def start(cls, setup: WorkerSetup, command: Sequence[str] | None = None) -> "WorkerProcess":
        """Start a worker and wait until its guest is ready. A `command` of one's own must speak the worker's part.

        Raises:
            EngineUnavailable: it could not be started, or its engine does not work on this machine.
        """
        stderr = tempfile.TemporaryFile()  # noqa: SIM115  # closed by aclose; a worker cannot make it larger than 1 MiB
        try:
            child = await spawn(
                command or worker_command("codeact_bridges.sandbox.worker.main", *ENGINE_PACKAGES[setup.engine]),
                stderr=stderr,
                env={},
            )
        except OSError as exc:
            stderr.close()
            raise EngineUnavailable(f"a worker process cannot be started: {exc}") from exc
        except BaseException:
            stderr.close()
            raise
        worker = cls(child, stderr, setup.message_bytes)
        try:
            with anyio.fail_after(START_TIMEOUT_S):
                told = {
                    "engine": setup.engine,
                    "compiled": str(setup.compiled),
                    "memory_mib": setup.memory_mib,
                    "message_bytes": setup.message_bytes,
                    "parent_pid": os.getpid(),
                }
                worker._send(FrameKind.SETUP, json.dumps(told).encode())
                await worker._ready()
        except GuestDied as exc:
            await worker.aclose()
            raise EngineUnavailable(exc.reason) from exc
        except TimeoutError as exc:
            await worker.aclose()
            raise EngineUnavailable(f"a worker was not ready after {START_TIMEOUT_S:.0f} s") from exc
        except BaseException:
            await worker.aclose()
            raise
        return worker

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def info(self) -> EngineInfo:
        if self._info is None:
            raise RuntimeError("a worker has no info before it is ready")
        return self._info

    async def renew(self) -> None:
        self._send(FrameKind.RENEW, b"")
        await self._ready()

    async def _ready(self) -> None:
        try:
            ready = _Ready.model_validate_json((await self._expect(FrameKind.READY)).body)
        except (WireError, ValidationError) as exc:
            raise self._broke_protocol(exc) from exc
        self._info = EngineInfo(ready.engine, ready.isolation, ready.versions, ready.hardened, ready.not_hardened)

    async def run(self, begin: str, host: GuestHost) -> str:
        self._send(FrameKind.START, begin.encode())
        frames = 0
        try:
            while True:
                frame = await self._expect(FrameKind.ASK, FrameKind.PRINTED, FrameKind.DONE)
                if frame.kind is FrameKind.PRINTED:
                    channel, text = _printed(frame)
                    host.printed(channel, text)
                    frames += 1
                    if frames % FRAMES_AT_ONCE == 0:
                        await anyio.lowlevel.checkpoint()
                    continue
                # A worker waits for its answer. One that does not would have us answer without end.
                if self._frames or self._child.has_output or self._child.unsent_bytes:
                    raise WireError(f"{frame.kind.name}, and more without waiting")  # noqa: TRY301
                if frame.kind is FrameKind.DONE:
                    return frame.text
                operation, _, text = frame.text.partition("\n")
                try:
                    answer = await host.call(operation, text)
                except BridgeError as exc:
                    self._send(FrameKind.REFUSAL, error_text(exc).encode("utf-8", "backslashreplace"))
                else:
                    self._send(FrameKind.ANSWER, answer.encode())
        except WireError as exc:
            raise self._broke_protocol(exc) from exc

    async def aclose(self) -> None:
        if self._closed:
            return
        self._closed = True
        with anyio.move_on_after(EXIT_TIMEOUT_S, shield=True) as scope:
            await self._child.aclose()
        if scope.cancelled_caught:
            log.warning("worker %d is still there %s s after it was killed", self.pid, EXIT_TIMEOUT_S)
        self._stderr.close()

    def _send(self, kind: FrameKind, body: bytes) -> None:
        self._child.send(encode(kind, body))

    async def _expect(self, *kinds: FrameKind) -> Frame:
        frame = await self._receive()
        if frame.kind is FrameKind.DIED:
            raise GuestDied(frame.body[:LAST_WORDS_BYTES].decode(errors="replace"))
        if frame.kind not in kinds:
            raise WireError(f"{frame.kind.name} where {' or '.join(kind.name for kind in kinds)} belongs")
        return frame

    async def _receive(self) -> Frame:
        while not self._frames:
            try:
                data = await self._child.receive()
            except ProcessEnded as exc:
                raise await self._died() from exc
            self._frames.extend(self._reader.feed(data))
        return self._frames.popleft()

    async def _died(self) -> GuestDied:
        """Why the pipe ended: the process's exit, and the last it wrote to its stderr."""
        code: int | None = None
        with anyio.move_on_after(LAST_BREATH_S, shield=True):
            code = await self._child.wait()
        if code is None:
            self._child.kill()
            how = "closed its pipe and went on"
        elif code < 0:
            how = f"was killed by {_signal_name(-code)}"
        else:
            how = f"ended with exit code {code}"
        return GuestDied(f"the sandbox process {how}{self._last_words()}")

    def _broke_protocol(self, exc: Exception) -> GuestDied:
        log.warning("worker %d broke the protocol: %s", self.pid, exc)
        return GuestDied(f"the sandbox process sent something that is not of the protocol{self._last_words()}")

    def _last_words(self) -> str:
        if self._stderr.closed:
            return ""
        end = self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, end - LAST_WORDS_BYTES))
        words = self._stderr.read(LAST_WORDS_BYTES).decode(errors="replace").strip()
        return f": {words}" if words else ""


def _printed(frame: Frame) -> tuple[int, str]:
    if not frame.body or frame.body[0] not in (1, 2):
        raise WireError("printed text without a channel")
    try:
        return frame.body[0], frame.body[1:].decode()
    except UnicodeDecodeError as exc:
        raise WireError("printed text is not UTF-8") from exc


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
