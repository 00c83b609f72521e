"""A real worker process with a scripted engine: how the host handles everything it may do, and what it cannot do.

The acts are in `tests/support/scripted_worker.py`; each runs inside a worker that was started and sealed as usual.
"""

import gc
import json
import os
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import anyio
import pytest
import scripted_worker

from codeact_bridges.errors import BudgetSpent, EngineUnavailable, GuestDied
from codeact_bridges.sandbox import worker_process
from codeact_bridges.sandbox.worker_process import WorkerProcess, WorkerSetup, worker_command

GUARD_S = 20
MESSAGE_BYTES = 100_000
SETUP = WorkerSetup("wasmtime", 64, MESSAGE_BYTES)

linux = pytest.mark.skipif(sys.platform != "linux", reason="these measures are Linux's")


class Host:
    """Echoes calls and stores the printed text."""

    def __init__(self) -> None:
        self.printed_text = ""
        self.began = anyio.Event()

    async def call(self, operation: str, text: str) -> str:
        return text

    def printed(self, channel: int, text: str) -> None:
        self.printed_text += text
        self.began.set()


async def start() -> WorkerProcess:
    support = str(Path(scripted_worker.__file__).parent)
    return await WorkerProcess.start(SETUP, [*worker_command("scripted_worker"), support])


@pytest.fixture
async def worker() -> AsyncGenerator[WorkerProcess]:
    with anyio.fail_after(GUARD_S):
        worker = await start()
        yield worker
        await worker.aclose()


async def act(worker: WorkerProcess, name: str, host: Any = None) -> Any:
    """The result of an act."""
    return json.loads(await worker.run(json.dumps({"code": name}), host or Host()))


def exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def test_a_call_gets_its_answer(worker: WorkerProcess) -> None:
    assert await act(worker, "call") == {"a": 1}


async def test_a_refused_call_is_answered_with_the_error(worker: WorkerProcess) -> None:
    class Refuses(Host):
        async def call(self, operation: str, text: str) -> str:
            raise BudgetSpent("tool calls", 5, "codeact.limits.tool_calls")

    with pytest.raises(GuestDied, match="BudgetSpent"):  # the scripted engine does not catch it
        await act(worker, "call", Refuses())


async def test_after_a_run_a_worker_can_be_renewed_and_used_again(worker: WorkerProcess) -> None:
    for _ in range(3):
        assert await act(worker, "call") == {"a": 1}
        await worker.renew()


async def test_a_fresh_guest_is_warmed_up_while_no_run_waits_for_it(worker: WorkerProcess) -> None:
    pause_s = 0.01
    while not await act(worker, "warm"):
        await worker.renew()
        await anyio.sleep(pause_s := pause_s * 2)


async def test_text_printed_by_a_library_does_not_get_between_the_frames(worker: WorkerProcess) -> None:
    assert await act(worker, "print to stdout") == 17
    assert await act(worker, "call") == {"a": 1}


@pytest.mark.parametrize(
    "name",
    [
        "too long a frame",
        "an empty frame",
        "an unknown kind",
        "a kind out of turn",
        "output on no channel",
        "output that is not UTF-8",
        "an operation that is not UTF-8",
        "calls without waiting",
    ],
)
async def test_breaking_the_protocol_ends_the_run(worker: WorkerProcess, name: str) -> None:
    with pytest.raises(GuestDied, match="the sandbox process broke its protocol"):
        await act(worker, name)


async def test_a_worker_that_exits_in_the_middle_of_a_frame_has_died(worker: WorkerProcess) -> None:
    with pytest.raises(GuestDied, match="ended with exit code 0"):
        await act(worker, "half a frame")


async def test_the_reason_of_a_dead_worker_has_its_exit_code_and_the_end_of_its_stderr(worker: WorkerProcess) -> None:
    with pytest.raises(GuestDied) as caught:
        await act(worker, "say a lot and die")
    assert caught.value.reason.startswith("the sandbox process ended with exit code 3: ")
    assert caught.value.reason.endswith("noise\nthe last words")
    assert len(caught.value.reason) < 2_100


async def test_the_reason_of_a_killed_worker_names_the_signal(worker: WorkerProcess) -> None:
    with pytest.raises(GuestDied, match="was killed by SIGABRT"):
        await act(worker, "be killed")


async def test_a_guest_that_trapped_has_its_reason(worker: WorkerProcess) -> None:
    with pytest.raises(GuestDied, match="the guest tripped"):
        await act(worker, "trap")


async def test_a_guest_that_ends_without_an_outcome_has_died(worker: WorkerProcess) -> None:
    with pytest.raises(GuestDied, match="without an outcome"):
        await act(worker, "no outcome")


@linux
@pytest.mark.parametrize("name", ["spin", "wait"])
async def test_a_worker_that_does_not_stop_can_be_killed(worker: WorkerProcess, name: str) -> None:
    with anyio.move_on_after(0.05) as scope:
        await act(worker, name)
    await worker.aclose()
    assert scope.cancelled_caught
    assert not exists(worker.pid)


