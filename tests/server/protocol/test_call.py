"""Several requests about the same run: handles, cancellation, sessions, stored results, progress."""

import logging
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import anyio
import pytest
from apps import ERAS, GUARD_S, SHOP, Era, execute, handle_in, opened, there, warmed_up
from served import text_of

from codeact_bridges.runs.handle import RunHandle
from codeact_bridges.runs.sessions import SessionLimits
from codeact_bridges.sandbox.component_cache import COMPILE_TIMEOUT_S

HANG = "print('begun')\ncall_tool('shop.buy', item=1)\ncall_tool('shop.hang', path={!r})"


@pytest.mark.parametrize("era", ERAS)
async def test_a_long_run_answers_with_a_handle_and_continues(
    environment: Mapping[str, str], era: Era, tmp_path: Path
) -> None:
    program = "print('one')\ncall_tool('shop.hang', path={!r})"
    with anyio.fail_after(GUARD_S):
        async with opened(environment) as opening, opening.client(era) as client:
            await warmed_up(client)
            opening.answer_after(0)
            failed, text = await execute(client, program.format(str(tmp_path / "a")))
            await there(tmp_path / "a")
            handle = handle_in(text)
            assert (failed, "still running; 0 tool calls so far" in text) == (False, True)
            still = await execute(client, run=handle)
            assert still[1].startswith("one\n[still running")
            assert handle_in(still[1]) == handle
            opening.answer_after(60)
            failed, text = await execute(client, run=handle, cancel=True)
            assert failed
            assert text.startswith("[failed] stopped on request\nTool calls made before the failure: 1\n")
            failed, text = await execute(client, run=handle)
            assert (failed, text.startswith("there is no run")) == (True, True)


@pytest.mark.parametrize("era", ERAS)
async def test_a_first_run_says_that_the_sandbox_is_being_prepared_until_its_program_begins(
    environment: Mapping[str, str], era: Era, tmp_path: Path
) -> None:
    """Without a compiled guest. Compiling takes seconds, in which a client waits, comes back and waits again."""
    came: list[str] = []
    told = anyio.Event()

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        came.append(message or "")
        told.set()

    with anyio.fail_after(COMPILE_TIMEOUT_S):
        async with (
            opened({**environment, "XDG_CACHE_HOME": str(tmp_path)}) as opening,
            opening.client(era) as client,
            anyio.create_task_group() as tasks,
        ):
            opening.answer_after(COMPILE_TIMEOUT_S)
            keeps_waiting = {"code": "print('begun')\n42"}
            tasks.start_soon(partial(client.call_tool, "execute_code", keeps_waiting, progress_callback=on_progress))
            await told.wait()
            opening.answer_after(0.1)
            _, text = await execute(client, "6 * 7", session="s")
            opening.answer_after(COMPILE_TIMEOUT_S)
            result = await execute(client, run=handle_in(text))
            assert text.startswith("[preparing the sandbox, once; 0 tool calls so far] Call execute_code(run=")
            assert result[0] is False
            assert "42" in result[1]

    assert came[0] == "preparing the sandbox, once"
    assert came[1:] in (["begun"], [])


@pytest.mark.parametrize("era", ERAS)
async def test_a_result_without_a_waiting_request_is_retained_until_it_is_fetched_once(
    environment: Mapping[str, str], era: Era
) -> None:
    with anyio.fail_after(GUARD_S):
        async with opened(environment) as opening, opening.client(era) as client:
            opening.answer_after(0)
            _, text = await execute(client, "print('a')\n42")
            (handle,) = opening.app.runs
            await handle.over.wait()
            first = await execute(client, run=handle_in(text))
            second = await execute(client, run=handle_in(text))

    assert first == (False, "a\n[result]\n42")
    assert second[0] is True
    assert len(opening.app.runs) == 0


@pytest.mark.parametrize("era", ERAS)
async def test_cancelling_the_request_cancels_the_downstream_call_and_forgets_the_run(
    environment: Mapping[str, str], era: Era, tmp_path: Path
) -> None:
    with anyio.fail_after(GUARD_S):
        async with opened(environment) as opening, opening.client(era) as client:
            runs: list[RunHandle] = []
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(execute, client, HANG.format(str(tmp_path / "mark")))
                await there(tmp_path / "mark")
                runs += opening.app.runs
                tasks.cancel_scope.cancel()
            await there(tmp_path / "mark.cancelled")
            await runs[0].over.wait()

            assert len(opening.app.runs) == 0
            assert await execute(client, "'still usable'") == (False, '"still usable"')


