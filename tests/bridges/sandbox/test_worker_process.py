"""A worker process, real but for its engine: what the host makes of whatever it does, and what it cannot do.

The acts are in `tests/support/scripted_worker.py`; each runs inside a worker that was started and sealed as any.
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
    """Echoes, and keeps what was printed."""

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
    """What an act found."""
    return json.loads(await worker.run(json.dumps({"code": name}), host or Host()))


def exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def test_a_question_gets_its_answer(worker: WorkerProcess) -> None:
    assert await act(worker, "ask") == {"a": 1}


async def test_a_question_that_is_refused_is_answered_with_the_error(worker: WorkerProcess) -> None:
    class Refuses(Host):
        async def call(self, operation: str, text: str) -> str:
            raise BudgetSpent("tool calls", 5, "codeact.limits.tool_calls")

    with pytest.raises(GuestDied, match="BudgetSpent"):  # the scripted engine does not catch it
        await act(worker, "ask", Refuses())


async def test_after_a_run_the_worker_may_be_renewed_and_used_again(worker: WorkerProcess) -> None:
    for _ in range(3):
        assert await act(worker, "ask") == {"a": 1}
        await worker.renew()


async def test_a_fresh_guest_is_warmed_up_while_nobody_waits_for_it(worker: WorkerProcess) -> None:
    pause_s = 0.01
    while not await act(worker, "warm"):
        await worker.renew()
        await anyio.sleep(pause_s := pause_s * 2)


async def test_what_a_library_prints_does_not_get_between_the_frames(worker: WorkerProcess) -> None:
    assert await act(worker, "print to stdout") == 17
    assert await act(worker, "ask") == {"a": 1}


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
        "questions without waiting",
    ],
)
async def test_a_worker_that_breaks_the_protocol_is_not_believed_any_more(worker: WorkerProcess, name: str) -> None:
    with pytest.raises(GuestDied, match="the sandbox process broke its protocol"):
        await act(worker, name)


async def test_a_worker_that_dies_in_the_middle_of_a_frame_has_died(worker: WorkerProcess) -> None:
    with pytest.raises(GuestDied, match="ended with exit code 0"):
        await act(worker, "half a frame")


async def test_a_worker_that_dies_leaves_its_exit_code_and_its_last_words(worker: WorkerProcess) -> None:
    with pytest.raises(GuestDied) as caught:
        await act(worker, "say a lot and die")
    assert caught.value.reason.startswith("the sandbox process ended with exit code 3: ")
    assert caught.value.reason.endswith("noise\nthe last words")
    assert len(caught.value.reason) < 2_100


async def test_a_worker_that_a_signal_ended_says_which(worker: WorkerProcess) -> None:
    with pytest.raises(GuestDied, match="was killed by SIGABRT"):
        await act(worker, "be killed")


async def test_a_guest_that_trapped_says_why(worker: WorkerProcess) -> None:
    with pytest.raises(GuestDied, match="the guest tripped"):
        await act(worker, "trap")


async def test_a_guest_that_ends_without_an_outcome_has_died(worker: WorkerProcess) -> None:
    with pytest.raises(GuestDied, match="without an outcome"):
        await act(worker, "no outcome")


@linux
@pytest.mark.parametrize("name", ["spin", "wait"])
async def test_a_worker_that_does_not_stop_is_killed_at_the_deadline(worker: WorkerProcess, name: str) -> None:
    with anyio.move_on_after(0.05) as scope:
        await act(worker, name)
    await worker.aclose()
    assert scope.cancelled_caught
    assert not exists(worker.pid)


@linux
async def test_a_worker_is_gone_when_its_owner_was_cancelled_while_it_closed_it() -> None:
    worker = await start()
    with anyio.CancelScope() as scope:
        try:
            scope.cancel()
            await anyio.sleep_forever()
        finally:
            await worker.aclose()
    assert not exists(worker.pid)


@linux
async def test_a_worker_is_gone_when_its_start_was_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
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


async def test_a_start_that_is_cancelled_before_there_is_a_process_leaves_no_file_open() -> None:
    with anyio.CancelScope() as scope:
        scope.cancel()
        await start()
    gc.collect()  # an open file that is collected warns, which fails this test


async def test_closing_twice_is_closing_once(worker: WorkerProcess) -> None:
    await worker.aclose()
    await worker.aclose()
    with pytest.raises(GuestDied):
        await act(worker, "ask")


async def test_a_worker_that_is_not_ready_in_time_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_process, "START_TIMEOUT_S", 0.1)
    with pytest.raises(EngineUnavailable, match="was not ready after"):
        await WorkerProcess.start(SETUP, [sys.executable, "-c", "import sys; sys.stdin.read()"])


async def test_a_worker_that_cannot_be_started_is_a_reason_and_not_a_crash(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="cannot be started"):
        await WorkerProcess.start(SETUP, [str(tmp_path / "no such program")])


async def test_a_worker_that_ends_before_it_is_ready_says_its_last_words() -> None:
    with pytest.raises(EngineUnavailable, match="exit code 7: no luck"):
        await WorkerProcess.start(
            SETUP,
            [sys.executable, "-c", "import os, sys; sys.stdin.buffer.read(5); os.write(2, b'no luck'); os._exit(7)"],
        )


async def test_a_worker_imports_nothing_of_the_servers(worker: WorkerProcess) -> None:
    assert await act(worker, "modules") == []


async def test_a_worker_has_an_empty_environment(worker: WorkerProcess) -> None:
    assert await act(worker, "environment") == {}


@linux
async def test_a_worker_has_its_pipes_and_its_stderr_and_no_other_descriptor(worker: WorkerProcess) -> None:
    inherited = os.open(os.devnull, os.O_RDONLY)
    os.set_inheritable(inherited, True)
    try:
        other = await start()
        found = await act(other, "descriptors")
        await other.aclose()
    finally:
        os.close(inherited)
    assert len(found) == 5  # stdin and stdout lead nowhere, stderr; the two ends of the pipe


@linux
@pytest.mark.parametrize("name", scripted_worker.ATTEMPTS)
async def test_a_sealed_worker_cannot(worker: WorkerProcess, name: str) -> None:
    if "no file, socket, process or foreign memory (seccomp)" not in worker.info.hardened:
        pytest.skip("this kernel has no seccomp filters")
    found = await act(worker, "attempts")
    assert found[name] == "PermissionError", found


@linux
async def test_a_worker_can_gain_no_privileges(worker: WorkerProcess) -> None:
    assert await act(worker, "no new privileges") == 1


@linux
async def test_a_workers_stderr_cannot_fill_the_disk(worker: WorkerProcess) -> None:
    assert await act(worker, "write 2 MiB to stderr") == "OSError"


@linux
async def test_what_could_not_be_applied_is_told_with_its_reason(worker: WorkerProcess) -> None:
    info = worker.info
    assert {"dies with its parent", "no new privileges", "empty environment"} <= set(info.hardened)
    assert all(": " in each for each in info.not_hardened)


@linux
async def test_a_worker_dies_with_its_parent() -> None:
    """The parent is a process of the test's that starts a worker, says its number, and is killed."""
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
