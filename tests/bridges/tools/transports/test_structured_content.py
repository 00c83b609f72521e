"""Structured content reaches the program as the server sent it, although the session does not see it."""

from typing import Any

import pytest
from mcp.types import CallToolResult
from mcp.types.methods import validate_server_result

from codeact_bridges.tools.transports.structured_content import sealed, unsealed

CONTENTS: list[Any] = [{}, {"a": {"b": [1, None]}}, {"structuredContent": {"structuredContent": "sealed"}}]


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("version", ["2025-06-18", "2025-11-25", "2026-07-28"])
def test_structured_content_comes_through_the_session_as_the_same_object(content: dict[str, Any], version: str) -> None:
    result: dict[str, Any] = {"content": [], "structuredContent": content, "resultType": "complete"}

    passed_on = sealed(result)
    validate_server_result("tools/call", version, passed_on)

    assert str(content) not in str(passed_on) or content == {}
    assert unsealed(CallToolResult.model_validate(passed_on, by_name=False)).structured_content is content
    assert result["structuredContent"] is content


@pytest.mark.parametrize("result", [{"content": []}, {"content": [], "structuredContent": [1]}])
def test_a_result_without_an_object_is_left_alone(result: dict[str, Any]) -> None:
    assert sealed(result) is result


@pytest.mark.parametrize("content", [None, {"structuredContent": "sealed"}, {"structuredContent": {"content": 1}}])
def test_a_server_cannot_send_a_seal(content: dict[str, Any] | None) -> None:
    result = CallToolResult(content=[], structured_content=content)
    assert unsealed(result) is result
