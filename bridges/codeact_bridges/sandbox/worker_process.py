"""A worker process as seen from the host: start it, exchange frames, kill it. The other end is `worker.main`."""

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
from codeact_bridges.sandbox.worker.frames import Frame, FrameKind, FrameReader, ProtocolError, encode
from codeact_bridges.system.child_process import ChildProcess, ProcessEnded, spawn

log = logging.getLogger(__name__)

CONTROL_BYTES = 64_000
"""Added to the message limit, for the operation's name and the frame."""

START_TIMEOUT_S = 120.0
"""A worker starts in 0.1 s with Wasmtime and in 1 s with Hyperlight, which takes 20 s in an emulated machine."""
EXIT_TIMEOUT_S = 5.0
"""How long to wait for a killed process to be reaped. After that a warning is logged and the wait ends."""
EXIT_CODE_WAIT_S = 0.2
"""How long to wait for the exit code after the pipe has closed. A run must end within 0.5 s after its deadline."""
STDERR_TAIL_BYTES = 2_000
FRAMES_AT_ONCE = 200
"""Printed frames handled before other tasks of the event loop get a turn."""

ENGINE_PACKAGES: dict[str, tuple[str, ...]] = {
    "hyperlight": ("hyperlight_sandbox", "hyperlight_sandbox_backend_wasm", "python_guest"),
    "wasmtime": ("wasmtime",),
}
"""The packages that each engine imports."""

_BOOT = "import sys; sys.path[:0] = sys.argv[1:]; from {module} import main; main()"


def worker_command(module: str, *packages: str) -> list[str]:
    """The command that runs `module`'s `main` with only the standard library, our package and `packages` on its path.

    `-I -S`: no environment variables, no `site`, no `.pth` files. The process starts sooner and imports from nowhere
    else.

    Raises:
        EngineUnavailable: a package is not installed.
    """
    paths = [Path(codeact_bridges.__file__).parent.parent]
    for name in packages:
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
    """The settings that a worker gets in its first frame."""

    engine: Literal["hyperlight", "wasmtime"]
    memory_mib: int
    message_bytes: int
    compiled: Path | None = None
    """The compiled guest, only for `wasmtime`."""


class WorkerProcess:
    """See `port.Worker`. Made by `start`, whose caller must call `aclose`."""

    def __init__(self, child: ChildProcess, stderr: IO[bytes], message_bytes: int) -> None:
        self._child, self._stderr = child, stderr
        self._reader = FrameReader(message_bytes + CONTROL_BYTES)
        self._frames: deque[Frame] = deque()
        self._info: EngineInfo | None = None
        self._closed = False

    @classmethod
    async def start(cls, setup: WorkerSetup, command: Sequence[str] | None = None) -> "WorkerProcess":
        """Start a worker and wait until its guest is ready. A `command` passed in must speak the worker's protocol.

        Raises:
            EngineUnavailable: the process could not be started, or its engine does not work on this machine.
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
                settings = {
                    "engine": setup.engine,
                    "compiled": str(setup.compiled),
                    "memory_mib": setup.memory_mib,
                    "message_bytes": setup.message_bytes,
                    "parent_pid": os.getpid(),
                }
                worker._send(FrameKind.SETUP, json.dumps(settings).encode())
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
        except (ProtocolError, ValidationError) as exc:
            raise self._protocol_broken(exc) from exc
        self._info = EngineInfo(ready.engine, ready.isolation, ready.versions, ready.hardened, ready.not_hardened)

    async def run(self, begin: str, host: GuestHost) -> str:
        self._send(FrameKind.START, begin.encode())
        frames = 0
        try:
            while True:
                frame = await self._expect(FrameKind.CALL, FrameKind.PRINTED, FrameKind.DONE)
                if frame.kind is FrameKind.PRINTED:
                    channel, text = _printed(frame)
                    host.printed(channel, text)
                    frames += 1
                    if frames % FRAMES_AT_ONCE == 0:
                        await anyio.lowlevel.checkpoint()
                    continue
                # A worker must wait for the answer to a call. Otherwise a hostile one could queue calls without end.
                if self._frames or self._child.has_output or self._child.unsent_bytes:
                    raise ProtocolError(f"{frame.kind.name}, and more without waiting")  # noqa: TRY301
                if frame.kind is FrameKind.DONE:
                    return frame.text
                operation, _, text = frame.text.partition("\n")
                try:
                    answer = await host.call(operation, text)
                except BridgeError as exc:
                    self._send(FrameKind.REFUSAL, error_text(exc).encode("utf-8", "backslashreplace"))
                else:
                    self._send(FrameKind.ANSWER, answer.encode())
        except ProtocolError as exc:
            raise self._protocol_broken(exc) from exc

    async def aclose(self) -> None:
        if self._closed:
            return
        self._closed = True
        with anyio.move_on_after(EXIT_TIMEOUT_S, shield=True) as scope:
            await self._child.aclose()
        if scope.cancelled_caught:
            log.warning("worker %d is still running %s s after it was killed", self.pid, EXIT_TIMEOUT_S)
        self._stderr.close()

    def _send(self, kind: FrameKind, body: bytes) -> None:
        self._child.send(encode(kind, body))

    async def _expect(self, *kinds: FrameKind) -> Frame:
        frame = await self._receive()
        if frame.kind is FrameKind.DIED:
            raise GuestDied(frame.body[:STDERR_TAIL_BYTES].decode(errors="replace"))
        if frame.kind not in kinds:
            raise ProtocolError(f"{frame.kind.name} instead of {' or '.join(kind.name for kind in kinds)}")
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
        """The reason why the pipe closed: how the process ended, and the end of its stderr."""
        code: int | None = None
        with anyio.move_on_after(EXIT_CODE_WAIT_S, shield=True):
            code = await self._child.wait()
        if code is None:
            self._child.kill()
            how = "closed its pipe but did not exit"
        elif code < 0:
            how = f"was killed by {_signal_name(-code)}"
        else:
            how = f"ended with exit code {code}"
        return GuestDied(f"the sandbox process {how}{self._stderr_tail()}")

    def _protocol_broken(self, exc: Exception) -> GuestDied:
        log.warning("worker %d broke the protocol: %s", self.pid, exc)
        return GuestDied(f"the sandbox process broke its protocol{self._stderr_tail()}")

    def _stderr_tail(self) -> str:
        if self._stderr.closed:
            return ""
        end = self._stderr.seek(0, os.SEEK_END)
        self._stderr.seek(max(0, end - STDERR_TAIL_BYTES))
        tail = self._stderr.read(STDERR_TAIL_BYTES).decode(errors="replace").strip()
        return f": {tail}" if tail else ""


def _printed(frame: Frame) -> tuple[int, str]:
    if not frame.body or frame.body[0] not in (1, 2):
        raise ProtocolError("printed text without a channel")
    try:
        return frame.body[0], frame.body[1:].decode()
    except UnicodeDecodeError as exc:
        raise ProtocolError("printed text is not UTF-8") from exc


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
