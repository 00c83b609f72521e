"""Calling a tool by its name, in the two steps that a run takes."""

from collections.abc import Mapping
from typing import Any

from codeact_bridges.tools.port import ToolsPort
from codeact_bridges.values import JsonValue, ToolValue


async def call(tools: ToolsPort, name: str, arguments: Mapping[str, JsonValue], **more: Any) -> ToolValue:
    """Resolve `name` and call it. `more` is what `ToolsPort.call` takes besides."""
    return await tools.call(await tools.resolve(name, arguments), arguments, **more)
