"""The worker process: holds one sandbox, and nothing else. Run by `process.py`; see `wire.py` for the conversation.

Imports the standard library, the wire and one engine: a worker's start and memory are paid for every sandbox.
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
from codeact_bridges.sandbox.worker.frames import Frame, FrameKind, FrameReader, WireError, encode
from codeact_bridges.sandbox.worker.hardening import Hardening, harden, seal

READ_BYTES = 1 << 18
CONTROL_BYTES = 64_000
"""Room for the operation's name and the frame around a message."""
NOBODY_WAITS_S = 0.02
"""After this, nobody waits for the fresh guest: a run that waits begins within 1 ms, in an emulated machine 10 ms."""

WATCH_S = 0.000_2
"""How long an answer is watched for, before the worker sleeps until it comes. To be woken takes 0.05 ms and more where
the processor is a virtual machine's, which is a third of a question's round trip. Where the last answer took longer, as
a tool's does, the next is slept for at once; so a worker never burns more than this between two answers."""


def main(make_engine: Callable[[dict[str, Any]], Engine] | None = None) -> None:
    """Serve runs until the host closes the pipe."""
    wire_in, wire_out = os.dup(0), os.dup(1)
    devnull = os.open(os.devnull, os.O_RDWR)
    os.dup2(devnull, 0)
    os.dup2(2, 1)  # whatever a library prints must not end up between the frames
    os.close(devnull)
    pipe = _Pipe(wire_in, wire_out)
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
            about = {
                "engine": engine.name,
                "isolation": engine.isolation,
                "versions": engine.versions,
                "hardened": hardening.applied,
                "not_hardened": hardening.missing,
            }
            pipe.send(FrameKind.READY, json.dumps(about).encode())
            if not pipe.comes_within(NOBODY_WAITS_S):
                engine.warm_up()
            # A session runs one program after the other in the same guest; RENEW asks for a fresh one.
            while (frame := pipe.expect(FrameKind.START, FrameKind.RENEW)).kind is FrameKind.START:
                run = _Run(pipe, frame.text, message_bytes)
                engine.run(run.call, run.printed)
                if run.outcome is None:
                    raise GuestTrap("the guest returned without an outcome")  # noqa: TRY301
                pipe.send(FrameKind.DONE, run.outcome.encode())
    except GuestTrap as trap:
        pipe.send(FrameKind.DIED, str(trap).encode())
    except (WireError, BrokenPipeError) as exc:
        print(f"worker: {exc}", file=sys.stderr)  # noqa: T201
    os._exit(0)  # no interpreter shutdown: a sandbox in an unknown state is best dropped with its process


class _Run:
    """One run as the engine sees it: forwards the guest's questions, keeps its outcome."""

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
        self._pipe.send(FrameKind.ASK, operation.encode() + b"\n" + data)
        answer = self._pipe.expect_soon(FrameKind.ANSWER, FrameKind.REFUSAL)
        if answer.kind is FrameKind.REFUSAL:
            raise Refusal(answer.text)
        return answer.text

    def printed(self, channel: int, text: str) -> None:
        self._pipe.send(FrameKind.PRINTED, bytes((channel,)) + text.encode())


class _Pipe:
    """Blocking frames. The end of the pipe is the end of the process."""

    def __init__(self, wire_in: int, wire_out: int) -> None:
        self._in, self._out = wire_in, wire_out
        self._frames = self._read(FrameReader(CONTROL_BYTES))
        self._came_soon = False

    def limit(self, limit_bytes: int) -> None:
        self._frames = self._read(FrameReader(limit_bytes))

    def send(self, kind: FrameKind, body: bytes) -> None:
        data = memoryview(encode(kind, body))
        while data:
            data = data[os.write(self._out, data) :]

    def expect(self, *kinds: FrameKind) -> Frame:
        frame = next(self._frames)
        if frame.kind not in kinds:
            raise WireError(f"{frame.kind.name} where {' or '.join(kind.name for kind in kinds)} belongs")
        return frame

    def expect_soon(self, *kinds: FrameKind) -> Frame:
        """As `expect`, for what may come before this process would be asleep."""
        if sys.platform != "linux":
            return self.expect(*kinds)
        began = time.monotonic()
        if self._came_soon:
            coming = select.poll()
            coming.register(self._in, select.POLLIN)
            while not coming.poll(0) and time.monotonic() - began < WATCH_S:
                os.sched_yield()  # whoever else wants this processor has it, the host above all
        frame = self.expect(*kinds)
        self._came_soon = time.monotonic() - began < WATCH_S
        return frame

    def comes_within(self, seconds: float) -> bool:
        """Whether there is something to read by then. Always, where there is no telling."""
        if sys.platform != "linux":
            return True
        coming = select.poll()
        coming.register(self._in, select.POLLIN)
        return bool(coming.poll(seconds * 1_000))

    def _read(self, reader: FrameReader) -> Iterator[Frame]:
        while data := os.read(self._in, READ_BYTES):
            yield from reader.feed(data)
        _gone()


def _gone() -> NoReturn:
    os._exit(0)
