"""Client requests of a downstream server during a call reach the client of that run, in both protocol eras."""

import sys
from collections.abc import Mapping
from typing import Any

import anyio
import pytest
from apps import ERAS, GUARD_S, Era, Opened, Person, execute, opened
from mcp import Client
from mcp.types import (
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitResult,
    ListRootsResult,
    Root,
    TextContent,
)
from served import SERVERS

from codeact_bridges.tools.spec import StdioServer

EVERYDAY = StdioServer(name="everyday", command=sys.executable, args=(str(SERVERS / "everyday.py"), "stdio"))
SHOWN = "A server asks this because the program called everyday.confirm:\nReally fly?"


def client_of(opening: Opened, era: Era, **callbacks: Any) -> Client:
    return Client(opening.server, mode=era, **callbacks)


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (ElicitResult(action="accept", content={"sure": True}), '"fly: yes"'),
        (ElicitResult(action="accept", content={"sure": False}), '"fly: accept"'),
        (ElicitResult(action="decline"), '"fly: decline"'),
        (ElicitResult(action="cancel"), '"fly: cancel"'),
    ],
)
async def test_a_servers_form_is_shown_to_the_user_with_its_origin(
    environment: Mapping[str, str], era: Era, answer: ElicitResult, outcome: str
) -> None:
    person = Person([answer])
    with anyio.fail_after(GUARD_S):
        async with opened(environment, servers=(EVERYDAY,)) as opening, opening.client(era, person) as client:
            assert await execute(client, "call_tool('everyday.confirm', what='fly')") == (False, outcome)
    assert person.shown == [SHOWN]


@pytest.mark.parametrize("era", ERAS)
async def test_sampling_results_and_roots_of_the_client_reach_the_server(
    environment: Mapping[str, str], era: Era
) -> None:
    requests: list[CreateMessageRequestParams] = []

    async def sample(_: Any, params: CreateMessageRequestParams) -> CreateMessageResult:
        requests.append(params)
        return CreateMessageResult(role="assistant", content=TextContent(text="bread"), model="m")

    async def roots(_: Any) -> ListRootsResult:
        return ListRootsResult(roots=[Root.model_validate({"uri": "file:///work"})])

    program = "[call_tool('rhyme', what='head'), call_tool('where')]"
    with anyio.fail_after(GUARD_S):
        async with (
            opened(environment, servers=(EVERYDAY,)) as opening,
            client_of(opening, era, sampling_callback=sample, list_roots_callback=roots) as client,
        ):
            assert await execute(client, program) == (False, '["head: bread", ["file:///work"]]')
    (params,) = requests
    assert isinstance(params.messages[0].content, TextContent)
    assert params.messages[0].content.text == "A rhyme on head"
    assert params.include_context is None, "a server must not get the client's other context"


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("call", ["'confirm', what='fly'", "'rhyme', what='head'", "'where'"])
async def test_a_call_fails_when_its_server_needs_a_capability_that_the_client_lacks(
    environment: Mapping[str, str], era: Era, call: str
) -> None:
    program = f"try: call_tool({call})\nexcept ToolError as exc: said = exc.server\nsaid"
    with anyio.fail_after(GUARD_S):
        async with opened(environment, servers=(EVERYDAY,)) as opening, client_of(opening, era) as client:
            assert await execute(client, program) == (False, '"everyday"')


@pytest.mark.parametrize("era", ERAS)
async def test_progress_of_a_tool_call_is_progress_of_the_run(environment: Mapping[str, str], era: Era) -> None:
    heard: list[str] = []
    there = anyio.Event()

    async def listen(progress: float, total: float | None, message: str | None) -> None:
        heard.append(message or "")
        if "everyday.stroll: step 2 (2 of 2)" in "".join(heard):
            there.set()

    with anyio.fail_after(GUARD_S):
        async with opened(environment, servers=(EVERYDAY,)) as opening, client_of(opening, era) as client:
            program = "call_tool('stroll', steps=2)\nimport time; time.sleep(0.3)"
            await client.call_tool("execute_code", {"code": program}, progress_callback=listen)
            await there.wait()
