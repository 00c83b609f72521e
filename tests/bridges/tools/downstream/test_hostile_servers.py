"""A hostile, broken or dying downstream server can make its own calls fail, and nothing else."""

import logging
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias, cast

import anyio
import pytest
from tool_calls import call

from codeact_bridges.errors import CallTimedOut, DownstreamFailed, ToolError, UnknownTool
from codeact_bridges.tools.bridge import CLOSE_TIMEOUT_S, ToolsBridge
from codeact_bridges.tools.spec import StdioServer
from codeact_bridges.values import Data, JsonValue

Hostile: TypeAlias = Callable[..., StdioServer]

NOTHING: dict[str, JsonValue] = {}


async def test_a_server_that_hangs_at_its_start_fails_after_its_start_timeout_and_delays_nobody(
    hostile: Hostile,
) -> None:
    hanging = hostile("--start", "hang", name="hanging", start_timeout_s=0.5)
    with anyio.fail_after(10):
        async with ToolsBridge([hanging, hostile()]) as tools:
            assert await call(tools, "hostile.echo", {"text": "hello"}) == Data("hello")
            with pytest.raises(DownstreamFailed, match=r"hanging\.tool: .*not ready within 0\.5 s"):
                await call(tools, "hanging.tool", {})


@pytest.mark.parametrize("options", [(), ("--stubborn",)])
async def test_an_exit_that_we_caused_is_not_part_of_the_reason(hostile: Hostile, options: tuple[str, ...]) -> None:
    with anyio.fail_after(15):
        async with ToolsBridge([hostile("--start", "hang", *options, start_timeout_s=0.5)]) as tools:
            await tools.wait_settled()
            reason = tools.statuses()[0].reason
    assert reason is not None
    assert reason.startswith("it was not ready within 0.5 s")
    assert "killed" not in reason
    assert "exited" not in reason


async def test_a_failure_is_logged_once_while_its_reason_stays_the_same(
    hostile: Hostile, caplog: pytest.LogCaptureFixture
) -> None:
    with anyio.fail_after(20):
        async with ToolsBridge([hostile("--start", "exit")]) as tools:
            while tools.statuses()[0].failures < 3:  # noqa: ASYNC110  # a repeated failure notifies no subscriber
                await anyio.sleep(0.05)
    assert sum("failed: " in record.getMessage() for record in caplog.records) == 1


async def test_a_server_that_exits_at_its_start_is_reported_with_its_exit_code_and_stderr(hostile: Hostile) -> None:
    with anyio.fail_after(10):
        async with ToolsBridge([hostile("--start", "exit")]) as tools:
            with pytest.raises(DownstreamFailed, match=r"exited with code 1.*no module named 'hostility'"):
                await call(tools, "hostile.echo", {"text": "hello"})


async def test_a_command_that_does_not_exist_is_named(hostile: Hostile) -> None:
    with anyio.fail_after(5):
        async with ToolsBridge([StdioServer(name="gone", command="/no/such/command")]) as tools:
            with pytest.raises(DownstreamFailed, match="the command '/no/such/command' does not exist"):
                await call(tools, "gone.anything", {})


async def test_a_server_that_exits_at_the_first_unknown_request_is_reached_by_the_old_handshake(
    hostile: Hostile,
) -> None:
    with anyio.fail_after(10):
        async with ToolsBridge([hostile("--start", "exit-at-discover")]) as tools:
            assert await call(tools, "echo", {"text": "hello"}) == Data("hello")
            assert tools.statuses()[0].protocol == "2025-11-25"


async def test_a_server_that_does_not_answer_unknown_requests_is_reached_at_the_second_attempt(
    hostile: Hostile,
) -> None:
    with anyio.fail_after(10):
        listed = anyio.Event()
        async with ToolsBridge([hostile("--start", "mute-discover", start_timeout_s=1)]) as tools:
            tools.subscribe(lambda: listed.set() if tools.catalog.tools else None)
            await listed.wait()
            assert await call(tools, "echo", {"text": "hello"}) == Data("hello")


@pytest.mark.parametrize("noise", ["garbage", "cry"])
async def test_a_server_that_prints_other_output_at_its_start_still_works(hostile: Hostile, noise: str) -> None:
    with anyio.fail_after(10):
        async with ToolsBridge([hostile("--start", noise)]) as tools:
            assert await call(tools, "echo", {"text": "hello"}) == Data("hello")


async def test_one_bad_schema_hides_one_tool_with_a_warning_and_never_the_server(
    hostile: Hostile, caplog: pytest.LogCaptureFixture
) -> None:
    with anyio.fail_after(10), caplog.at_level(logging.WARNING):
        async with ToolsBridge([hostile()]) as tools:
            assert await tools.wait_settled(5)
            names = {tool.name for tool in tools.catalog.tools}

    assert {"echo", "no_type", "no_schema", "true_property"} <= names
    assert not names & {"not_an_object", "schema_is_text", "unknown_type"}
    for hidden in ("not_an_object", "schema_is_text", "unknown_type"):
        assert f"hiding the tool '{hidden}'" in caplog.text


