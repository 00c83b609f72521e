"""Messages of servers during a call: progress, log messages, client requests; and links in results."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import anyio
import pytest
from tool_calls import call

from codeact_bridges.errors import DownstreamFailed
from codeact_bridges.tools.bridge import ToolsBridge
from codeact_bridges.tools.port import ClientRequest, ClientRequestKind
from codeact_bridges.tools.spec import Era, StdioServer
from codeact_bridges.values import Data, JsonValue, Link, Media


class Person:
    """Answers every request in the same way, and records the requests."""

    serves: frozenset[ClientRequestKind] = frozenset({"form"})

    def __init__(self, answer: Mapping[str, JsonValue]) -> None:
        self.requests: list[ClientRequest] = []
        self._answer = answer

    async def forward(self, question: ClientRequest) -> Mapping[str, JsonValue]:
        self.requests.append(question)
        return self._answer


YES: Mapping[str, JsonValue] = {"action": "accept", "content": {"sure": True}}


def of_era(spec: StdioServer, era: Era) -> StdioServer:
    return StdioServer(name=spec.name, command=spec.command, args=spec.args, era=era)


@pytest.mark.parametrize("era", ["auto", "handshake"])
async def test_progress_is_reported_to_the_caller(everyday: StdioServer, era: Literal["auto", "handshake"]) -> None:
    reported: list[tuple[float, float | None, str | None]] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        reported.append((progress, total, message))

    with anyio.fail_after(20):
        async with ToolsBridge([of_era(everyday, era)]) as tools:
            assert await call(tools, "stroll", {"steps": 2}, on_progress=on_progress) == Data("there")
    assert reported == [(1, 2, "step 1"), (2, 2, "step 2")]


@pytest.mark.parametrize("era", ["auto", "handshake"])
async def test_a_log_message_is_written_to_the_servers_own_log(
    everyday: StdioServer, era: Literal["auto", "handshake"], tmp_path: Path
) -> None:
    with anyio.fail_after(20):
        async with ToolsBridge([of_era(everyday, era)], log_dir=tmp_path) as tools:
            await call(tools, "remark", {"text": "the\nshop is open"})
    assert "[info] the shop is open\n" in (tmp_path / "everyday.log").read_text()


async def test_a_client_request_goes_to_the_client_of_the_run_that_made_the_call(everyday: StdioServer) -> None:
    one, other = Person(YES), Person({"action": "decline"})
    with anyio.fail_after(20):
        async with ToolsBridge([everyday]) as tools:
            assert await call(tools, "confirm", {"what": "fly"}, client_requests=one) == Data("fly: yes")
            assert await call(tools, "confirm", {"what": "sink"}, client_requests=other) == Data("sink: decline")
    assert [(request.server, request.tool, request.kind, request.params["message"]) for request in one.requests] == [
        ("everyday", "confirm", "form", "Really fly?")
    ]
    assert len(other.requests) == 1


async def test_a_capability_that_the_client_lacks_is_not_declared(everyday: StdioServer) -> None:
    with anyio.fail_after(20):
        async with ToolsBridge([everyday]) as tools:
            for client_requests in (None, Incapable(YES)):
                with pytest.raises(DownstreamFailed, match=r"everyday\.confirm: .*elicitation"):
                    await call(tools, "confirm", {"what": "fly"}, client_requests=client_requests)


class Incapable(Person):
    serves = frozenset()


async def test_client_requests_of_a_handshake_server_are_refused_because_they_name_no_call(
    everyday: StdioServer,
) -> None:
    person = Person(YES)
    with anyio.fail_after(20):
        async with ToolsBridge([of_era(everyday, "handshake")]) as tools:
            with pytest.raises(DownstreamFailed, match=r"everyday\.confirm"):
                await call(tools, "confirm", {"what": "fly"}, client_requests=person)
    assert person.requests == []


async def test_an_invalid_response_of_the_client_fails_the_call(everyday: StdioServer) -> None:
    with anyio.fail_after(20):
        async with ToolsBridge([everyday]) as tools:
            with pytest.raises(DownstreamFailed, match="the client's response to the server's request is invalid"):
                await call(tools, "confirm", {"what": "fly"}, client_requests=Person({"action": "perhaps"}))


@pytest.mark.parametrize("era", ["auto", "handshake"])
async def test_a_link_can_be_read(everyday: StdioServer, era: Literal["auto", "handshake"]) -> None:
    with anyio.fail_after(20):
        async with ToolsBridge([of_era(everyday, era)]) as tools:
            link = await call(tools, "memo", {})
            assert link == Link("memo://today", "today", "text/markdown", "everyday")
            read = await tools.read_resource("everyday", "memo://today")
            assert isinstance(read, Media)
            assert (read.mime_type, read.uri) == ("text/markdown", "memo://today")
            with pytest.raises(DownstreamFailed, match="memo://tomorrow"):
                await tools.read_resource("everyday", "memo://tomorrow")


async def test_python_literals_are_parsed_only_with_the_literal_setting(everyday: StdioServer) -> None:
    marked = StdioServer(name="marked", command=everyday.command, args=everyday.args, literal=True)
    with anyio.fail_after(20):
        async with ToolsBridge([everyday, marked]) as tools:
            assert await call(tools, "marked.rows", {}) == Data(
                [{"id": 1, "name": "Ada", "gone": None}, {"id": 2, "name": "Alan's", "gone": True}]
            )
            assert isinstance((await call(tools, "everyday.rows", {})), Data)
            assert await call(tools, "marked.json_text", {}) == Data([{"id": 1}, {"id": 2}])


async def test_a_tool_that_is_resolved_and_not_called_has_no_effect(everyday: StdioServer) -> None:
    with anyio.fail_after(20):
        async with ToolsBridge([everyday]) as tools:
            await tools.resolve("learn", {"name": "juggle"})
            assert await call(tools, "add", {"a": 1}) == Data(3)  # the server has answered what came after
            assert "juggle" not in {tool.name for tool in tools.catalog.tools}
