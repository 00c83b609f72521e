"""Deadlines, sizes, memory and depth: an error that can be caught where that can be, else an end with its reason."""

from collections.abc import Mapping

import anyio
import pytest
from lab import Lab, stdout
from meeting import Meeting

from codeact_bridges.limits import Limits
from codeact_bridges.testing import ScriptedTools, echo
from codeact_bridges.values import Data, Failure, JsonValue, ToolValue

STUCK = {
    "a loop": "while True: pass",
    "a sleep": "import time; time.sleep(1_000)",
    "a sleep in asyncio": "import asyncio; await asyncio.sleep(1_000)",
    "a regular expression": "import re; re.match('(a+)+b', 'a' * 60)",
    "one long operation": "x = 7 ** (10 ** 8)",
    "a flood of output": "while True:\n    try: print('x' * 1_000)\n    except BudgetSpent: pass",
    "a caught exception": "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
    "a finalizer": "class A:\n    def __del__(self):\n        while True: pass\na = A()",
    "an exit handler": "import atexit\n@atexit.register\ndef f():\n    while True: pass",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", STUCK)
async def test_whatever_a_program_is_stuck_in_ends_at_the_deadline_and_the_next_run_is_well(
    lab: Lab, name: str
) -> None:
    result = await lab.run(STUCK[name], deadline_s=0.7)
    assert result.failure is not None
    assert result.failure.kind == "deadline"
    assert "stopped after 0.7 s" in result.failure.message
    assert await lab.value("6 * 7") == 42


async def test_a_run_that_is_cancelled_cancels_its_calls_and_gives_the_worker_back(lab: Lab) -> None:
    started, cancelled = anyio.Event(), anyio.Event()

    async def wait(_: Mapping[str, JsonValue]) -> ToolValue:
        started.set()
        try:
            await anyio.sleep_forever()
        finally:
            cancelled.set()
        raise AssertionError

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lab.run, "call_tool('wait')", ScriptedTools({"t.wait": wait}))
        await started.wait()
        tasks.cancel_scope.cancel()
    assert cancelled.is_set()
    assert await lab.value("1") == 1


async def test_a_tool_result_of_five_megabytes_arrives(lab: Lab) -> None:
    async def big(_: Mapping[str, JsonValue]) -> ToolValue:
        return Data([{"i": i, "text": "ü" * 100} for i in range(20_000)])

    assert await lab.value("r = call_tool('big'); [len(r), r[-1]['i'], r[9]['text'] == 'ü' * 100]", ScriptedTools({"t.big": big})) == [
        20_000, 19_999, True,
    ]  # fmt: skip


async def test_a_tool_argument_of_two_megabytes_arrives(lab: Lab) -> None:
    tools = ScriptedTools()
    assert await lab.value("len(call_tool('echo', v='x' * 2_000_000)['v'])", tools) == 2_000_000
    assert tools.called == [("test.echo", {"v": "x" * 2_000_000})]


async def test_a_program_of_one_megabyte_runs(lab: Lab) -> None:
    filler = "# ü\n" * 199_000
    assert await lab.value(f"{filler}x = 5\nx") == 5


@pytest.mark.parametrize("length", [0, 3_800, 3_900, 4_000, 5_000, 20_000])
async def test_a_program_arrives_letter_by_letter_whichever_way_its_length_takes(lab: Lab, length: int) -> None:
    text = "'\"\\ {} {0} \\N{BULLET} \x00 \r\n\u2028 ü 😀" + "x" * length
    assert await lab.value(f'# ü \' """ {{}}\n[{text!r}]') == [text]


async def test_a_value_of_megabytes_is_cut_at_the_limit(lab: Lab) -> None:
    result = await lab.run("'x' * 3_000_000", limits=Limits(output_bytes=10_000))
    assert result.value is not None
    assert (result.value.text, result.value.tail) == ('"' + "x" * 4_999 + "…", "…" + "x" * 4_999 + '"')
    assert result.value.cut_bytes == 3_000_002 - 10_000


async def test_a_message_over_the_limit_is_an_error_that_names_the_setting(lab: Lab) -> None:
    error = await lab.error("call_tool('echo', v='x' * 17_000_000)")
    assert "codeact.limits.message_bytes" in error
    assert (
        await lab.value("try:\n    call_tool('echo', v='x' * 17_000_000)\nexcept ValueError:\n    r = 'caught'\nr")
        == "caught"
    )


async def test_a_result_over_the_limit_is_a_tool_error(lab: Lab) -> None:
    async def big(_: Mapping[str, JsonValue]) -> ToolValue:
        return Data("x" * 200_000)

    error = await lab.error("call_tool('big')", ScriptedTools({"t.big": big}), limits=Limits(message_bytes=100_000))
    assert "codeact.limits.message_bytes" in error