async def test_a_call_that_times_out_fails_and_is_cancelled_at_the_server(hostile: Hostile) -> None:
    with anyio.fail_after(10):
        async with ToolsBridge([hostile(call_timeout_s=0.5)]) as tools:
            with pytest.raises(CallTimedOut, match=r"hostile\.hang: no answer within 0\.5 s"):
                await call(tools, "hang", {})
            assert isinstance(await call(tools, "wait_until_cancelled", {}), Data)


async def test_cancelling_a_call_cancels_it_downstream(hostile: Hostile) -> None:
    with anyio.fail_after(10):
        async with ToolsBridge([hostile()]) as tools:
            async with anyio.create_task_group() as tg:
                tg.start_soon(call, tools, "hang", NOTHING)
                await call(tools, "wait_until_hanging", {})
                tg.cancel_scope.cancel()
            assert isinstance(await call(tools, "wait_until_cancelled", {}), Data)


async def test_a_server_that_dies_during_a_call_is_reported_and_the_next_call_reaches_a_new_one(
    hostile: Hostile,
) -> None:
    with anyio.fail_after(10):
        async with ToolsBridge([hostile()]) as tools:
            first = await call(tools, "pid", {})
            with pytest.raises(DownstreamFailed, match="lost during the call, which may have taken effect"):
                await call(tools, "die", {})
            assert await call(tools, "pid", {}) != first


@pytest.mark.parametrize("tool", ["die_once", "die_once_read_only"])
async def test_a_call_that_may_be_repeated_survives_the_death_of_the_server(
    hostile: Hostile, tool: str, tmp_path: Path
) -> None:
    with anyio.fail_after(10):
        async with ToolsBridge([hostile("--state", str(tmp_path / "died"))]) as tools:
            assert await call(tools, tool, {}) == Data("survived")
    assert (tmp_path / "died").exists()


async def test_a_server_that_is_killed_while_idle_is_replaced_before_the_next_call(hostile: Hostile) -> None:
    with anyio.fail_after(10):
        async with ToolsBridge([hostile()]) as tools:
            killed = await pid_of(tools)
            os.kill(killed, 9)
            assert await pid_of(tools, unless=killed) != killed


async def test_a_flooding_server_does_not_keep_others_from_answering(hostile: Hostile) -> None:
    with anyio.fail_after(20):
        async with ToolsBridge([hostile(name="flooding", call_timeout_s=1), hostile()]) as tools:
            await tools.wait_settled()
            async with anyio.create_task_group() as tg:

                async def flood() -> None:
                    with pytest.raises(ToolError):
                        await call(tools, "flooding.flood", {})

                tg.start_soon(flood)
                for number in range(20):
                    assert await call(tools, "hostile.echo", {"text": f"hello {number}"}) == Data(f"hello {number}")


