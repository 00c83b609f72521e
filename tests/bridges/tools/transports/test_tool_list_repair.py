"""A `tools/list` result with invalid tools, repaired."""

import logging
from typing import Any

import pytest

from codeact_bridges.tools.transports.tool_list_repair import MAX_REPAIRED, with_valid_tools

VERSION = "2025-11-25"
GOOD = {"name": "good", "inputSchema": {"type": "object"}}


def repaired(*tools: object) -> list[Any]:
    tools_left: list[Any] = with_valid_tools("shop", {"tools": [*tools], "nextCursor": "n"}, VERSION)["tools"]
    return tools_left


def test_a_valid_result_stays_as_it_is() -> None:
    result = {"tools": [GOOD]}

    assert with_valid_tools("shop", result, VERSION) is result


@pytest.mark.parametrize("tools", [None, "x", {}])
def test_a_result_without_a_list_is_left_to_the_protocols_own_error(tools: object) -> None:
    result = {"tools": tools}

    assert with_valid_tools("shop", result, VERSION) is result


@pytest.mark.parametrize(
    ("tool", "fixed"),
    [
        ({"name": "t"}, {"name": "t", "inputSchema": {"type": "object"}}),
        ({"name": "t", "inputSchema": {}}, {"name": "t", "inputSchema": {"type": "object"}}),
        (
            {"name": "t", "description": "d", "inputSchema": {"properties": {"a": True}}},
            {"name": "t", "description": "d", "inputSchema": {"type": "object", "properties": {"a": {}}}},
        ),
        (
            {"name": "t", "description": 5, "annotations": "x", "inputSchema": {"type": "object"}},
            {"name": "t", "inputSchema": {"type": "object"}},
        ),
    ],
)
def test_a_tool_keeps_what_can_be_used_of_it(tool: dict[str, Any], fixed: dict[str, Any]) -> None:
    assert repaired(tool, GOOD) == [fixed, GOOD]


@pytest.mark.parametrize("tool", [None, 5, [], {}, {"name": 5}, {"name": "t", "inputSchema": {"type": "array"}}])
def test_a_tool_that_cannot_be_repaired_is_left_out_and_the_log_says_so(
    tool: object, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert repaired(tool, GOOD) == [GOOD]

    assert "server 'shop': hiding the tool" in caplog.text


def test_a_name_cannot_bring_lines_of_its_own_into_the_log(caplog: pytest.LogCaptureFixture) -> None:
    repaired({"name": "a\nWARNING: b" + "x" * 1_000, "inputSchema": 5}, GOOD)

    (record,) = caplog.records
    assert "\n" not in record.getMessage()
    assert len(record.getMessage()) < 250


def test_the_rest_of_the_result_stays() -> None:
    assert with_valid_tools("shop", {"tools": [None], "nextCursor": "n"}, VERSION) == {"tools": [], "nextCursor": "n"}


def test_so_many_tools_are_looked_at_and_no_more() -> None:
    assert len(repaired(None, *[GOOD] * (MAX_REPAIRED + 5))) == MAX_REPAIRED - 1
