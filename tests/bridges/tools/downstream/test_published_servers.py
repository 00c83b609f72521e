"""Published servers: their results, and what happens to a call when one of them is killed during it."""

import os
import signal
import sqlite3
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from subprocess import run
from typing import TypeAlias

import anyio
import pytest
from published import npm_server, pypi_server
from tool_calls import call

from codeact_bridges.errors import DownstreamFailed
from codeact_bridges.tools.bridge import ToolsBridge
from codeact_bridges.tools.spec import StdioServer, ToolSelection
from codeact_bridges.values import Data, JsonValue, Link, Media, ToolParts, ToolValue

Arguments: TypeAlias = Mapping[str, JsonValue]


def duckdb_command() -> list[str]:
    return pypi_server("mcp-server-motherduck", "mcp-server-motherduck")


def sqlite_command() -> list[str]:
    return pypi_server("mcp-server-sqlite", "mcp-server-sqlite", "mcp<2")


def stdio(name: str, command: list[str], **env: str) -> StdioServer:
    return StdioServer(name=name, command=command[0], args=tuple(command[1:]), env=env, start_timeout_s=60)


def data(value: ToolValue) -> JsonValue:
    assert isinstance(value, Data), value
    return value.value


async def test_git_and_time_servers_work_side_by_side(tmp_path: Path) -> None:
    run(["git", "init", "--quiet", "--initial-branch=trunk", str(tmp_path)], check=True)  # noqa: ASYNC221
    servers = [
        stdio("git", [sys.executable, "-m", "mcp_server_git"]),
        stdio("time", [sys.executable, "-m", "mcp_server_time"]),
    ]
    with anyio.fail_after(60):
        async with ToolsBridge(servers) as tools:
            assert "On branch trunk" in str(data(await call(tools, "git.git-status", {"repo_path": str(tmp_path)})))
            now = data(await call(tools, "get_current_time", {"timezone": "Europe/Berlin"}))
    assert isinstance(now, dict)
    assert now["timezone"] == "Europe/Berlin"


async def test_the_everything_server_returns_structured_content_images_links_and_progress() -> None:
    reported: list[float] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        reported.append(progress)

    with anyio.fail_after(60):
        async with ToolsBridge([stdio("everything", npm_server("server-everything"))]) as tools:
            weather = data(await call(tools, "get-structured-content", {"location": "New York"}))
            assert isinstance(weather, dict)
            assert weather.keys() == {"temperature", "conditions", "humidity"}
            picture = await call(tools, "everything.get_tiny_image", {})
            assert isinstance(picture, ToolParts)
            assert [part.mime_type for part in picture.parts if isinstance(part, Media)] == ["image/png"]
            links = await call(tools, "get_resource_links", {"count": 2})
            assert isinstance(links, ToolParts)
            link = next(part for part in links.parts if isinstance(part, Link))
            assert isinstance(await tools.read_resource(link.server, link.uri), Media)
            await call(tools, "trigger_long_running_operation", {"duration": 0.1, "steps": 2}, on_progress=on_progress)
    assert reported == [1, 2]


async def test_files_are_read_and_errors_state_their_reason(tmp_path: Path) -> None:
    await anyio.Path(tmp_path / "a.txt").write_text("hello")
    with anyio.fail_after(60):
        async with ToolsBridge([stdio("files", [*npm_server("server-filesystem"), str(tmp_path)])]) as tools:
            assert "hello" in str(await call(tools, "read_text_file", {"path": str(tmp_path / "a.txt")}))
            with pytest.raises(DownstreamFailed, match="Access denied"):
                await call(tools, "read_text_file", {"path": "/etc/passwd"})


async def test_read_only_leaves_the_read_only_tools_of_the_file_server(tmp_path: Path) -> None:
    command = [*npm_server("server-filesystem"), str(tmp_path)]
    spec = StdioServer(name="files", command=command[0], args=tuple(command[1:]), tools=ToolSelection(read_only=True))
    with anyio.fail_after(60):
        async with ToolsBridge([spec]) as tools:
            await tools.wait_settled()
            names = {tool.name for tool in tools.catalog.tools}
    assert "read_text_file" in names
    assert not names & {"write_file", "edit_file", "move_file", "create_directory"}


