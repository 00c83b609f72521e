"""The orders server answers a real client over stdio, and the orders program gets the published totals from it."""

import ast
import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio import from_thread, to_thread
from mcp import Client, StdioServerParameters

EXAMPLES = Path(__file__).parents[2] / "examples"
ORDERS_SERVER = StdioServerParameters(command=sys.executable, args=[str(EXAMPLES / "orders_server.py")])
PUBLISHED_TOTALS = [
    ("Diana", 104.40),
    ("George", 52.77),
    ("Charlie", 50.09),
    ("Alice", 48.36),
    ("Fiona", 36.70),
    ("Evan", 21.77),
    ("Hana", 10.35),
    ("Bob", 9.71),
]


def value_of(program: str, **names: object) -> object:
    """Run `program` as a notebook would: its value is that of its last expression."""
    tree = ast.parse(program)
    last = tree.body.pop()
    assert isinstance(last, ast.Expr)
    exec(compile(tree, "orders.py", "exec"), names)
    return eval(compile(ast.Expression(last.value), "orders.py", "eval"), names)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_orders_program_gets_the_published_totals_with_36_calls(mode: Any) -> None:
    calls: list[str] = []

    async def answer(name: str, arguments: dict[str, object]) -> Any:
        result = await client.call_tool(name.removeprefix("orders."), arguments)
        assert not result.is_error, result.content
        return result.structured_content["result"]  # pyright: ignore[reportOptionalSubscript]

    def call_tool(name: str, **arguments: object) -> Any:
        calls.append(name)
        return from_thread.run(answer, name, arguments)

    program = (EXAMPLES / "orders.py").read_text(encoding="utf-8")
    with anyio.fail_after(30):
        async with Client(ORDERS_SERVER, mode=mode) as client:
            totals = await to_thread.run_sync(partial(value_of, program, call_tool=call_tool))

    assert totals == PUBLISHED_TOTALS
    assert len(calls) == 36


async def test_the_orders_server_has_five_read_only_tools_with_output_schemas() -> None:
    with anyio.fail_after(30):
        async with Client(ORDERS_SERVER) as client:
            tools = (await client.list_tools()).tools

    assert [tool.name for tool in tools] == [
        "list_users",
        "get_orders_for_user",
        "get_discount_rate",
        "get_tax_rate",
        "compute_line_total",
    ]
    assert all(tool.annotations and tool.annotations.read_only_hint and tool.output_schema for tool in tools)


@pytest.mark.parametrize(
    ("tool", "arguments", "message"),
    [
        ("get_tax_rate", {"region": "MOON"}, "no region 'MOON'; there are 'EU', 'US', 'APAC'"),
        ("get_orders_for_user", {"user_id": 99}, "no user 99; there are 1, 2, 3, 4, 5, 6, 7, 8"),
        ("compute_line_total", {"qty": -1, "unit_price": 1, "discount_rate": 0, "tax_rate": 0}, "qty"),
    ],
)
async def test_a_call_that_makes_no_sense_is_a_tool_error_that_says_what_would(
    tool: str, arguments: dict[str, Any], message: str
) -> None:
    with anyio.fail_after(30):
        async with Client(ORDERS_SERVER) as client:
            result = await client.call_tool(tool, arguments)

    assert result.is_error
    assert message in str(result.content)


def test_the_data_carries_the_published_totals() -> None:
    data = json.loads((EXAMPLES / "orders.json").read_text(encoding="utf-8"))

    assert [tuple(entry) for entry in data["expected"]] == PUBLISHED_TOTALS
