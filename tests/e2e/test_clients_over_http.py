"""Two clients of one HTTP server who know or guess each other's handles, sessions and stored results: nothing leaks."""

import re
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from apps import ERAS, Era, Person, execute, handle_in, warmed_up
from served import Commands, Served, server, until

GUARD_S = 60
LONG = "print('mine')\nimport time\ntime.sleep(100)"


@pytest.fixture
async def served(commands: Commands) -> AsyncGenerator[Served]:
    config = commands.config(
        {"shop": server("shop.py")},
        answer_after_s=2,
        engine="wasmtime",
        limits={"output_bytes": 1_000},
        sessions={"max": 8},
    )
    async with commands.serving("http", "--config", config) as served:
        async with served.client("auto") as client:
            await warmed_up(client)
        yield served


def session_in(text: str) -> str:
    found = re.search(r"\[session '([^']+)' started empty; pass session='\1' to continue it\]", text)
    assert found, text
    return found[1]


@pytest.mark.parametrize("transport", ["http", "sse"])
async def test_of_two_clients_with_sessions_neither_reaches_what_is_the_others(served: Served, transport: Any) -> None:
    served.transport = transport
    with anyio.fail_after(GUARD_S):
        async with served.client("legacy") as mine, served.client("legacy") as yours:
            assert session_in((await execute(mine, "secret = 42", session="s"))[1]) == "s"
            assert session_in((await execute(yours, "'secret' in globals()", session="s"))[1]) == "s"
            assert (await execute(yours, "'secret' in globals()", session="s"))[1].startswith("false\n")
            assert (await execute(mine, "secret", session="s"))[1].startswith("42\n")

            handle = handle_in((await execute(mine, LONG))[1])
            for cancel in (False, True):
                failed, text = await execute(yours, run=handle, cancel=cancel)
                assert (failed, text.startswith(f"there is no run {handle!r}")) == (True, True)

            _, text = await execute(mine, "'x' * 5_000")
            uri = text.partition('load_result("')[2].partition('"')[0]
            assert "there is no stored result" in (await execute(yours, f"load_result({uri!r})"))[1]
            assert (await yours.list_resources()).resources == []
            with pytest.raises(Exception, match="there is no stored result"):
                await yours.read_resource(uri)
            assert await execute(mine, f"len(load_result({uri!r}))") == (False, "5000")
            assert (await execute(mine, run=handle, cancel=True))[1] == "[failed] stopped on request"


async def test_what_one_clients_user_allows_is_not_allowed_to_another(served: Served) -> None:
    generous, strict = Person(["session"]), Person(["no"])
    drop = "call_tool('shop.drop', item=1)"
    with anyio.fail_after(GUARD_S):
        async with (
            served.client("legacy", elicitation_callback=generous) as mine,
            served.client("legacy", elicitation_callback=strict) as yours,
        ):
            results = [(await execute(client, drop))[0] for client in (mine, yours, mine)]

    assert results == [False, True, False]
    assert (len(generous.shown), len(strict.shown)) == (1, 1)


async def test_a_client_without_a_session_gets_names_that_cannot_be_guessed(
    served: Served,
) -> None:
    with anyio.fail_after(GUARD_S):
        async with served.client("auto") as mine, served.client("auto") as yours:
            name = session_in((await execute(mine, "secret = 42", session="s"))[1])
            others = session_in((await execute(yours, "'secret' in globals()", session="s"))[1])
            went_on = await execute(mine, "secret", session=name)
            reset = await execute(mine, "'secret' in globals()", session=name, reset=True)
            long_name = session_in((await execute(mine, "1", session="n" * 100))[1])
            long_went_on = await execute(mine, "1", session=long_name)

    assert name.startswith("s.")
    assert len(name) > 15
    assert others not in (name, "s")
    assert went_on == (False, f"42\n[session {name!r} continued]")
    assert reset[1].startswith(f"false\n[session {name!r} started empty")
    assert long_went_on == (False, f"1\n[session {long_name!r} continued]")


async def test_a_client_without_a_session_is_found_by_its_handle_alone_and_its_user_is_asked_each_time(
    served: Served,
) -> None:
    person = Person(["run"])
    with anyio.fail_after(GUARD_S):
        async with served.client("auto", elicitation_callback=person) as client:
            handle = handle_in((await execute(client, LONG))[1])
            guessed = await execute(client, run=handle[:-1] + ("a" if handle[-1] != "a" else "b"))
            stopped = await execute(client, run=handle, cancel=True)
            for _ in range(2):
                await execute(client, "call_tool('shop.drop', item=1)")
            assert (await client.list_resources()).resources == []

    assert guessed[1].startswith("there is no run")
    assert stopped[1] == "[failed] stopped on request"
    assert len(person.shown) == 2
    assert person.schemas[0]["properties"]["decision"]["enum"] == ["once", "run"]


async def test_a_made_up_session_header_does_not_identify_a_client(served: Served) -> None:
    """Whoever knows such a header could otherwise be that client."""
    names: list[str] = []
    with anyio.fail_after(GUARD_S):
        async with httpx2.AsyncClient(timeout=30) as http:
            for _ in range(2):
                response = await http.post(
                    f"{served.address}/mcp?session_id=x",
                    headers={
                        "Accept": "application/json, text/event-stream",
                        "Mcp-Session-Id": "shared",
                        "MCP-Protocol-Version": "2026-07-28",
                        "Mcp-Method": "tools/call",
                        "Mcp-Name": "execute_code",
                    },
                    json={
                        "jsonrpc": "2.0",
                        "id": 1,
                        "method": "tools/call",
                        "params": {
                            "name": "execute_code",
                            "arguments": {"code": "'a' in globals(), globals().update(a=1)", "session": "s"},
                            "_meta": {
                                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                                "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "0"},
                                "io.modelcontextprotocol/clientCapabilities": {},
                            },
                        },
                    },
                )
                assert response.status_code == 200, response.text
                assert "[false, null]" in response.text
                names.append(session_in(response.text.replace("\\\\", "")))

    assert len(set(names)) == 2
    assert "s" not in names


@pytest.mark.parametrize("era", ERAS)
async def test_a_client_that_drops_its_request_ends_the_run_and_what_it_called(
    served: Served, era: Era, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    with anyio.fail_after(GUARD_S):
        async with served.client(era) as client:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(execute, client, f"call_tool('shop.hang', path={str(mark)!r})")
                await until(mark.exists)
                tasks.cancel_scope.cancel()
            await until(mark.with_suffix(".cancelled").exists)
