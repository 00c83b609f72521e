"""The usable tools of a server. The others are hidden, each with a warning."""

import logging

import pytest
from mcp.types import Tool

from codeact_bridges.tools.downstream.tool_list import MAX_NAME, usable


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "it has no name"),
        ("x" * (MAX_NAME + 1), "its name has more than 128 characters"),
        ("look with\n(it is read-only)", "its name contains invisible characters"),
        ("look\u202elive", "its name contains invisible characters"),
        ("look\x1b[2J", "its name contains invisible characters"),
    ],
)
def test_a_tool_whose_name_cannot_be_shown_is_hidden_with_a_warning(
    name: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    tools = [Tool(name=name, input_schema={"type": "object"}), Tool(name="good", input_schema={"type": "object"})]
    with caplog.at_level(logging.WARNING):
        assert [tool.name for tool in usable("shop", tools)] == ["good"]
    assert "server 'shop': hiding the tool" in caplog.text
    assert reason in caplog.text


def test_a_tool_with_an_unusual_but_visible_name_is_usable() -> None:
    names = ["x" * MAX_NAME, "größe", "with spaces", "a/b.c-d"]
    assert [tool.name for tool in usable("shop", [Tool(name=name, input_schema={}) for name in names])] == names
