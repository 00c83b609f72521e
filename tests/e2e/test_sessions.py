"""What clients of both eras see over every transport: one tool, and programs that run."""

import json
import os
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeAlias, get_args

import anyio
import pytest
from mcp.client import IncomingMessage
from mcp.types import ToolListChangedNotification
from served import EXAMPLES, Commands, Era, Served, Transport, execute, server

Wire: TypeAlias = tuple[Transport, Era]
WIRES: list[Wire] = [(transport, era) for transport in get_args(Transport) for era in get_args(Era)]

pytestmark = pytest.mark.parametrize("wire", WIRES, ids="-".join)


@pytest.fixture
async def served(wire: Wire, commands: Commands) -> AsyncGenerator[Served]:
    config = commands.config(
        {"everyday": server("everyday.py", "stdio"), "marker": server("marker.py")}, limits={"output_bytes": 8_000_000}
    )
    async with commands.serving(wire[0], "--config", config) as served:
        yield served


async def test_there_is_one_tool_and_no_capability_that_is_not_there(wire: Wire, served: Served) -> None:
    with anyio.fail_after(20):
        async with served.client(wire[1]) as client:
            tools = (await client.list_tools()).tools
            capabilities = client.server_capabilities.model_dump(exclude_none=True)

    assert [tool.name for tool in tools] == ["execute_code"]
    assert capabilities == {
        "logging": {},
        "tools": {"list_changed": True},
        "resources": {"subscribe": False, "list_changed": False},  # results that were too long, kept for later
    }


async def test_a_program_calls_tools_of_other_servers_and_gives_its_value(wire: Wire, served: Served) -> None:
    program = "import asyncio\nawait asyncio.gather(*[call_tool_async('everyday.add', a=n) for n in range(5)])"

    with anyio.fail_after(30):
        async with served.client(wire[1]) as client:
            assert await execute(client, program) == (False, "[2, 3, 4, 5, 6]")


async def test_output_before_the_deadline_is_in_the_result(wire: Wire, served: Served, tmp_path: Path) -> None:
    program = f"call_tool('marker.mark', path={str(tmp_path / 'mark')!r})\nprint('begun')\nwhile True: pass"

    with anyio.fail_after(30):
        async with served.client(wire[1]) as client:
            failed, text = await execute(client, program, timeout_s=1)

    assert failed
    assert text.startswith("begun\n[failed] stopped after 1 s")
    assert "- marker.mark: done" in text


async def test_a_wrong_argument_is_a_result_that_names_it(wire: Wire, served: Served) -> None:
    with anyio.fail_after(20):
        async with served.client(wire[1]) as client:
            assert await execute(client, "1", timeout_s="soon") == (
                True,
                "execute_code: 'timeout_s' must be a number of seconds over 0",
            )


async def test_two_runs_of_one_client_meet_each_other(wire: Wire, served: Served, tmp_path: Path) -> None:
    ends: list[tuple[bool, str]] = []
    program = f"call_tool('marker.meet', path={str(tmp_path / 'meeting')!r})"

    async def run() -> None:
        ends.append(await execute(client, program))

    with anyio.fail_after(30):
        async with served.client(wire[1]) as client, anyio.create_task_group() as tasks:
            tasks.start_soon(run)
            tasks.start_soon(run)

    assert sorted(ends) == [(False, '"first"'), (False, '"second"')]


async def test_a_program_of_a_megabyte_runs_and_one_byte_more_is_refused(wire: Wire, served: Served) -> None:
    program = f"len('{'x' * 999_993}')"
    assert len(program) == 1_000_000

    with anyio.fail_after(30):
        async with served.client(wire[1]) as client:
            assert await execute(client, program) == (False, "999993")
            failed, text = await execute(client, program + " ")

    assert failed
    assert "1,000,001 bytes long; 1,000,000 are allowed (setting codeact.limits.code_bytes)" in text


async def test_a_result_of_several_megabytes_arrives(wire: Wire, served: Served) -> None:
    # The SDK's client for SSE takes 1 MiB an event and not more.
    size = 1_000_000 if wire[0] == "sse" else 6_000_000

    with anyio.fail_after(60):
        async with served.client(wire[1]) as client:
            failed, text = await execute(client, f"'x' * {size}")

    assert not failed
    assert len(text) == size + len('""')


async def test_tools_are_listed_before_any_server_is_ready_and_clients_hear_when_one_arrives(
    wire: Wire, commands: Commands
) -> None:
    gate = commands.folder / "gate"
    os.mkfifo(gate)
    heard = anyio.Event()
    config = commands.config({"marker": server("marker.py", "--gate", str(gate))})

    async def on_message(message: IncomingMessage) -> None:
        if isinstance(message, ToolListChangedNotification):
            heard.set()

    with anyio.fail_after(30):
        async with (
            commands.serving(wire[0], "--config", config) as served,
            served.client(wire[1], message_handler=on_message) as client,
            AsyncExitStack() as stack,
        ):
            assert "marker.mark(" not in str((await client.list_tools()).tools[0].description)
            if wire[1] == "auto":
                changes = await stack.enter_async_context(client.listen(tools_list_changed=True))
            gate.write_text("")
            if wire[1] == "auto":
                await anext(aiter(changes))  # pyright: ignore[reportPossiblyUnboundVariable]
            else:
                await heard.wait()
            assert "marker.mark(" in str((await client.list_tools()).tools[0].description)


async def test_the_first_answers_do_not_wait_for_the_guest_to_be_compiled(
    wire: Wire, commands: Commands, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"

    with anyio.fail_after(30):
        async with (
            commands.serving(wire[0], "--engine", "wasmtime", XDG_CACHE_HOME=str(cache)) as served,
            served.client(wire[1]) as client,
        ):
            assert len((await client.list_tools()).tools) == 1
            assert not list(cache.rglob("*.cwasm"))


async def test_the_orders_program_gets_its_totals(wire: Wire, commands: Commands) -> None:
    program = (EXAMPLES / "orders.py").read_text()
    config = commands.config({"orders": server("../../examples/orders_server.py")})

    with anyio.fail_after(30):
        async with (
            commands.serving(wire[0], "--config", config) as served,
            served.client(wire[1]) as client,
        ):
            failed, text = await execute(client, program)

    assert not failed
    totals: Any = json.loads(text.partition("[result]\n")[2])
    assert totals[0] == ["Diana", 104.40]


async def test_stdout_carries_the_protocol_and_nothing_else(wire: Wire, served: Served) -> None:
    noise = "import sys\nprint('one')\nprint('two', file=sys.stderr)"

    with anyio.fail_after(20):
        async with served.client(wire[1]) as client:
            await execute(client, noise)
        await served.end_of_stdin()
        if wire[0] == "stdio":
            await served.ended()
            assert all(json.loads(line)["jsonrpc"] == "2.0" for line in served.wire)
        else:
            served.process.terminate()
            assert served.process.stdout is not None
            with pytest.raises(anyio.EndOfStream):
                await served.process.stdout.receive()
