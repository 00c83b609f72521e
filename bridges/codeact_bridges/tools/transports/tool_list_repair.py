"""Repair of a `tools/list` result with invalid tools: `mcp` rejects the whole list for one of them.

An invalid tool is repaired if possible, otherwise left out with a warning. Pure.
"""

import logging
from collections.abc import Mapping
from typing import Any, cast

from mcp.types.methods import parse_server_result

from codeact_bridges.text import cut, one_line
from codeact_bridges.tools.catalog.schema import mapping, properties

log = logging.getLogger(__name__)

MAX_REPAIRED = 5_000
"""Tools of one result that are checked one by one; the rest is left out."""


def with_valid_tools(server: str, result: Mapping[str, Any], version: str) -> Mapping[str, Any]:
    """`result`, a response to `tools/list`, with only the tools that `mcp` accepts in protocol `version`."""
    tools: object = result.get("tools")
    if not isinstance(tools, list) or _is_valid(result, version):
        return result
    valid_tools: list[object] = []
    for tool in cast("list[object]", tools)[:MAX_REPAIRED]:
        candidates = (tool, _repaired(tool))
        if (valid := next((one for one in candidates if _is_valid_tool(one, version)), None)) is not None:
            valid_tools.append(valid)
        else:
            name: object = mapping(tool).get("name")
            log.warning("server %r: hiding the tool %s: its description violates the protocol", server, _shown(name))
    return {**result, "tools": valid_tools}


def _repaired(tool: object) -> dict[str, Any] | None:
    """The parts of a tool that we use, in the form that the protocol requires; None if that is not possible."""
    given = mapping(tool)
    schema = mapping(given.get("inputSchema"))
    is_schema = isinstance(given.get("inputSchema", {}), Mapping) and schema.get("type", "object") == "object"
    if not isinstance(given.get("name"), str) or not is_schema:
        return None
    # The protocol requires an explicit `type: object`, and an object for each property where JSON Schema allows `true`.
    named = {name: mapping(value) for name, value in properties(schema).items()}
    fixed: dict[str, Any] = {
        "name": given["name"],
        "inputSchema": {**schema, "type": "object", **({"properties": named} if "properties" in schema else {})},
    }
    if isinstance(given.get("description"), str):
        fixed["description"] = given["description"]
    return fixed


def _is_valid_tool(tool: object, version: str) -> bool:
    return _is_valid({"tools": [tool], "resultType": "complete", "ttlMs": 0, "cacheScope": "private"}, version)


def _is_valid(result: Mapping[str, Any], version: str) -> bool:
    try:
        parse_server_result("tools/list", version, result)
    except (ValueError, RecursionError):  # pydantic's ValidationError is a ValueError
        return False
    return True


def _shown(name: object) -> str:
    return cut(repr(one_line(name, 80) if isinstance(name, str) else name), 100)