@linux
async def test_closing_a_worker_ends_it_although_the_owner_is_cancelled() -> None:
    worker = await start()
    with anyio.CancelScope() as scope:
        try:
            scope.cancel()
            await anyio.sleep_forever()
        finally:
            await worker.aclose()
    assert not exists(worker.pid)


@linux
async def test_cancelling_the_start_of_a_worker_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[int] = []
    send = WorkerProcess._send  # pyright: ignore[reportPrivateUsage]

    def send_and_note(self: WorkerProcess, *frame: Any) -> None:
        started.append(self.pid)
        send(self, *frame)
        scope.cancel()

    monkeypatch.setattr(WorkerProcess, "_send", send_and_note)
    with anyio.CancelScope() as scope:
        await start()
    assert started
    assert not exists(started[0])


async def test_cancelling_the_start_before_there_is_a_process_leaves_no_file_open() -> None:
    with anyio.CancelScope() as scope:
        scope.cancel()
        await start()
    gc.collect()  # an open file that is collected warns, which fails this test


async def test_closing_a_worker_again_does_nothing(worker: WorkerProcess) -> None:
    await worker.aclose()
    await worker.aclose()
    with pytest.raises(GuestDied):
        await act(worker, "call")


async def test_a_worker_that_is_not_ready_in_time_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_process, "START_TIMEOUT_S", 0.1)
    with pytest.raises(EngineUnavailable, match="was not ready after"):
        await WorkerProcess.start(SETUP, [sys.executable, "-c", "import sys; sys.stdin.read()"])


async def test_a_worker_that_cannot_be_started_is_an_error_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="cannot be started"):
        await WorkerProcess.start(SETUP, [str(tmp_path / "no such program")])


async def test_the_error_of_a_worker_that_exits_before_it_is_ready_has_the_end_of_its_stderr() -> None:
    with pytest.raises(EngineUnavailable, match="exit code 7: no luck"):
        await WorkerProcess.start(
            SETUP,
            [sys.executable, "-c", "import os, sys; sys.stdin.buffer.read(5); os.write(2, b'no luck'); os._exit(7)"],
        )


async def test_a_worker_imports_none_of_the_servers_packages(worker: WorkerProcess) -> None:
    assert await act(worker, "modules") == []


async def test_a_worker_has_an_empty_environment(worker: WorkerProcess) -> None:
    assert await act(worker, "environment") == {}


@linux
async def test_a_worker_has_no_descriptors_besides_its_pipes_and_stderr(worker: WorkerProcess) -> None:
    inherited = os.open(os.devnull, os.O_RDONLY)
    os.set_inheritable(inherited, True)
    try:
        other = await start()
        found = await act(other, "descriptors")
        await other.aclose()
    finally:
        os.close(inherited)
    assert len(found) == 5  # stdin (devnull), stdout and stderr; the two ends of the pipe


@linux
@pytest.mark.parametrize("name", scripted_worker.ATTEMPTS)
async def test_a_sealed_worker_cannot(worker: WorkerProcess, name: str) -> None:
    if "no file, socket, process or foreign memory (seccomp)" not in worker.info.hardened:
        pytest.skip("this kernel has no seccomp filters")
    found = await act(worker, "attempts")
    assert found[name] == "PermissionError", found


@linux
async def test_a_worker_cannot_gain_privileges(worker: WorkerProcess) -> None:
    assert await act(worker, "no new privileges") == 1


@linux
async def test_a_workers_stderr_cannot_fill_the_disk(worker: WorkerProcess) -> None:
    assert await act(worker, "write 2 MiB to stderr") == "OSError"


@linux
async def test_measures_that_are_not_available_are_reported_with_the_reason(worker: WorkerProcess) -> None:
    info = worker.info
    assert {"dies with its parent", "no new privileges", "empty environment"} <= set(info.hardened)
    assert all(": " in each for each in info.not_hardened)


@linux
async def test_a_worker_dies_with_its_parent() -> None:
    """The parent is a process of this test: it starts a worker, prints its pid, and is killed."""
    program = (
        "import anyio, sys\nsys.path[:0] = sys.argv[1:]\n"
        "import scripted_worker\nfrom codeact_bridges.sandbox.worker_process import *\n"
        "async def main():\n"
        "    command = [*worker_command('scripted_worker'), sys.argv[1]]\n"
        "    w = await WorkerProcess.start(WorkerSetup('wasmtime', 64, 100_000), command)\n"
        "    print(w.pid, flush=True)\n    await anyio.sleep_forever()\n"
        "anyio.run(main)\n"
    )
    support = str(Path(scripted_worker.__file__).parent)
    with anyio.fail_after(GUARD_S):
        async with await anyio.open_process([sys.executable, "-c", program, support]) as parent:
            assert parent.stdout is not None
            pid = int((await parent.stdout.receive()).decode())
            ended = os.pidfd_open(pid)
            parent.kill()
            await anyio.wait_readable(ended)
            os.close(ended)
