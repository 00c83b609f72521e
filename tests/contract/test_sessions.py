"""Programs that run one after the other in the same guest, as a session's do."""

import random
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import anyio
import pytest
from lab import Lab, stderr

from codeact_bridges.runs.sessions import SessionLimits, open_sessions
from codeact_bridges.testing import ScriptedTools
from codeact_bridges.values import JsonValue, ToolValue


async def wait_forever(_: Mapping[str, JsonValue]) -> ToolValue:
    await anyio.sleep_forever()
    raise AssertionError


@pytest.fixture
async def session(lab: Lab) -> AsyncGenerator[dict[str, Any]]:
    """What `lab.run` needs to run a program in the same session every time."""
    async with (
        open_sessions(SessionLimits(), lab.launch, ()) as sessions,
        sessions.use("test", "s", reset=False) as session,
    ):
        yield {"workers": session, "configured": session.bridges()}


async def test_variables_functions_and_imports_stay_for_the_next_program(lab: Lab, session: dict[str, Any]) -> None:
    await lab.run("import math\nx = 20\ndef double(n):\n    return n * 2", **session)
    assert await lab.value("double(x) + math.floor(2.5)", **session) == 42


async def test_what_a_program_leaves_is_not_finalized_between_programs(lab: Lab, session: dict[str, Any]) -> None:
    program = "class Loud:\n    def __del__(self): print('gone')\nloud = Loud()"
    assert await lab.printed(program, **session) == ""
    assert await lab.value("type(loud).__name__", **session) == "Loud"


async def test_a_traceback_shows_each_programs_own_lines(lab: Lab, session: dict[str, Any]) -> None:
    await lab.run("# first\ndef fail():\n    raise ValueError('from the first')", **session)
    error = await lab.error("y = 1\nfail()", **session)
    assert error == (
        "Traceback (most recent call last):\n"
        '  File "program-2.py", line 2, in <module>\n    fail()\n    ~~~~^^\n'
        "  File \"program.py\", line 3, in fail\n    raise ValueError('from the first')\n"
        "ValueError: from the first\n"
    )


async def test_what_one_program_seeded_the_next_goes_on_with(lab: Lab, session: dict[str, Any]) -> None:
    await lab.run("import random\nrandom.seed(42)", **session)
    assert await lab.value("random.random()", **session) == random.Random(42).random()


async def test_a_program_that_raised_leaves_what_it_had_made(lab: Lab, session: dict[str, Any]) -> None:
    await lab.error("kept = 'here'\n1 / 0", **session)
    assert await lab.value("kept", **session) == "here"


async def test_asyncio_works_in_every_program(lab: Lab, session: dict[str, Any]) -> None:
    program = "import asyncio\nawait asyncio.gather(*[call_tool_async('echo', i=i) for i in range(2)])"
    for _ in range(2):
        assert await lab.value(program, **session) == [{"i": 0}, {"i": 1}]
    assert await lab.value("async def main(): return 5\nasyncio.run(main())", **session) == 5


async def test_exit_handlers_run_once_at_the_end_of_their_program(lab: Lab, session: dict[str, Any]) -> None:
    assert await lab.printed("import atexit; _ = atexit.register(print, 'end')", **session) == "end\n"
    assert await lab.printed("_ = 1", **session) == ""


async def test_what_was_pending_when_a_program_ended_is_named_once_and_given_up(
    lab: Lab, session: dict[str, Any]
) -> None:
    began = """
        import asyncio
        from concurrent.futures import ThreadPoolExecutor
        async def forever():
            await asyncio.Event().wait()
        task = asyncio.create_task(forever())
        future = ThreadPoolExecutor().submit(call_tool, "t.wait")
    """
    tools = ScriptedTools({"t.wait": wait_forever})
    said = stderr(await lab.run(began, tools, **session))
    assert "before task 'forever' was done" in said
    assert "before 1 executor call finished" in said
    result = await lab.run("[task.cancelled(), future.cancelled()]", tools, **session)
    assert result.value is not None
    assert (result.value.text, stderr(result)) == ("[true, true]", "")
