"""What is left of clients that have gone: over streamable HTTP and SSE, before, in the middle of and after a run."""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from apps import Opened, Person, RawClient, execute, handle_in, opened, over_http, there, warmed_up
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from codeact_bridges.runs.handle import RunHandle
from codeact_bridges.sandbox.pool import PoolSize
from codeact_server.observability.audit_log import AuditSettings
from codeact_server.transports.http_sessions import SessionEnds

GUARD_S = 60
STOPPED = "[failed] stopped: the client ended its session"
HANG = "print('begun')\ncall_tool('shop.buy', item=1)\ncall_tool('shop.hang', path={!r})"


@dataclass
class Over:
    """An app over HTTP, and its clients."""

    opening: Opened
    address: str
    http: httpx2.AsyncClient
    audit: Path

    def client(self, transport: str, era: Any, person: Person | None = None) -> Client:
        streams: Any = (
            streamable_http_client(f"{self.address}/mcp") if transport == "http" else sse_client(f"{self.address}/sse")
        )
        return Client(streams, mode=era, elicitation_callback=person and person.__call__)

    async def raw(self, **capabilities: Any) -> RawClient:
        client = RawClient(self.http, f"{self.address}/mcp")
        await client.open(**capabilities)
        return client

    async def empty(self) -> None:
        """Wait until no run, no session and no worker are left. Workers end in the background."""
        app = self.opening.app
        while len(app.runs) or len(app.sessions) or app.pool.workers:  # noqa: ASYNC110  # their ends set no event
            await anyio.sleep(0.01)

    def recorded(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.audit.read_text().splitlines()]


@asynccontextmanager
async def over(environment: Mapping[str, str], folder: Path, **settings: Any) -> AsyncGenerator[Over]:
    audit = folder / "audit.jsonl"
    async with (
        opened(environment, audit=AuditSettings(path=str(audit)), **settings) as opening,
        over_http(opening) as address,
        httpx2.AsyncClient(timeout=GUARD_S) as http,
    ):
        yield Over(opening, address, http, audit)


@pytest.fixture
async def served(environment: Mapping[str, str], tmp_path: Path) -> AsyncGenerator[Over]:
    """Without spare workers, so that none is left when none is needed."""
    with anyio.fail_after(GUARD_S):
        async with over(environment, tmp_path, pool=PoolSize(spare=0)) as over_:
            yield over_


async def test_clients_that_have_gone_leave_room_for_all_that_come_later(served: Over) -> None:
    app = served.opening.app
    for _ in range(6):
        client = await served.raw()
        assert "started empty" in (await client.execute("a = 1", session="s"))[1]
        assert await client.delete() == 200
        assert len(app.sessions) == 0
    for transport in ("http", "sse"):
        for era in ("legacy", "auto"):
            async with served.client(transport, era) as later:
                assert "started empty" in (await execute(later, "a = 1", session="s"))[1]


async def test_a_client_of_which_nothing_tells_that_it_has_gone_makes_room_too(served: Over) -> None:
    for n in range(6):
        client = await served.raw()
        assert "started empty" in (await client.execute("a = 1", session="s"))[1], n
    assert len(served.opening.app.sessions) == 4


async def test_delete_in_the_middle_of_runs_answers_them_and_leaves_nothing(served: Over, tmp_path: Path) -> None:
    client, ends = await served.raw(), dict[str, tuple[bool, str]]()

    async def run(name: str, **arguments: Any) -> None:
        ends[name] = await client.execute(HANG.format(str(tmp_path / name)), len(arguments) + 1, **arguments)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run, "alone")
        tasks.start_soon(lambda: run("in a session", session="s"))
        await there(tmp_path / "alone")
        await there(tmp_path / "in a session")
        assert await client.delete() == 200
    await served.empty()

    assert set(ends) == {"alone", "in a session"}
    for failed, text in ends.values():
        assert failed
        assert text.startswith(f"begun\n{STOPPED}\n")
        assert "- shop.buy: done" in text
        assert "- shop.hang: interrupted (may have taken effect)" in text
    records = served.recorded()
    assert [record["outcome"] for record in records] == ["cancelled"] * 2
    assert [[call["tool"] for call in record["calls"]] for record in records] == [["shop.buy", "shop.hang"]] * 2


