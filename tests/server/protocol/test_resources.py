"""Kept results as the client reads them: whole or in slices, its own alone."""

from typing import Any

import pytest
from mcp import MCPError

from codeact_bridges.runs.result_store import ResultStore
from codeact_server.protocol import resources


@pytest.fixture
def kept() -> ResultStore:
    return ResultStore(10_000_000, message_bytes=100_000)


def keep(kept: ResultStore, text: str, mime_type: str = "application/json") -> str:
    link = kept.keep("me", "the whole value", mime_type, text)
    assert link is not None
    return link.uri


def read(kept: ResultStore, uri: str, owner: str = "me") -> Any:
    return resources.read(kept, owner, uri).contents[0]


def test_a_short_one_is_read_as_a_whole(kept: ResultStore) -> None:
    contents = read(kept, keep(kept, "[1, 2]"))

    assert (contents.text, contents.mime_type, contents.meta) == ("[1, 2]", "application/json", None)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("offset=2", "2345"),
        ("length=3", "012"),
        ("offset=2&length=3", "234"),
        ("offset=6", ""),
        ("offset=999999999999999", ""),
        ("length=0", ""),
    ],
)
def test_a_slice_is_text_and_says_where_it_lies(kept: ResultStore, query: str, text: str) -> None:
    contents = read(kept, f"{keep(kept, '012345')}?{query}")

    assert (contents.text, contents.mime_type) == (text, "text/plain")
    assert contents.meta["codeact-mcp/slice"]["total"] == 6
    assert contents.meta["codeact-mcp/slice"]["length"] == len(text)


def test_a_long_one_is_never_sent_at_once(kept: ResultStore) -> None:
    uri = keep(kept, "x" * 1_200_000)
    lengths = [len(read(kept, f"{uri}?offset={offset}&length=1000000").text) for offset in (0, 500_000, 1_000_000)]

    assert lengths == [500_000, 500_000, 200_000]


@pytest.mark.parametrize("query", ["offset=-1", "length=x", "offset=1e9", "offset=\u0661", "length=" + "9" * 30])
def test_what_is_no_slice_is_an_error_of_the_asker(kept: ResultStore, query: str) -> None:
    with pytest.raises(MCPError, match="is a number of characters"):
        read(kept, f"{keep(kept, 'abc')}?{query}")


@pytest.mark.parametrize("uri", ["result://nothing", "file:///etc/passwd", "result:", "", "result://x/../y", "%00"])
def test_what_is_not_kept_is_not_found(kept: ResultStore, uri: str) -> None:
    keep(kept, "mine")
    with pytest.raises(MCPError, match="nothing is kept as") as caught:
        read(kept, uri)

    assert caught.value.error.code == resources.RESOURCE_NOT_FOUND


def test_another_client_neither_reads_nor_sees_it(kept: ResultStore) -> None:
    uri = keep(kept, "mine")

    assert resources.listed(kept, "you").resources == []
    with pytest.raises(MCPError, match="nothing is kept as"):
        read(kept, uri, owner="you")


def test_the_list_has_the_newest_first_with_type_and_size(kept: ResultStore) -> None:
    first, second = keep(kept, "[1]"), keep(kept, "a text", "text/plain")

    listed = resources.listed(kept, "me").resources

    assert [(each.uri, each.mime_type, each.size) for each in listed] == [
        (second, "text/plain", 6),
        (first, "application/json", 3),
    ]