async def test_an_endless_line_ends_the_connection_before_it_fills_our_memory(
    hostile: Hostile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codeact_bridges.tools.transports.stdio.MAX_MESSAGE_BYTES", 4_000_000)
    with anyio.fail_after(10):
        async with ToolsBridge([hostile()]) as tools:
            with pytest.raises(DownstreamFailed, match="lost during the call"):
                await call(tools, "endless_line", {})
            assert await call(tools, "echo", {"text": "hello"}) == Data("hello")


async def test_a_changed_list_of_tools_changes_the_catalog(hostile: Hostile) -> None:
    changed = anyio.Event()
    with anyio.fail_after(10):
        async with ToolsBridge([hostile()]) as tools:
            await tools.wait_settled()
            tools.subscribe(changed.set)
            await call(tools, "grow", {})
            await changed.wait()
            assert tools.catalog.resolve("grown").full_name == "hostile.grown"


async def test_a_server_that_stops_reading_fails_its_calls_in_time(hostile: Hostile) -> None:
    with anyio.fail_after(10):
        async with ToolsBridge([hostile(call_timeout_s=0.5)]) as tools:
            with pytest.raises(CallTimedOut):
                await call(tools, "deafen", {})
            with pytest.raises(CallTimedOut):
                await call(tools, "echo", {"text": "x" * 1_000_000})


async def test_invalid_responses_fail_their_call_at_once(hostile: Hostile) -> None:
    lines: dict[str, str] = {
        '{"jsonrpc": "2.0", "id": ID, "result": 5}': "not JSON-RPC",
        '{"jsonrpc": "2.0", "id": ID}': "not JSON-RPC",
        '{"jsonrpc": "2.0", "id": ID, "result": {"content": "text"}}': "violates the protocol",
        '{"jsonrpc": "2.0", "id": ID, "result": {"content": [{"type": "smell"}]}}': "violates the protocol",
    }
    with anyio.fail_after(10):
        async with ToolsBridge([hostile()]) as tools:
            for line, reason in lines.items():
                with pytest.raises(DownstreamFailed, match=reason):
                    await call(tools, "answer_raw", {"line": line})


async def test_a_response_to_an_unknown_request_is_ignored(hostile: Hostile) -> None:
    with anyio.fail_after(10):
        async with ToolsBridge([hostile()]) as tools:
            assert await call(tools, "lie_about_id", {}) == Data("yours")


async def test_a_protocol_error_contains_the_servers_message(hostile: Hostile) -> None:
    with anyio.fail_after(10):
        async with ToolsBridge([hostile()]) as tools:
            with pytest.raises(DownstreamFailed, match=r"hostile\.refuse: I would rather not"):
                await call(tools, "refuse", {})


async def test_structured_content_that_violates_its_schema_is_returned_unchanged(hostile: Hostile) -> None:
    with anyio.fail_after(10):
        async with ToolsBridge([hostile()]) as tools:
            assert await call(tools, "wrong_structure", {}) == Data({"n": "not an integer", "more": [1]})


async def test_nan_in_structured_content_is_an_error(hostile: Hostile) -> None:
    line = '{"jsonrpc": "2.0", "id": ID, "result": {"content": [], "structuredContent": {"x": NaN}}}'
    with anyio.fail_after(10):
        async with ToolsBridge([hostile()]) as tools:
            with pytest.raises(DownstreamFailed, match="JSON cannot carry"):
                await call(tools, "answer_raw", {"line": line})


async def test_a_large_integer_arrives_unchanged(hostile: Hostile) -> None:
    number = 2**200 + 1
    with anyio.fail_after(10):
        async with ToolsBridge([hostile()]) as tools:
            result: JsonValue = {"content": [], "structuredContent": {"n": number}}
            assert await call(tools, "answer", {"result": result}) == Data({"n": number})


async def test_a_stubborn_server_and_its_children_are_gone_when_the_bridge_is_closed(hostile: Hostile) -> None:
    stubborn = [hostile("--stubborn", "--child", name=f"stubborn{number}") for number in range(3)]
    pids: list[int] = []
    with anyio.fail_after(20):
        async with ToolsBridge(stubborn) as tools:
            for spec in stubborn:
                found = await call(tools, f"{spec.name}.pid", {})
                assert isinstance(found, Data)
                pids += cast("dict[str, int]", found.value).values()
            closing = anyio.current_time()
        took_s = anyio.current_time() - closing

    assert took_s < CLOSE_TIMEOUT_S
    assert len(pids) == 6
    with anyio.fail_after(20):
        for pid in pids:
            while is_running(pid):  # noqa: ASYNC110  # it is killed, but a busy system reaps it later
                await anyio.sleep(0.02)


async def test_closing_does_not_wait_for_a_server_that_hangs_at_its_start(hostile: Hostile) -> None:
    with anyio.fail_after(CLOSE_TIMEOUT_S):
        async with ToolsBridge([hostile("--start", "hang", start_timeout_s=60)]):
            pass


async def test_a_servers_stderr_goes_to_a_bounded_file_of_its_own(hostile: Hostile, tmp_path: Path) -> None:
    with anyio.fail_after(10):
        async with ToolsBridge([hostile("--start", "cry", name="sad/one")], log_dir=tmp_path) as tools:
            assert await call(tools, "echo", {"text": "hello"}) == Data("hello")
    sizes = sizes_in(tmp_path)
    assert set(sizes) == {"sad_one.log", "sad_one.old.log"}
    assert all(size <= 1_000_000 for size in sizes.values())


async def test_a_failed_server_is_tried_again_after_a_while(hostile: Hostile, tmp_path: Path) -> None:
    command = tmp_path / "server"
    with anyio.fail_after(10):
        async with ToolsBridge([StdioServer(name="late", command=str(command))]) as tools:
            await tools.wait_settled()
            assert tools.statuses()[0].state == "failed"
            spec = hostile()
            listed = anyio.Event()
            tools.subscribe(listed.set)
            install(command, spec)
            await listed.wait()
            assert await call(tools, "late.echo", {"text": "hello"}) == Data("hello")


async def test_an_unknown_tool_of_a_working_server_is_unknown_not_failed(hostile: Hostile) -> None:
    with anyio.fail_after(10):
        async with ToolsBridge([hostile()]) as tools:
            with pytest.raises(UnknownTool, match=r"did you mean hostile\.echo\?"):
                await call(tools, "hostile.ecko", {})


async def pid_of(tools: ToolsBridge, unless: int | None = None) -> int:
    """The process id of the server, by a call. Repeats the call until it differs from `unless`."""
    while True:
        with suppress(DownstreamFailed):  # the call that finds the connection dead
            found = await call(tools, "pid", {})
            assert isinstance(found, Data)
            if (pid := cast("dict[str, int]", found.value)["pid"]) != unless:
                return pid


def sizes_in(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in folder.iterdir()}


def install(command: Path, spec: StdioServer) -> None:
    command.write_text(f"#!/bin/sh\nexec {spec.command} {' '.join(spec.args)}\n")
    command.chmod(0o755)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rsplit(")", 1)[1].split()[0] != "Z"