async def test_delete_ends_runs_whose_handle_was_given_and_forgets_finished_ones_results_and_permissions(
    served: Over, tmp_path: Path
) -> None:
    app, client = served.opening.app, await served.raw()
    other = await served.raw()
    await other.execute("'x' * 100_000")
    await client.execute("save_result('x')\n'x' * 100_000")
    served.opening.answer_after(0)
    handle_in((await client.execute("1"))[1])
    (finished,) = app.runs
    await finished.over.wait()
    handle = handle_in((await client.execute(HANG.format(str(tmp_path / "mark"))))[1])
    await there(tmp_path / "mark")
    assert len(app.runs) == 2
    assert len(app.service.results.links(finished.owner)) == 2
    assert await client.delete() == 200
    await served.empty()

    assert app.service.results.links(finished.owner) == []
    assert served.recorded()[-1]["outcome"] == "cancelled"
    assert (await other.execute("1", run=handle))[0]
    assert len(served.recorded()) == 4


async def test_what_a_client_may_until_it_closes_ends_with_it(served: Over) -> None:
    person = Person(["session"])
    drop = "call_tool('shop.drop', item=1)"
    for _ in range(2):
        async with served.client("http", "legacy", person) as client:
            for _ in range(2):
                assert not (await execute(client, drop))[0]

    assert len(person.shown) == 2


async def test_delete_while_a_person_is_asked_answers_the_request(served: Over) -> None:
    client, ends = await served.raw(elicitation={}), list[tuple[bool, str]]()

    async def run() -> None:
        ends.append(await client.execute("print('begun')\ncall_tool('shop.drop', item=1)"))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        while not any(handle.is_asking for handle in served.opening.app.runs):  # noqa: ASYNC110  # it sets no event
            await anyio.sleep(0.01)
        assert await client.delete() == 200
    await served.empty()

    assert ends[0][1].startswith(f"begun\n{STOPPED}\n")


async def test_after_delete_the_session_is_gone_and_a_second_delete_finds_none(served: Over) -> None:
    client = await served.raw()
    statuses: list[int] = []

    async def delete() -> None:
        statuses.append(await client.delete())

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(delete)

    assert sorted(statuses) == [200, 404, 404]
    assert await client.delete() == 404
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    assert (await client.post(ping)).status_code == 404


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 400), ({"Mcp-Session-Id": "0" * 32}, 404), ({"Mcp-Session-Id": "anonymous"}, 404)],
)
async def test_a_delete_of_another_session_or_of_none_ends_nothing(
    served: Over, headers: dict[str, str], status: int
) -> None:
    mine, stranger = await served.raw(), RawClient(served.http, f"{served.address}/mcp")
    await mine.execute("a = 42", session="s")
    async with served.client("http", "auto") as modern:
        name = (await execute(modern, "a = 7", session="s"))[1].partition("session '")[2].partition("'")[0]
        stranger.headers |= headers
        assert await stranger.delete() == status
        another = await served.raw()
        assert await another.delete() == 200

        assert (await mine.execute("a", session="s"))[1].startswith("42\n")
        assert (await execute(modern, "a", session=name))[1].startswith("7\n")


async def test_a_delete_in_the_name_of_2026_07_28_which_has_no_sessions_ends_nothing(served: Over) -> None:
    mine = await served.raw()
    await mine.execute("a = 42", session="s")
    stranger = RawClient(served.http, mine.url, mine.headers | {"MCP-Protocol-Version": "2026-07-28"})
    assert await stranger.delete() >= 400

    assert (await mine.execute("a", session="s"))[1].startswith("42\n")


async def test_a_client_that_disconnects_in_the_middle_and_then_ends_its_session_leaves_nothing(
    served: Over, tmp_path: Path
) -> None:
    client = await served.raw()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: client.execute(HANG.format(str(tmp_path / "mark")), session="s"))
        await there(tmp_path / "mark")
        tasks.cancel_scope.cancel()
    await there(tmp_path / "mark.cancelled")
    assert await client.delete() == 200
    await served.empty()

    assert [record["outcome"] for record in served.recorded()] == ["cancelled"]