async def test_a_run_that_waits_for_its_session_can_be_cancelled_at_once(
    environment: Mapping[str, str], tmp_path: Path
) -> None:
    with anyio.fail_after(GUARD_S):
        async with opened(environment) as opening, opening.client("auto") as client:
            opening.answer_after(0)
            long = await execute(client, f"call_tool('shop.hang', path={str(tmp_path / 'a')!r})", session="s")
            await there(tmp_path / "a")
            waiting = await execute(client, "1", session="s")
            opening.answer_after(60)
            stopped = await execute(client, run=handle_in(waiting[1]), cancel=True)
            await execute(client, run=handle_in(long[1]), cancel=True)

    assert stopped == (True, "[failed] stopped on request, before the program began")


@pytest.mark.parametrize("era", ERAS)
async def test_a_session_keeps_variables_and_its_tracebacks_show_the_programs_lines(
    environment: Mapping[str, str], era: Era
) -> None:
    with anyio.fail_after(GUARD_S):
        async with opened(environment) as opening, opening.client(era) as client:
            first = await execute(client, "import json\ntotal = 40\ndef add(n):\n    return total + n\n", session="s")
            went_on = await execute(client, "json.dumps(add(2))", session="s")
            failed = await execute(client, "x = 1\nadd('2')", session="s")
            other = await execute(client, "total", session="t")
            none = await execute(client, "total")

    assert first[1].endswith("[session 's' started empty; pass session='s' to continue it]")
    assert went_on == (False, "\"42\"\n[session 's' continued]")
    assert "line 2, in <module>\n    add('2')" in failed[1]
    assert "line 4, in add\n    return total + n" in failed[1]
    assert failed[1].endswith("[session 's' continued]")
    assert "NameError" in other[1]
    assert "NameError" in none[1]


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("while True: pass", "its last program was stopped"),
        ("x = bytearray(10**9)\nimport ctypes", None),
    ],
)
async def test_a_session_whose_program_was_stopped_is_lost_and_says_so(
    environment: Mapping[str, str], program: str, why: str | None
) -> None:
    with anyio.fail_after(GUARD_S):
        async with opened(environment) as opening, opening.client("auto") as client:
            await execute(client, "a = 1", session="s")
            ended = await execute(client, program, session="s", timeout_s=0.5)
            after = await execute(client, "a", session="s")
            reset = await execute(client, "'a' in globals()", session="s", reset=True)

    assert ended[0]
    if why is not None:
        assert "[session 's' and its variables are lost: pass reset=true to start it again]" in ended[1]
        assert after == (
            True,
            f"[failed] session 's' and its variables are lost: {why}. Pass reset=true to start it again",
        )
    else:  # a MemoryError that the program can catch does not end the session
        assert after == (False, "1\n[session 's' continued]")
    assert reset[1].startswith("false\n[session 's' started empty")


async def test_an_idle_session_is_closed_and_the_next_program_is_told(environment: Mapping[str, str]) -> None:
    with anyio.fail_after(GUARD_S):
        async with (
            opened(environment, sessions=SessionLimits(idle_s=100)) as opening,
            opening.client("auto") as client,
        ):
            await execute(client, "a = 1", session="s")
            opening.app.sessions.tidy(anyio.current_time() + 99)
            still_open = await execute(client, "a", session="s")
            opening.app.sessions.tidy(anyio.current_time() + 101)
            lost = await execute(client, "a", session="s")

    assert still_open[0] is False
    assert lost[0] is True
    assert "it was not used for 100 s (setting codeact.sessions.idle_s)" in lost[1]


async def test_beyond_the_limit_of_sessions_the_least_recently_used_is_closed(environment: Mapping[str, str]) -> None:
    with anyio.fail_after(GUARD_S):
        async with opened(environment, sessions=SessionLimits(max=1)) as opening, opening.client("auto") as client:
            await execute(client, "a = 1", session="s")
            newer = await execute(client, "2", session="t")
            lost = await execute(client, "a", session="s")

    assert newer == (False, "2\n[session 't' started empty; pass session='t' to continue it]")
    assert lost[0] is True
    assert "it made room for a newer session (setting codeact.sessions.max)" in lost[1]


