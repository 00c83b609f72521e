"""Tool lists that last from one process to the next, and the files they come from."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from codeact_bridges.tools.catalog.catalog import CatalogTool
from codeact_bridges.tools.downstream.tool_list_store import MAX_FILE_BYTES, ToolListStore
from codeact_bridges.tools.spec import HttpServer, OAuth, ServerSpec, StdioServer

SHOP = StdioServer(name="shop", command="shop", args=("--all",), env={"A": "1"})
CLOUD = HttpServer(name="cloud", url="https://example.com/mcp", headers={"Authorization": "hush"})
TOOLS = (
    CatalogTool(
        "shop",
        "look",
        "Look at it. Ä😀",
        {"type": "object", "properties": {"item": {"type": "integer", "default": 1}}},
        {"type": "object"},
        read_only=True,
        open_world=False,
    ),
    CatalogTool("shop", "drop", destructive=True, idempotent=True),
)


def stored(folder: Path, spec: ServerSpec = SHOP) -> tuple[CatalogTool, ...]:
    return ToolListStore(folder).load(spec)


def the_file(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "tools"
    ToolListStore(folder).store(SHOP, TOOLS)
    return folder


def test_a_list_is_the_same_after_a_restart(folder: Path) -> None:
    found = stored(folder)
    assert len(found) == len(TOOLS)
    assert all(map(CatalogTool.is_same_as, found, TOOLS))


def test_half_a_character_costs_that_character(tmp_path: Path) -> None:
    ToolListStore(tmp_path).store(SHOP, (replace(TOOLS[0], description="half \ud800"),))
    assert [tool.description for tool in stored(tmp_path)] == ["half ?"]


def test_without_a_folder_nothing_is_stored() -> None:
    store = ToolListStore()
    store.store(SHOP, TOOLS)
    assert store.load(SHOP) == ()


@pytest.mark.parametrize(
    "other",
    [
        replace(SHOP, name="store"),
        replace(SHOP, command="/bin/shop"),
        replace(SHOP, args=("--some",)),
        replace(SHOP, env={"A": "2"}),
        replace(SHOP, cwd=Path("/")),
    ],
)
def test_a_server_that_is_started_in_another_way_is_another_one(folder: Path, other: StdioServer) -> None:
    assert stored(folder, other) == ()


@pytest.mark.parametrize(
    "other",
    [
        replace(CLOUD, url="https://example.com/other"),
        replace(CLOUD, headers={"Authorization": "hush hush"}),
        replace(CLOUD, transport="sse"),
        replace(CLOUD, oauth=OAuth()),
    ],
)
def test_a_server_at_another_address_is_another_one(tmp_path: Path, other: HttpServer) -> None:
    ToolListStore(tmp_path).store(CLOUD, TOOLS)
    assert len(stored(tmp_path, CLOUD)) == len(TOOLS)
    assert stored(tmp_path, other) == ()


def test_settings_that_do_not_change_the_servers_list_keep_it(folder: Path) -> None:
    assert len(stored(folder, replace(SHOP, call_timeout_s=1, literal=True, start="lazy"))) == len(TOOLS)


def test_a_script_that_is_named_relative_to_a_folder_belongs_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = StdioServer(name="script", command="python", args=("server.py",))
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "server.py").touch()
    monkeypatch.chdir(tmp_path / "one")
    ToolListStore(tmp_path / "tools").store(spec, TOOLS)
    assert stored(tmp_path / "tools", spec)
    monkeypatch.chdir(tmp_path / "other")
    assert stored(tmp_path / "tools", spec) == ()


def test_a_file_holds_no_secrets_of_the_entry(tmp_path: Path) -> None:
    ToolListStore(tmp_path).store(CLOUD, TOOLS)
    assert "hush" not in the_file(tmp_path).read_text() + the_file(tmp_path).name


def changed(**fields: Any) -> Callable[[str], str]:
    return lambda text: json.dumps({**json.loads(text), **fields})


DAMAGE: dict[str, Callable[[str], str]] = {
    "cut": lambda text: text[:-1],
    "empty": lambda text: "",
    "nested": lambda text: "[" * 10_000,
    "null": lambda text: "null",
    "format": changed(format=2),
    "server": changed(server="another"),
    "tool": changed(tools=[{"name": 5}]),
    "no list": changed(tools={}),
    "more": changed(more=1),
    "long": lambda text: text + " " * MAX_FILE_BYTES,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_or_foreign_file_is_ignored_and_replaced(folder: Path, damage: str) -> None:
    path = the_file(folder)
    path.write_text(DAMAGE[damage](path.read_text()))
    assert stored(folder) == ()
    ToolListStore(folder).store(SHOP, TOOLS)
    assert len(stored(folder)) == len(TOOLS)


def test_another_servers_file_is_ignored(folder: Path) -> None:
    ours = the_file(folder)
    ToolListStore(folder).store(CLOUD, ())
    (cloud,) = (path for path in folder.iterdir() if path != ours)
    shutil.copy(ours, cloud)
    assert stored(folder, CLOUD) == ()


def test_tools_that_cannot_be_called_are_left_out(folder: Path) -> None:
    path = the_file(folder)
    path.write_text(
        changed(tools=[{"name": "a\u202eb", "inputSchema": {}}, {"name": "ok", "inputSchema": {}}])(path.read_text())
    )
    assert [tool.name for tool in stored(folder)] == ["ok"]


def test_a_file_that_others_may_write_is_ignored(folder: Path) -> None:
    os.chmod(the_file(folder), 0o622)
    assert stored(folder) == ()


def test_an_equal_list_is_not_written_again(folder: Path) -> None:
    before = the_file(folder).stat().st_ino
    ToolListStore(folder).store(SHOP, TOOLS)
    assert the_file(folder).stat().st_ino == before


def test_a_list_that_is_too_long_is_not_stored(tmp_path: Path) -> None:
    ToolListStore(tmp_path).store(SHOP, (CatalogTool("shop", "look", "x" * MAX_FILE_BYTES),))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_costs_the_store_alone(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    store = ToolListStore(tmp_path / "file")
    store.store(SHOP, TOOLS)
    assert store.load(SHOP) == ()
