"""The server's first answers, asked of itself: the same that a client gets."""

from collections.abc import AsyncGenerator, Mapping
from pathlib import Path

import anyio
import pytest
from apps import Opened, opened

from codeact_server.front.opening import HANDSHAKE_VERSIONS, LISTS, MODERN_VERSIONS
from codeact_server.front.recording import Recording
from codeact_server.protocol.recorder import first_answers, record_answers

pytestmark = pytest.mark.slow
GUARD_S = 30


@pytest.fixture
async def shop(environment: Mapping[str, str]) -> AsyncGenerator[Opened]:
    async with opened(environment) as found:
        await found.app.tools.wait_settled()
        yield found


async def test_there_is_an_answer_for_every_version(shop: Opened) -> None:
    with anyio.fail_after(GUARD_S):
        answers = await first_answers(shop.server)

    assert set(answers) == {
        *(f"initialize {version}" for version in (*HANDSHAKE_VERSIONS, "other")),
        *(f"{method} {version}" for version in (*HANDSHAKE_VERSIONS, *MODERN_VERSIONS) for method in LISTS),
        *(f"server/discover {version}" for version in MODERN_VERSIONS),
    }
    for version in HANDSHAKE_VERSIONS:
        assert answers[f"initialize {version}"]["protocolVersion"] == version
        assert "shop.look(" in answers[f"tools/list {version}"]["tools"][0]["description"]
    assert answers["initialize other"]["protocolVersion"] == HANDSHAKE_VERSIONS[-1]


async def test_results_of_this_process_are_not_recorded_for_the_next(shop: Opened) -> None:
    with anyio.fail_after(GUARD_S):
        async with shop.client("legacy") as client:
            await client.call_tool("execute_code", {"code": "save_result('stored')"})
        answers = await first_answers(shop.server)

    for version in (*HANDSHAKE_VERSIONS, *MODERN_VERSIONS):
        assert answers[f"resources/list {version}"]["resources"] == []


async def test_the_recording_follows_the_tools(shop: Opened, tmp_path: Path) -> None:
    recording = Recording(str(tmp_path / "recording.json"))
    with anyio.fail_after(GUARD_S):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(record_answers, shop.app, shop.server, recording)
            while (answers := recording.read()) is None:
                await anyio.lowlevel.checkpoint()
            assert answers == await first_answers(shop.server)
            tasks.cancel_scope.cancel()


async def test_a_recording_that_cannot_be_written_stops_nothing(shop: Opened, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    recording = Recording(str(tmp_path / "file" / "recording.json"))
    with anyio.fail_after(GUARD_S):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(record_answers, shop.app, shop.server, recording)
            async with shop.client("legacy") as client:
                assert (await client.list_tools()).tools
            tasks.cancel_scope.cancel()
