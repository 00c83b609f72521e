"""Runs, questions, handles and sessions through a process of its own, over stdio, in both eras."""

from collections.abc import AsyncGenerator
from pathlib import Path

import anyio
import pytest
from apps import ERAS, Era, Person, execute, handle_in, warmed_up
from served import Commands, Seen, Served, server, until

pytestmark = pytest.mark.parametrize("era", ERAS)
GUARD_S = 60


@pytest.fixture
async def served(commands: Commands) -> AsyncGenerator[Served]:
    config = commands.config({"shop": server("shop.py")}, answer_after_s=2, engine="wasmtime")
    async with commands.serving("stdio", "--config", config) as served:
        yield served


async def test_a_person_is_asked_in_the_middle_of_a_run(served: Served, era: Era) -> None:
    person = Person(["once", "no"])
    program = """
done = call_tool("shop.drop", item=1)
try:
    call_tool("shop.drop", item=2)
except PermissionError as exc:
    refused = exc.reason.partition(". ")[0]
done, refused
"""
    with anyio.fail_after(GUARD_S):
        async with served.client(era, elicitation_callback=person) as client:
            await warmed_up(client)
            failed, text = await execute(client, program)

    assert (failed, text) == (
        False,
        '["drop: 1", "it needs approval (the tool says that it is destructive), and the user said no"]',
    )
    assert "in its line 2: done = call_tool(" in person.shown[0]
    assert '"item": 2' in person.shown[1]


async def test_a_client_that_cannot_ask_is_refused(served: Served, era: Era) -> None:
    with anyio.fail_after(GUARD_S):
        async with served.client(era) as client:
            await warmed_up(client)
            failed, text = await execute(client, "call_tool('shop.drop', item=1)")

    assert failed
    assert "this client cannot ask its user" in text
    assert ' as the first of codeact.policy.rules:\n{"tool": "shop.drop", "action": "allow"}\n' in text
    assert text.splitlines()[-2:] == [
        "None of them changed anything. The whole program can be run again.",
        "Calls that the configuration does not allow will be refused again.",
    ]


async def test_a_client_that_vanishes_while_asked_leaves_nothing_behind(served: Served, era: Era) -> None:
    person = Person(["once"], may_answer=anyio.Event())
    below: set[Seen] = set()
    with anyio.fail_after(GUARD_S):
        async with served.client(era, elicitation_callback=person) as client, anyio.create_task_group() as tasks:
            await warmed_up(client)
            tasks.start_soon(execute, client, "call_tool('shop.drop', item=1)")
            await person.asked.wait()
            below = served.below()
            tasks.cancel_scope.cancel()
        await served.end_of_stdin()
        assert await served.ended() == 0
        await until(lambda: not any(seen.is_there for seen in below))

    assert len(below) >= 2, "the shop and a worker"


async def test_a_long_run_in_a_session_answers_with_a_handle_and_is_stopped_by_it(
    served: Served, era: Era, tmp_path: Path
) -> None:
    with anyio.fail_after(GUARD_S):
        async with served.client(era) as client:
            await warmed_up(client)
            await execute(client, "a = 1", session="s")
            path = str(tmp_path / "mark")
            failed, text = await execute(client, f"print(a)\ncall_tool('shop.hang', path={path!r})", session="s")
            assert (failed, text.startswith("[stdout]\n1\n[still running")) == (False, True)
            failed, text = await execute(client, run=handle_in(text), cancel=True)
            await until((tmp_path / "mark.cancelled").exists)
            after = await execute(client, "a", session="s")

    assert failed
    assert "[failed] stopped on request" in text
    assert "- shop.hang: interrupted (may have taken effect)" in text
    assert "are lost" in after[1]