async def test_programs_in_one_session_run_one_after_the_other(environment: Mapping[str, str]) -> None:
    async with opened(environment) as opening, opening.client("auto") as client:
        with anyio.fail_after(GUARD_S):
            await execute(client, "seen = []", session="s")
            async with anyio.create_task_group() as tasks:
                for n in range(3):
                    program = f"seen.append({n})\ncall_tool('shop.look')\nseen.append({n})"
                    tasks.start_soon(lambda program=program: execute(client, program, session="s"))  # type: ignore[misc]
            _, text = await execute(client, "seen[0::2] == seen[1::2] and sorted(seen)", session="s")

    assert text.startswith("[0, 0, 1, 1, 2, 2]")


async def test_a_reset_ends_the_program_that_runs_in_the_session(
    environment: Mapping[str, str], tmp_path: Path
) -> None:
    texts: list[str] = []
    with anyio.fail_after(GUARD_S):
        async with opened(environment) as opening, opening.client("auto") as client:

            async def first() -> None:
                texts.append((await execute(client, HANG.format(str(tmp_path / "mark")), session="s"))[1])

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(first)
                await there(tmp_path / "mark")
                assert await execute(client, "1", session="s", reset=True) == (
                    False,
                    "1\n[session 's' started empty; pass session='s' to continue it]",
                )

    assert texts[0].startswith("begun\n[failed] the session was ended meanwhile: it was reset")
    assert "- shop.hang: interrupted (may have taken effect)" in texts[0]


async def test_a_long_program_in_a_session_answers_with_a_handle_and_the_session_continues(
    environment: Mapping[str, str],
) -> None:
    with anyio.fail_after(GUARD_S):
        async with opened(environment) as opening, opening.client("auto") as client:
            await execute(client, "a = 1", session="s")
            opening.answer_after(0.01)
            _, text = await execute(client, "import time\ntime.sleep(0.2)\na += 1\na", session="s")
            opening.answer_after(60)
            result = await execute(client, run=handle_in(text))
            after = await execute(client, "a", session="s")

    assert "[still running" in text
    assert result == (False, "2\n[session 's' continued]")
    assert after[1].startswith("2\n")


@pytest.mark.parametrize("era", ERAS)
async def test_a_long_result_is_stored_and_read_by_a_later_program_and_by_the_client_in_slices(
    environment: Mapping[str, str], era: Era
) -> None:
    with anyio.fail_after(GUARD_S):
        async with (
            opened(environment, limits={"output_bytes": 1_000}) as opening,
            opening.client(era) as client,
        ):
            result = await client.call_tool("execute_code", {"code": "print('y' * 2_000)\nlist(range(1_000))"})
            text = text_of(result)
            printed, value = re.findall(r'load_result\("(result://\w+)"\)', text)
            total = await execute(client, f"sum(load_result({value!r})), len(load_result({printed!r}))")
            listed = [resource.uri for resource in (await client.list_resources()).resources]
            piece = (await client.read_resource(f"{value}?offset=1&length=4")).contents[0]
            saved = (await execute(client, "save_result({'a': 1})"))[1].strip('"')
            loaded = await execute(client, f"load_result({saved!r})['a']")

    assert '[stored] the whole value, 4,890 bytes: read it in a later program with load_result("result://' in text
    assert total == (False, "[499500, 2001]")
    assert listed == [value, printed]
    assert getattr(piece, "text", None) == "0, 1"
    assert loaded == (False, "1")


@pytest.mark.parametrize(
    ("era", "name", "limits", "shown"),
    [
        ("auto", "mcp", {}, 8_000),
        ("auto", "codex-mcp-client", {}, 5_000),
        ("legacy", "opencode", {}, 16_000),
        ("legacy", "opencode", {"output_bytes": 2_000}, 2_000),
    ],
)
async def test_a_client_gets_as_much_as_it_shows_unless_the_operator_says_how_much(
    environment: Mapping[str, str], era: Era, name: str, limits: dict[str, int], shown: int
) -> None:
    with anyio.fail_after(GUARD_S):
        async with opened(environment, limits=limits) as opening, opening.client(era, name=name) as client:
            _, text = await execute(client, "print('p' * 99_999)\n'v' * 99_998")

    letters = {letter: sum(map(len, re.findall(letter + "{9,}", text))) for letter in "pv"}
    assert letters == {"p": shown - 1, "v": shown - 2}, "a line end is printed, and JSON has two quotes"