async def test_a_program_over_its_limit_is_not_run(lab: Lab) -> None:
    result = await lab.run("#" * 101, limits=Limits(code_bytes=100))
    assert result.failure is not None
    assert result.failure.kind == "refused"
    assert "101 bytes long; 100 are allowed (setting codeact.limits.code_bytes)" in result.failure.message


async def test_calls_beyond_the_budget_raise_and_are_not_made(lab: Lab) -> None:
    tools = ScriptedTools({"t.echo": echo})
    program = """
        n = 0
        try:
            while True:
                call_tool("echo", n=n)
                n += 1
        except BudgetSpent as e:
            r = [n, str(e)]
        r
    """
    assert await lab.value(program, tools, limits=Limits(tool_calls=3)) == [
        3,
        "this run has used its 3 tool calls (setting codeact.limits.tool_calls)",
    ]
    assert len(tools.called) == 3


DEEP = {
    "Python calls": ("def f(n): return f(n + 1)\nf(0)", "RecursionError"),
    "attribute look-ups": ("class A:\n    def __getattr__(self, n): return getattr(self, n)\nA().x", "RecursionError"),
    "JSON": ("import json; json.loads('[' * 100_000)", "RecursionError"),
    "a parser": ("eval('(' * 10_000)", "MemoryError"),
    "a copy": ("import copy\nx = []\nfor _ in range(100_000): x = [x]\ncopy.deepcopy(x)", "RecursionError"),
    "a repr": ("x = []\nfor _ in range(100_000): x = [x]\nlen(repr(x))", "RecursionError"),
    "comparisons": ("a, b = [], []\nfor _ in range(100_000): a, b = [a], [b]\na == b", "RecursionError"),
}


@pytest.mark.parametrize("name", DEEP)
async def test_recursion_that_is_too_deep_is_an_error_or_an_end_with_its_reason(lab: Lab, name: str) -> None:
    program, error = DEEP[name]
    result = await lab.run(f"print('before')\n{program}")
    assert stdout(result) == "before\n"
    assert result.failure is not None
    if lab_can_raise(lab) or result.failure.kind == "raised":
        assert result.failure.message.strip().splitlines()[-1].startswith(error), result.failure
    else:
        assert result.failure.kind == "died"
    assert await lab.value("1") == 1


async def test_a_recursion_error_can_be_caught(lab: Lab) -> None:
    assert await lab.value("def f(): f()\ntry:\n    f()\nexcept RecursionError:\n    r = 'caught'\nr") == "caught"


GREEDY = {
    "one string": "'a' * 10**9",
    "many strings": "x = []\nwhile True: x.append('a' * 1_000_000 + str(len(x)))",
    "many small objects": "x = []\nwhile True: x.append(object())",
    "a dictionary": "x, i = {}, 0\nwhile True:\n    x[i] = [i]; i += 1",
    "nothing else left": "x = [0]\nwhile True: x = x + x",
}


@pytest.mark.parametrize("name", GREEDY)
async def test_memory_that_runs_out_is_a_memory_error_or_an_end_that_says_so(lab: Lab, name: str) -> None:
    result = await lab.run(f"print('before')\n{GREEDY[name]}")
    assert stdout(result) == "before\n"
    assert result.failure is not None
    if lab_can_raise(lab) or result.failure.kind == "raised":
        said = result.failure.message.strip().splitlines()[-1]
        assert said == "MemoryError: memory is limited by codeact.limits.memory_mib"
    else:
        assert "memory" in result.failure.message
    assert await lab.value("1") == 1


async def test_others_do_not_notice_a_run_that_dies(lab: Lab) -> None:
    meeting, dead = Meeting(size=2), anyio.Event()
    results: list[object] = []
    failures: list[Failure | None] = []

    async def outlive(_: Mapping[str, JsonValue]) -> ToolValue:
        await dead.wait()
        return Data("outlived it")

    tools = ScriptedTools({**meeting.tools.scripts, "t.outlive": outlive})

    async def well() -> None:
        results.append(await lab.value("call_tool('meet')\ncall_tool('outlive')", tools))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(well)
        failures.append((await lab.run("call_tool('meet')\nimport os; os._exit(9)", tools)).failure)
        dead.set()
    assert [failure and failure.kind for failure in failures] == ["died"]
    assert results == ["outlived it"]


def lab_can_raise(lab: Lab) -> bool:
    """Whether the engine lets CPython see the end of its memory and its stack. A micro-VM's guest is aborted instead."""
    return lab.engine != "hyperlight"
