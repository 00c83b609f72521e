"""JSON costs the event loop time, so each call encodes its arguments once and its result once."""

import json
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import anyio
import pytest
from run_handles import a_run

from codeact_bridges.limits import Limits
from codeact_bridges.runs.tool_calls import ToolCalls
from codeact_bridges.tools.bridge import ToolsBridge
from codeact_bridges.tools.spec import StdioServer

EVERYDAY = Path(__file__).parents[2] / "servers" / "everyday.py"


@contextmanager
def encoders_called() -> Generator[list[str]]:
    """The JSON encoders that this thread calls in the block: those of pydantic and of the standard library."""
    called: list[str] = []

    def note(frame: FrameType, event: str, arg: Any) -> None:
        if event == "c_call" and getattr(arg, "__name__", "") == "to_json":
            called.append("to_json")
        elif event == "call" and frame.f_code is json.JSONEncoder.encode.__code__:
            called.append("json")

    sys.setprofile(note)
    try:
        yield called
    finally:
        sys.setprofile(None)


def test_the_encoders_are_noticed() -> None:
    from pydantic import TypeAdapter
    from pydantic_core import to_json

    with encoders_called() as called:
        to_json([1])
        TypeAdapter(list[int]).dump_json([1])
        json.dumps([1], ensure_ascii=False)

    assert called == ["to_json", "to_json", "json"]


@pytest.mark.parametrize(
    "request_text",
    [
        '{"tool": "people", "arguments": {}}',  # structured content
        '{"tool": "json_text", "arguments": {}}',  # text that is JSON
        '{"tool": "text", "arguments": {"size": 1000}}',  # text
    ],
)
async def test_a_call_encodes_its_arguments_once_and_its_result_once(request_text: str) -> None:
    server = StdioServer(name="everyday", command=sys.executable, args=(str(EVERYDAY), "stdio"))
    with anyio.fail_after(30):
        async with ToolsBridge([server]) as tools:
            call = ToolCalls(tools, a_run(), Limits()).handlers()["tools.call"]
            await call(request_text)
            with encoders_called() as called:
                await call(request_text)

    assert called == ["to_json", "to_json"]
