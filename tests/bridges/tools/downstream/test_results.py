"""What a downstream server answers becomes exactly that value in the program, or an error."""

import base64
from typing import Any

import pytest
from mcp.types import (
    AudioContent,
    BlobResourceContents,
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
    TextResourceContents,
)

from codeact_bridges.errors import DownstreamFailed
from codeact_bridges.tools.catalog.catalog import CatalogTool
from codeact_bridges.tools.downstream.results import MAX_ERROR, json_or_text, unwrap
from codeact_bridges.values import Data, JsonValue, Link, Media, ToolParts, ToolValue

WRAPPED = {"type": "object", "properties": {"result": {"type": "integer"}}, "required": ["result"]}


def value_of(
    *content: ContentBlock,
    structured: Any = ...,
    output_schema: dict[str, Any] | None = None,
    limit_bytes: int = 10_000,
) -> ToolValue:
    result = CallToolResult(content=list(content))
    if structured is not ...:
        result = CallToolResult(content=list(content), structured_content=structured)
    return unwrap(CatalogTool("shop", "tool", output_schema=output_schema), result, limit_bytes)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": [1, null]}', {"a": [1, None]}),
        (" [1, 2]\n", [1, 2]),
        ("17", 17),
        ("1.5", 1.5),
        ("true", True),
        ("null", None),
        ('"quoted"', "quoted"),
        ("123456789012345678901234567890", 123456789012345678901234567890),
    ],
)
def test_text_that_is_json_is_read(text: str, value: JsonValue) -> None:
    assert json_or_text(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "hello",
        "",
        "{'a': 1}",
        "NaN",
        "-Infinity",
        '{"a": NaN}',
        "[1e999]",
        '{"a": 1, "a": 2}',
        '["\\ud800"]',
        "3.10",
        "1e5",
        "0017",
        "1" * 5_000,
        "[" * 100_000,
        "trueish",
    ],
)
def test_text_that_json_would_change_or_cannot_read_stays_text(text: str) -> None:
    assert json_or_text(text) == text


def test_structured_content_wins_over_text() -> None:
    assert value_of(TextContent(text="a summary"), structured={"a": 1}) == Data({"a": 1})


def test_structured_null_is_a_value() -> None:
    assert value_of(TextContent(text="nothing"), structured=None) == Data(None)


def test_the_wrapper_of_the_sdk_is_taken_off_where_the_schema_declares_it() -> None:
    assert value_of(structured={"result": 5}, output_schema=WRAPPED) == Data(5)
    assert value_of(structured={"result": 5}) == Data({"result": 5})
    assert value_of(structured={"result": 5, "more": 6}, output_schema=WRAPPED) == Data({"result": 5, "more": 6})


def test_nothing_at_all_is_none() -> None:
    assert value_of() == Data(None)


def test_several_parts_stay_in_order() -> None:
    picture = base64.b64encode(b"png").decode()
    found = value_of(
        TextContent(text="[1]"), ImageContent(data=picture, mime_type="image/png"), TextContent(text="end")
    )
    assert found == ToolParts((Data([1]), Media("image", "image/png", picture), Data("end")))


def test_a_picture_beside_structured_content_is_kept() -> None:
    picture = base64.b64encode(b"png").decode()
    found = value_of(TextContent(text="{}"), ImageContent(data=picture, mime_type="image/png"), structured={})
    assert found == ToolParts((Data({}), Media("image", "image/png", picture)))


def test_sounds_resources_and_links_become_objects() -> None:
    data = base64.b64encode(b"bytes").decode()
    text = base64.b64encode("größe".encode()).decode()
    blob = BlobResourceContents(uri="file:///a", blob=data, mime_type="x/y")
    plain = TextResourceContents(uri="file:///b", text="größe")
    assert value_of(AudioContent(data=data, mime_type="audio/wav")) == Media("audio", "audio/wav", data)
    assert value_of(EmbeddedResource(resource=blob)) == Media("resource", "x/y", data, "file:///a")
    assert value_of(EmbeddedResource(resource=plain)) == Media("resource", "text/plain", text, "file:///b")
    assert value_of(ResourceLink(uri="file:///c", name="c")) == Link("file:///c", "c", server="shop")