@pytest.mark.parametrize("era", ["legacy", "auto"])
@pytest.mark.parametrize("handed_out", [False, True])
async def test_the_end_of_an_sse_stream_ends_all_that_its_client_had(
    served: Over, tmp_path: Path, era: Any, handed_out: bool
) -> None:
    handles: list[RunHandle] = []
    async with served.client("sse", era) as client, anyio.create_task_group() as tasks:
        await warmed_up(client)
        await execute(client, "a = 1", session="s")
        await execute(client, "'x' * 100_000")
        served.opening.answer_after(0 if handed_out else 60)
        tasks.start_soon(execute, client, HANG.format(str(tmp_path / "mark")))
        await there(tmp_path / "mark")
        handles += served.opening.app.runs
        while handles[0].handed_out != handed_out:  # noqa: ASYNC110  # it sets no event
            await anyio.sleep(0.01)
        tasks.cancel_scope.cancel()
    await there(tmp_path / "mark.cancelled")
    await served.empty()

    assert served.opening.app.service.results.links(handles[0].owner) == []
    assert served.recorded()[-1]["outcome"] == "cancelled"


async def test_a_session_that_the_sdk_ends_by_itself_takes_all_with_it(served: Over) -> None:
    sessions = StreamableHTTPSessionManager(served.opening.server)
    async with sessions.run(), httpx2.AsyncClient(transport=httpx2.ASGITransport(sessions.handle_request)) as http:
        client = RawClient(http, "http://127.0.0.1/mcp")
        await client.open()
        await client.execute("a = 1", session="s")
        (transport,) = sessions._server_instances.values()  # pyright: ignore[reportPrivateUsage]  # no other way to it
        assert transport.idle_scope is not None
        transport.idle_scope.cancel()  # as its clock does
        await served.empty()


@dataclass
class Application:
    """What `SessionEnds` stands in front of: its POST requests are answered when the test says so."""

    began: anyio.Event = field(default_factory=anyio.Event)
    may_answer: anyio.Event = field(default_factory=anyio.Event)
    heard: list[str] = field(default_factory=list[str])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.heard.append(scope["method"])
        if scope["method"] == "POST":
            self.began.set()
            await self.may_answer.wait()
        await Response()(scope, receive, send)


async def test_a_request_that_is_not_answered_in_time_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("codeact_server.transports.http_sessions.ANSWERED_WITHIN_S", 0)
    app, left = Application(), list[str]()
    transport = httpx2.ASGITransport(SessionEnds(app, left.append))
    with anyio.fail_after(GUARD_S):
        async with httpx2.AsyncClient(transport=transport) as http, anyio.create_task_group() as tasks:
            client = RawClient(http, "http://test/mcp", {"Mcp-Session-Id": "mine"})
            tasks.start_soon(client.post, b"")
            await app.began.wait()
            assert await client.delete() == 200
            app.may_answer.set()

    assert (app.heard, left) == (["POST", "DELETE"], ["http session mine"])


async def test_a_session_that_is_ending_takes_no_more_requests_and_others_do() -> None:
    app, left, statuses = Application(), list[str](), list[int]()
    transport = httpx2.ASGITransport(SessionEnds(app, left.append))

    async def delete() -> None:
        statuses.append(await mine.delete())

    with anyio.fail_after(GUARD_S):
        async with httpx2.AsyncClient(transport=transport) as http, anyio.create_task_group() as tasks:
            mine, other = (RawClient(http, "http://test/mcp", {"Mcp-Session-Id": name}) for name in ("mine", "other"))
            tasks.start_soon(mine.post, b"")
            await app.began.wait()
            tasks.start_soon(delete)
            await anyio.wait_all_tasks_blocked()
            assert (await mine.post(b"")).status_code == 404
            assert app.heard == ["POST"]
            app.may_answer.set()
            assert (await other.post(b"")).status_code == 200

    assert statuses == [200]
    assert sorted(app.heard) == ["DELETE", "POST", "POST"]