@pytest.mark.parametrize("era", ERAS)
async def test_what_a_handles_answer_leaves_out_is_stored_with_the_result(
    environment: Mapping[str, str], era: Era, tmp_path: Path
) -> None:
    program = f"""
for number in range(5_000):
    print("line", number)
call_tool("shop.hang", path={str(tmp_path / "mark")!r})
"""
    with anyio.fail_after(GUARD_S):
        async with opened(environment) as opening, opening.client(era) as client:
            await warmed_up(client)
            opening.answer_after(0)
            _, text = await execute(client, program)
            handle = handle_in(text)
            await there(tmp_path / "mark")
            _, long = await execute(client, run=handle)
            opening.answer_after(60)
            _, last = await execute(client, run=handle, cancel=True)
            uri = re.findall(r'load_result\("(result://\w+)"\)', last)[0]
            lines = await execute(client, f"load_result({uri!r}).splitlines()[::4_999]")

    assert long.startswith("[still running; 0 tool calls so far] Call execute_code(run=")
    assert "bytes left out here; the result of the run will say how to read them]\n" in long
    assert long.endswith("\nline 4998\nline 4999")
    assert "line 49" not in last
    assert lines == (False, '["line 0", "line 4999"]')


@pytest.mark.parametrize("era", ERAS)
async def test_progress_counts_up_and_says_what_the_program_does(
    environment: Mapping[str, str], era: Era, tmp_path: Path
) -> None:
    came: list[tuple[float, str]] = []
    called = anyio.Event()

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        came.append((progress, message or ""))
        if "called shop.look\n(1 tool calls so far)" in came[-1][1]:
            called.set()

    program = f"print('first')\ncall_tool('shop.look')\ncall_tool('shop.hang', path={str(tmp_path / 'hung')!r})"
    with anyio.fail_after(GUARD_S):
        async with opened(environment) as opening, opening.client(era) as client, anyio.create_task_group() as tasks:
            tasks.start_soon(
                partial(client.call_tool, "execute_code", {"code": program}, progress_callback=on_progress)
            )
            await called.wait()
            tasks.cancel_scope.cancel()

    assert [progress for progress, _ in came] == [float(n + 1) for n in range(len(came))]
    assert came[0][1].startswith("first")


@pytest.mark.parametrize(
    ("limits", "program", "caught"),
    [
        (
            {"tool_calls": 2},
            "for n in range(5): call_tool('shop.look')",
            "2 tool calls (setting codeact.limits.tool_calls)",
        ),
        ({"tool_bytes": 1_000}, "call_tool('shop.text', size=2_000)", "1,000 bytes from tools"),
        (
            {"output_bytes": 1_000, "kept_output_bytes": 5_000},
            "while True: print('x' * 99)",
            "printed 5,000 bytes, its limit",
        ),
    ],
)
async def test_a_spent_budget_raises_in_the_program_which_can_catch_it(
    environment: Mapping[str, str], limits: dict[str, int], program: str, caught: str
) -> None:
    program = f"try:\n    {program}\nexcept BudgetSpent as exc:\n    said = str(exc)\nsaid"
    with anyio.fail_after(GUARD_S):
        async with opened(environment, limits=limits) as opening, opening.client("auto") as client:
            failed, text = await execute(client, program)

    assert not failed
    assert caught in text


@pytest.mark.parametrize(
    "program", ["call_tool('shop.hang', path={!r})", "await call_tool_async('shop.hang', path={!r})"]
)
@pytest.mark.parametrize("counts", [True, False])
async def test_waiting_for_tools_counts_towards_the_deadline_unless_configured_otherwise(
    environment: Mapping[str, str], program: str, counts: bool, tmp_path: Path
) -> None:
    limits = {"deadline_s": 0.5, "call_timeout_s": 1.0, "deadline_counts_tools": counts}
    wrapped = f"try:\n    {program.format(str(tmp_path / 'mark'))}\nexcept ToolTimeout:\n    result = 'caught'\nresult"
    with anyio.fail_after(GUARD_S):
        shop = replace(SHOP, call_timeout_s=1.0)
        async with opened(environment, limits=limits, servers=(shop,)) as opening, opening.client("auto") as client:
            await opening.app.tools.wait_settled()
            failed, text = await execute(client, wrapped)

    assert (failed, "caught" in text) == (counts, not counts)


async def test_a_bug_in_the_server_is_an_internal_error_without_detail(
    environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a secret detail")

    monkeypatch.setattr("codeact_bridges.runs.service.run_program", broken)
    with anyio.fail_after(GUARD_S), caplog.at_level(logging.ERROR):
        async with opened(environment) as opening, opening.client("auto") as client:
            failed, text = await execute(client, "1")

    assert failed
    assert text == "[failed] internal error; the server's log has the details. Part of the program may have run"
    assert "a secret detail" in caplog.text