def test_a_picture_that_is_not_base64_is_refused() -> None:
    with pytest.raises(DownstreamFailed, match="cannot be read"):
        value_of(ImageContent(data="not base64!", mime_type="image/png"))


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), "\ud800"])
def test_what_json_cannot_say_is_refused_unless_there_is_text_that_says_it(wrong: JsonValue) -> None:
    with pytest.raises(DownstreamFailed, match="JSON cannot carry"):
        value_of(structured={"x": wrong})
    assert value_of(TextContent(text="{x: ?}"), structured={"x": wrong}) == Data("{x: ?}")


def test_a_result_over_the_limit_is_refused_with_both_sizes() -> None:
    with pytest.raises(DownstreamFailed, match=r"has 10,001 bytes, more than the 10,000 allowed"):
        value_of(TextContent(text="x" * 10_001))
    with pytest.raises(DownstreamFailed, match="more than the 100 allowed"):
        value_of(structured=list(range(100)), limit_bytes=100)


def test_an_error_carries_the_words_of_the_server_up_to_a_limit() -> None:
    failed = CallToolResult(content=[TextContent(text="no such order " * 1_000)], is_error=True)
    with pytest.raises(DownstreamFailed, match=r"shop\.tool: no such order") as caught:
        unwrap(CatalogTool("shop", "tool"), failed)
    assert len(str(caught.value)) < MAX_ERROR + 100


def test_an_error_without_words_says_so() -> None:
    with pytest.raises(DownstreamFailed, match="gave no reason"):
        unwrap(CatalogTool("shop", "tool"), CallToolResult(content=[], is_error=True))


def test_an_error_without_words_shows_the_beginning_of_what_it_holds_and_writes_no_more_than_that() -> None:
    def failure(structured: Any) -> str:
        failed = CallToolResult(content=[], structured_content=structured, is_error=True)
        with pytest.raises(DownstreamFailed) as caught:
            unwrap(CatalogTool("shop", "tool"), failed)
        return caught.value.reason

    assert failure({"code": 7, "why": "größe"}) == '{"code": 7, "why": "größe"}'
    # The last entry has no words in JSON: whoever came that far would stumble.
    long = failure({"a": [[]] * 100_000, "end": object()})
    assert long.startswith('{"a": [[], [], ')
    assert "more characters]" in long
    assert len(long) < MAX_ERROR + 100


def test_a_text_over_the_limit_is_refused_before_anything_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(text: str) -> JsonValue:
        raise AssertionError(f"{len(text)} characters are read")

    monkeypatch.setattr("codeact_bridges.tools.downstream.results.json_or_text", read)
    with pytest.raises(DownstreamFailed, match=r"has 10,001 bytes, more than the 10,000 allowed"):
        value_of(TextContent(text="[" + "1.5," * 2_499 + "1]"), TextContent(text="[]"))


def test_text_that_is_json_of_too_many_parts_stays_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("codeact_bridges.tools.transports.json_limits.MAX_PARTS", 100)
    text = "[" + "1.5," * 200 + "1.5]"
    assert json_or_text(text) == text
    assert json_or_text('["' + "," * 200 + '"]') == ["," * 200]


@pytest.mark.parametrize("number", ["1e309", "1E+0400", "9" * 309 + ".0", "-" + "9" * 300 + "e99"])
def test_a_number_too_large_for_a_float_keeps_all_of_the_text_as_text(number: str) -> None:
    assert json_or_text(f"[1.5, {number}]") == f"[1.5, {number}]"


def test_python_literals_are_read_up_to_a_size_of_all_texts_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("codeact_bridges.tools.downstream.results.MAX_LITERALS", 10)
    rows = CatalogTool("shop", "tool", literal=True)
    text = TextContent(text="{'a': 1}")
    assert unwrap(rows, CallToolResult(content=[text])) == Data({"a": 1})
    assert unwrap(rows, CallToolResult(content=[text] * 2)) == ToolParts((Data("{'a': 1}"), Data("{'a': 1}")))
