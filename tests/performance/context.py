"""Tokens of a model's context that the orders task takes: one tool call after the other, and one program.

    python tests/performance/context.py

Counted: the definitions of the tools as JSON, the name and arguments of each call, and each result, once. Not counted:
the question, the answer and the model's own words, which both ways have; and that a model reads everything again at
each later turn, which would only widen the difference. The tokenizer is OpenAI's o200k_base from the package `rs-bpe`;
other vendors' tokenizers count differently, on both sides.
"""

import importlib
import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import anyio
from anyio import from_thread, to_thread
from mcp import Client, StdioServerParameters
from mcp.types import CallToolResult, TextContent

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
from served import EXAMPLES, Commands

count: Callable[[str], int] = cast(Any, importlib.import_module("rs_bpe.bpe")).openai.o200k_base().count
PROGRAM = (EXAMPLES / "orders.py").read_text(encoding="utf-8")
SERVER = {"command": sys.executable, "args": [str(EXAMPLES / "orders_server.py")]}


async def definitions(client: Client) -> str:
    """The tools of a server, as clients hand them to a model."""
    tools = (await client.list_tools()).tools
    return json.dumps([{"name": t.name, "description": t.description, "input_schema": t.input_schema} for t in tools])


def text_of(result: CallToolResult) -> str:
    assert not result.is_error, result
    return "\n".join(part.text for part in result.content if isinstance(part, TextContent))


async def one_by_one() -> tuple[int, int]:
    """The number of tool calls, and the tokens of definitions, calls and results."""
    texts: list[str] = []

    async def answer(name: str, arguments: dict[str, Any]) -> Any:
        result = await client.call_tool(name.removeprefix("orders."), arguments)
        texts.extend([json.dumps({"name": name, "arguments": arguments}), text_of(result)])
        assert result.structured_content is not None
        return result.structured_content["result"]

    def call_tool(name: str, **arguments: Any) -> Any:
        return from_thread.run(answer, name, arguments)

    async with Client(StdioServerParameters.model_validate(SERVER)) as client:
        defined = await definitions(client)
        await to_thread.run_sync(exec, PROGRAM, {"call_tool": call_tool, "print": str})
    return len(texts) // 2, sum(map(count, [defined, *texts]))


async def one_program(commands: Commands) -> int:
    """The tokens of the one tool, the program and its result."""
    config = commands.config({"orders": SERVER})
    async with commands.serving("stdio", "--config", config) as served, served.client("legacy") as client:
        await client.call_tool("execute_code", {"code": "list_tools()"})  # waits until the server's tools are known
        defined = await definitions(client)
        assert "orders.list_users" in defined
        result = text_of(await client.call_tool("execute_code", {"code": PROGRAM}))
    return sum(map(count, [defined, json.dumps({"name": "execute_code", "arguments": {"code": PROGRAM}}), result]))


async def measured(environment: Mapping[str, str]) -> tuple[int, int, int]:
    """The number of tool calls, the tokens of them one by one, and the tokens of one program."""
    with tempfile.TemporaryDirectory() as folder:
        return *await one_by_one(), await one_program(Commands(Path(folder), environment))


async def main() -> None:
    calls, direct, program = await measured(os.environ)
    print(f"{calls} tool calls, one by one: {direct:,} tokens in the model's context")
    print(f"one program: {program:,} tokens")


if __name__ == "__main__":
    anyio.run(main)
