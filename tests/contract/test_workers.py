"""The contract of a worker towards the pool and a run: the real process, and the double that other tests use."""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeAlias

import anyio
import pytest

from codeact_bridges.errors import BadGuestCall, BridgeError, GuestDied
from codeact_bridges.sandbox.engine_selection import EngineName, EngineSettings, open_engine
from codeact_bridges.sandbox.pool import PoolSize, open_pool
from codeact_bridges.sandbox.port import GuestHost, Worker
from codeact_bridges.testing import ScriptedWorker

GUARD_S = 60

Launch: TypeAlias = Callable[[], Awaitable[Worker]]

PROGRAMS = {
    "answer": "print('out'); http_get('question')",
    "spin": "print('spinning')\nwhile True: pass",
    "die": "import os; os._exit(1)",
}
"""The programs that make a real guest do what `acting` does."""


async def acting(begin: str, host: GuestHost) -> str:
    """The double's guest."""
    match json.loads(begin)["code"]:
        case "answer":
            host.printed(1, "out\n")
            try:
                text = await host.call("network.request", '{"url":"question"}')
                return json.dumps({"kind": "returned", "form": "json", "text": text})
            except BridgeError as exc:
                return json.dumps({"kind": "raised", "traceback": str(exc)})
        case "spin":
            host.printed(1, "spinning\n")
            await anyio.sleep_forever()
            raise AssertionError
        case _:
            raise GuestDied("died on request")


class Host:
    """Answers every call with an error with this text."""

    def __init__(self, answer: str = "answered") -> None:
        self.printed_text = ""
        self.printed_something = anyio.Event()
        self._answer = answer

    async def call(self, operation: str, text: str) -> str:
        raise BadGuestCall(self._answer)

    def printed(self, channel: int, text: str) -> None:
        self.printed_text += text
        self.printed_something.set()


@pytest.fixture(params=["double", "process"])
async def launch(
    request: pytest.FixtureRequest, engine: EngineName, guest_cache: Path
) -> AsyncGenerator[tuple[Launch, bool]]:
    """A function that starts workers, and whether they are real."""
    if request.param == "double":

        async def make() -> Worker:
            return ScriptedWorker(acting)

        yield make, False
        return
    async with open_engine(EngineSettings(engine, 128, 1_000_000, guest_cache), lambda _: None) as real:
        yield real, True


@asynccontextmanager
async def started(launch: tuple[Launch, bool]) -> AsyncGenerator[Worker]:
    with anyio.fail_after(GUARD_S):
        worker = await launch[0]()
        try:
            yield worker
        finally:
            await worker.aclose()


def begin(launch: tuple[Launch, bool], act: str) -> str:
    return json.dumps({"code": PROGRAMS[act] if launch[1] else act})


async def test_a_run_prints_calls_its_host_and_returns_its_outcome(launch: tuple[Launch, bool]) -> None:
    host = Host()
    async with started(launch) as worker:
        outcome = json.loads(await worker.run(begin(launch, "answer"), host))
    assert host.printed_text == "out\n"
    assert outcome["kind"] == "raised"
    assert "answered" in outcome["traceback"]


async def test_the_guest_can_handle_a_refusal_and_its_worker_stays_usable(launch: tuple[Launch, bool]) -> None:
    async with started(launch) as worker:
        first = json.loads(await worker.run(begin(launch, "answer"), Host("refused")))
        await worker.renew()
        second = json.loads(await worker.run(begin(launch, "answer"), Host("refused")))
    assert "refused" in first["traceback"]
    assert second["kind"] == "raised"


async def test_a_run_whose_guest_dies_raises_and_closing_the_worker_again_does_nothing(
    launch: tuple[Launch, bool],
) -> None:
    async with started(launch) as worker:
        with pytest.raises(GuestDied):
            await worker.run(begin(launch, "die"), Host())
        await worker.aclose()


async def test_closing_a_worker_ends_its_run(launch: tuple[Launch, bool]) -> None:
    host, ended = Host(), anyio.Event()

    async def run(worker: Worker) -> None:
        with pytest.raises(GuestDied):
            await worker.run(begin(launch, "spin"), host)
        ended.set()

    async with started(launch) as worker, anyio.create_task_group() as tasks:
        tasks.start_soon(run, worker)
        await host.printed_something.wait()
        await worker.aclose()
        await ended.wait()
    assert host.printed_text == "spinning\n"


async def test_a_pool_renews_a_worker_after_a_clean_run_and_replaces_it_after_a_failed_one(
    launch: tuple[Launch, bool],
) -> None:
    with anyio.fail_after(GUARD_S):
        async with open_pool(launch[0], PoolSize(spare=0, max_workers=1)) as pool:
            async with pool.worker() as first:
                await first.run(begin(launch, "answer"), Host())
            async with pool.worker() as again:
                assert again is first
            with pytest.raises(GuestDied):
                async with pool.worker() as dying:
                    await dying.run(begin(launch, "die"), Host())
            async with pool.worker() as other:
                assert other is not first
                await other.run(begin(launch, "answer"), Host())
