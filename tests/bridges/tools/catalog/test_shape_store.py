"""The persistent store of result shapes."""

import json
import stat
from pathlib import Path

import anyio
import pytest
from tool_calls import call

from codeact_bridges.tools.bridge import ToolsBridge
from codeact_bridges.tools.catalog.catalog import CatalogTool
from codeact_bridges.tools.catalog.shape_store import MAX_STORED, ShapeStore
from codeact_bridges.tools.spec import StdioServer
from codeact_bridges.values import Data

TOOL = CatalogTool("shop", "orders")


async def test_the_shape_of_a_result_is_shown_after_a_restart(everyday: StdioServer, tmp_path: Path) -> None:
    with anyio.fail_after(30):
        async with ToolsBridge([everyday], state_dir=tmp_path) as tools:
            await call(tools, "json_text", {})
        async with ToolsBridge([everyday], state_dir=tmp_path) as tools:
            assert 'returns (seen so far): list[{"id": int}]' in await tools.describe("json_text")


async def test_new_shapes_are_written_while_the_process_runs(tmp_path: Path) -> None:
    store = ShapeStore(path := tmp_path / "shapes.json")
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(store.persist_loop)
            store.record(TOOL, Data({"id": 1}))
            while not path.exists():
                await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()
    assert str(ShapeStore(path).shape(TOOL)) == '{"id": int}'


def test_the_file_is_readable_by_its_owner_only_and_contains_no_values(tmp_path: Path) -> None:
    store = ShapeStore(path := tmp_path / "deep" / "shapes.json")
    store.record(TOOL, Data({"name": "hush", "hush@example.com": 1, "list": ["hush"]}))
    store.write()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "hush" not in path.read_text()
    assert [one.name for one in path.parent.iterdir()] == ["shapes.json"]


def test_two_processes_add_to_the_same_file(tmp_path: Path) -> None:
    one, other = ShapeStore(tmp_path / "s.json"), ShapeStore(tmp_path / "s.json")
    one.record(TOOL, Data({"id": 1}))
    one.write()
    other.record(TOOL, Data({"id": "x"}))
    other.record(CatalogTool("shop", "people"), Data([]))
    other.write()
    assert str(ShapeStore(tmp_path / "s.json").shape(TOOL)) == '{"id": int | str}'


def test_a_tool_with_another_schema_has_its_own_shape(tmp_path: Path) -> None:
    store = ShapeStore(tmp_path / "s.json")
    store.record(TOOL, Data(1))
    assert store.shape(CatalogTool("shop", "orders", input_schema={"properties": {"since": {}}})) is None


def test_the_number_of_stored_shapes_is_bounded(tmp_path: Path) -> None:
    store = ShapeStore(path := tmp_path / "s.json")
    for number in range(MAX_STORED + 10):
        store.record(CatalogTool("shop", f"tool{number}"), Data({f"a{n}": {"b": 1} for n in range(3)}))
    store.write()
    assert len(json.loads(path.read_text())["shapes"]) == MAX_STORED
    assert ShapeStore(path).shape(CatalogTool("shop", "tool9")) is None
    assert ShapeStore(path).shape(CatalogTool("shop", f"tool{MAX_STORED + 9}")) is not None


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", '{"version": 1}', '{"version": 2, "shapes": {"a": {}}}', '{"version": 1, "shapes": {"a": 1}}'],
)
def test_a_file_that_cannot_be_read_is_replaced(tmp_path: Path, text: str) -> None:
    (path := tmp_path / "s.json").write_text(text)
    store = ShapeStore(path)
    store.record(TOOL, Data(1))
    store.write()
    assert str(ShapeStore(path).shape(TOOL)) == "int"