async def test_the_memory_server_stores_a_graph(tmp_path: Path) -> None:
    server = stdio("memory", npm_server("server-memory"), MEMORY_FILE_PATH=str(tmp_path / "graph.json"))
    ada: dict[str, JsonValue] = {"name": "Ada", "entityType": "person", "observations": ["counts"]}
    with anyio.fail_after(60):
        async with ToolsBridge([server]) as tools:
            await call(tools, "create_entities", {"entities": [ada]})
            graph = data(await call(tools, "read_graph", {}))
    assert isinstance(graph, dict)
    assert graph["entities"] == [ada]


async def test_duckdb_answers_queries() -> None:
    command = [*duckdb_command(), "--db-path", ":memory:", "--read-write"]
    with anyio.fail_after(300):
        async with ToolsBridge([stdio("duck", command)]) as tools:
            found = await call(tools, "execute_query", {"sql": "SELECT 40 + 2 AS answer"})
    assert "42" in str(found)


async def test_a_server_of_the_first_sdk_returns_rows_as_a_python_literal(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as base:
        base.executescript("CREATE TABLE o (id, who); INSERT INTO o VALUES (1, 'Ada');")
    command = [*sqlite_command(), "--db-path", str(tmp_path / "shop.db")]
    spec = StdioServer(name="shop", command=command[0], args=tuple(command[1:]), literal=True)
    with anyio.fail_after(300):
        async with ToolsBridge([spec]) as tools:
            assert data(await call(tools, "read_query", {"query": "SELECT * FROM o"})) == [{"id": 1, "who": "Ada"}]
            assert 'list[{"id": int, "who": str}]' in await tools.describe("read_query")


def git(folder: Path) -> tuple[list[str], str, Arguments]:
    run(["git", "init", "--quiet", str(folder)], check=True)
    return [sys.executable, "-m", "mcp_server_git"], "git_status", {"repo_path": str(folder)}


def time(_: Path) -> tuple[list[str], str, Arguments]:
    return [sys.executable, "-m", "mcp_server_time"], "get_current_time", {"timezone": "Asia/Tokyo"}


def everything(_: Path) -> tuple[list[str], str, Arguments]:
    return npm_server("server-everything"), "echo", {"message": "hello"}


def filesystem(folder: Path) -> tuple[list[str], str, Arguments]:
    edit: JsonValue = [{"oldText": "old", "newText": "old"}]
    (path := folder / "a.txt").write_text("old\n")
    return [*npm_server("server-filesystem"), str(folder)], "edit_file", {"path": str(path), "edits": edit}


def memory(_: Path) -> tuple[list[str], str, Arguments]:
    return npm_server("server-memory"), "create_entities", {"entities": []}


def duckdb(folder: Path) -> tuple[list[str], str, Arguments]:
    return [*duckdb_command(), "--db-path", ":memory:", "--read-write"], "execute_query", {"sql": "SELECT 1"}


def sqlite(folder: Path) -> tuple[list[str], str, Arguments]:
    return [*sqlite_command(), "--db-path", str(folder / "shop.db")], "list_tables", {}


@pytest.mark.parametrize("server", [git, time, everything, filesystem, memory, duckdb, sqlite])
async def test_a_server_killed_during_a_call_fails_that_call_or_repeats_it(
    server: Callable[[Path], tuple[list[str], str, Arguments]], tmp_path: Path
) -> None:
    command, tool, arguments = server(tmp_path)
    pid_file = tmp_path / "pid"
    spec = stdio("it", ["sh", "-c", f'echo $$ > "{pid_file}"; exec "$@"', "sh", *command])
    with anyio.fail_after(120):
        async with ToolsBridge([spec]) as tools:
            before = await call(tools, tool, arguments)
            pid = int(await anyio.Path(pid_file).read_text())
            # A stopped process accepts the call and does not respond.
            os.kill(pid, signal.SIGSTOP)
            async with anyio.create_task_group() as calls:
                calls.start_soon(expect_a_repeat_or_a_report, tools, tool, arguments)
                while tools.statuses()[0].calls == 0:
                    await anyio.lowlevel.checkpoint()
                await anyio.wait_all_tasks_blocked()
                os.kill(pid, signal.SIGKILL)
            after = await call(tools, tool, arguments)
            assert type(after) is type(before)
            assert int(await anyio.Path(pid_file).read_text()) != pid


async def expect_a_repeat_or_a_report(tools: ToolsBridge, name: str, arguments: Arguments) -> None:
    tool = tools.catalog.resolve(name)
    if tool.read_only or tool.idempotent:
        await call(tools, name, arguments)
        return
    with pytest.raises(DownstreamFailed, match="lost during the call, which may have taken effect"):
        await call(tools, name, arguments)
