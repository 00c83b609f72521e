"""The worker process, which holds one sandbox and nothing else. Started by `worker_process`; `frames` has the protocol.

Imports only the standard library, the frames and one engine: every sandbox pays for a worker's start and memory.
"""

import json
import os
import select
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

from codeact_bridges.sandbox.worker.engine import Engine, GuestTrap, Refusal, too_long
from codeact_bridges.sandbox.worker.frames import Frame, FrameKind, FrameReader, ProtocolError, encode
from codeact_bridges.sandbox.worker.hardening import Hardening, harden, seal

READ_BYTES = 1 << 18
CONTROL_BYTES = 64_000
"""Added to the message limit, for the operation's name and the frame."""
WARM_UP_AFTER_S = 0.02
"""If no run has started by then, none is waiting for this guest, and there is time to warm it up: a waiting run starts
within 1 ms, in an emulated machine within 10 ms."""

SPIN_S = 0.000_2
"""How long the worker polls for an answer before it sleeps until it arrives. Waking up takes 0.05 ms and more on a
virtual machine's processor, a third of a call's round trip. If the last answer took longer, as a tool call's does, the
worker sleeps at once; so it never spins for longer than this between two answers."""


def main(make_engine: Callable[[dict[str, Any]], Engine] | None = None) -> None:
    """Serve runs until the host closes the pipe."""
    pipe_in, pipe_out = os.dup(0), os.dup(1)
    devnull = os.open(os.devnull, os.O_RDWR)
    os.dup2(devnull, 0)
    os.dup2(2, 1)  # text that a library prints must not get between the frames
    os.close(devnull)
    pipe = _Pipe(pipe_in, pipe_out)
    setup = json.loads(pipe.expect(FrameKind.SETUP).text)
    pipe.limit(setup["message_bytes"] + CONTROL_BYTES)
    hardening = harden(setup["parent_pid"])
    engine = (make_engine or _engine)(setup)
    if engine.stack_bytes is None:
        _serve(pipe, engine, hardening, setup["message_bytes"])
    else:
        threading.stack_size(engine.stack_bytes)
        thread = threading.Thread(target=_serve, args=(pipe, engine, hardening, setup["message_bytes"]))
        thread.start()
        thread.join()


def _engine(setup: dict[str, Any]) -> Engine:
    if setup["engine"] == "wasmtime":
        from codeact_bridges.sandbox.worker.wasmtime_engine import WasmtimeEngine

        return WasmtimeEngine(Path(setup["compiled"]), setup["memory_mib"])
    if setup["engine"] == "hyperlight":
        from codeact_bridges.sandbox.worker.hyperlight_engine import HyperlightEngine

        return HyperlightEngine(setup["memory_mib"], setup["message_bytes"])
    raise ValueError(setup["engine"])


def _serve(pipe: "_Pipe", engine: Engine, hardening: Hardening, message_bytes: int) -> None:
    try:
        engine.load()
        seal(hardening)
        while True:
            engine.fresh()
            info = {
                "engine": engine.name,
                "isolation": engine.isolation,
                "versions": engine.versions,
                "hardened": hardening.applied,
                "not_hardened": hardening.missing,
            }
            pipe.send(FrameKind.READY, json.dumps(info).encode())
            if not pipe.has_input_within(WARM_UP_AFTER_S):
                engine.warm_up()
            # A session runs several programs in the same guest; RENEW requests a fresh one.
            while (frame := pipe.expect(FrameKind.START, FrameKind.RENEW)).kind is FrameKind.START:
                run = _Run(pipe, frame.text, message_bytes)
                engine.run(run.call, run.printed)
                if run.outcome is None:
                    raise GuestTrap("the guest returned without an outcome")  # noqa: TRY301
                pipe.send(FrameKind.DONE, run.outcome.encode())
    except GuestTrap as trap:
        pipe.send(FrameKind.DIED, str(trap).encode())
    except (ProtocolError, BrokenPipeError) as exc:
        print(f"worker: {exc}", file=sys.stderr)  # noqa: T201
    os._exit(0)  # no interpreter shutdown: the sandbox may be in an unknown state, so it ends with its process


class _Run:
    """One run, for the engine: forwards the guest's calls to the host and stores its outcome."""

    def __init__(self, pipe: "_Pipe", begin: str, message_bytes: int) -> None:
        self._pipe, self._begin, self._message_bytes = pipe, begin, message_bytes
        self.outcome: str | None = None

    def call(self, operation: str, text: str) -> str:
        if operation == "run.begin":
            return self._begin
        data = text.encode()
        if len(data) > self._message_bytes:
            raise too_long(operation, len(data), self._message_bytes)
        if operation == "run.end":
            self.outcome = text
            return "null"
        self._pipe.send(FrameKind.CALL, operation.encode() + b"\n" + data)
        answer = self._pipe.expect_quickly(FrameKind.ANSWER, FrameKind.REFUSAL)
        if answer.kind is FrameKind.REFUSAL:
            raise Refusal(answer.text)
        return answer.text

    def printed(self, channel: int, text: str) -> None:
        self._pipe.send(FrameKind.PRINTED, bytes((channel,)) + text.encode())


class _Pipe:
    """Sends and receives frames, blocking. When the host closes the pipe, the process exits."""

    def __init__(self, pipe_in: int, pipe_out: int) -> None:
        self._in, self._out = pipe_in, pipe_out
        self._frames = self._read(FrameReader(CONTROL_BYTES))
        self._was_quick = False

    def limit(self, limit_bytes: int) -> None:
        self._frames = self._read(FrameReader(limit_bytes))

    def send(self, kind: FrameKind, body: bytes) -> None:
        data = memoryview(encode(kind, body))
        while data:
            data = data[os.write(self._out, data) :]

    def expect(self, *kinds: FrameKind) -> Frame:
        frame = next(self._frames)
        if frame.kind not in kinds:
            raise ProtocolError(f"{frame.kind.name} instead of {' or '.join(kind.name for kind in kinds)}")
        return frame

    def expect_quickly(self, *kinds: FrameKind) -> Frame:
        """Like `expect`, but if the last frame was quick, poll for `SPIN_S` before going to sleep."""
        if sys.platform != "linux":
            return self.expect(*kinds)
        started = time.monotonic()
        if self._was_quick:
            readable = select.poll()
            readable.register(self._in, select.POLLIN)
            while not readable.poll(0) and time.monotonic() - started < SPIN_S:
                os.sched_yield()  # other processes may use this processor, above all the host
        frame = self.expect(*kinds)
        self._was_quick = time.monotonic() - started < SPIN_S
        return frame

    def has_input_within(self, seconds: float) -> bool:
        """Whether there is something to read within `seconds`. Always true outside Linux, where it is not checked."""
        if sys.platform != "linux":
            return True
        readable = select.poll()
        readable.register(self._in, select.POLLIN)
        return bool(readable.poll(seconds * 1_000))

    def _read(self, reader: FrameReader) -> Iterator[Frame]:
        while data := os.read(self._in, READ_BYTES):
            yield from reader.feed(data)
        _exit()


def _exit() -> NoReturn:
    os._exit(0)
