"""Stored results as the client reads them: whole or in slices, and only its own."""

from typing import Any

import pytest
from mcp import MCPError

from codeact_bridges.runs.result_store import ResultStore
from codeact_server.protocol import resources


@pytest.fixture
def store() -> ResultStore:
    return ResultStore(10_000_000, message_bytes=100_000)


def put(store: ResultStore, text: str, mime_type: str = "application/json") -> str:
    link = store.store("me", "the whole value", mime_type, text)
    assert link is not None
    return link.uri


def read(store: ResultStore, uri: str, owner: str = "me") -> Any:
    return resources.read(store, owner, uri).contents[0]


def test_a_short_result_is_read_as_a_whole(store: ResultStore) -> None:
    contents = read(store, put(store, "[1, 2]"))

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
def test_a_slice_is_text_and_its_meta_has_length_and_total(store: ResultStore, query: str, text: str) -> None:
    contents = read(store, f"{put(store, '012345')}?{query}")

    assert (contents.text, contents.mime_type) == (text, "text/plain")
    assert contents.meta["codeact-mcp/slice"]["total"] == 6
    assert contents.meta["codeact-mcp/slice"]["length"] == len(text)


def test_a_long_result_is_never_sent_in_one_response(store: ResultStore) -> None:
    uri = put(store, "x" * 1_200_000)
    lengths = [len(read(store, f"{uri}?offset={offset}&length=1000000").text) for offset in (0, 500_000, 1_000_000)]

    assert lengths == [500_000, 500_000, 200_000]


@pytest.mark.parametrize("query", ["offset=-1", "length=x", "offset=1e9", "offset=\u0661", "length=" + "9" * 30])
def test_an_invalid_slice_is_an_error(store: ResultStore, query: str) -> None:
    with pytest.raises(MCPError, match="must be a number of characters"):
        read(store, f"{put(store, 'abc')}?{query}")


@pytest.mark.parametrize("uri", ["result://nothing", "file:///etc/passwd", "result:", "", "result://x/../y", "%00"])
def test_a_uri_without_a_stored_result_is_not_found(store: ResultStore, uri: str) -> None:
    put(store, "mine")
    with pytest.raises(MCPError, match="there is no stored result") as caught:
        read(store, uri)

    assert caught.value.error.code == resources.RESOURCE_NOT_FOUND


def test_another_client_can_neither_read_nor_list_a_result(store: ResultStore) -> None:
    uri = put(store, "mine")

    assert resources.listed(store, "you").resources == []
    with pytest.raises(MCPError, match="there is no stored result"):
        read(store, uri, owner="you")


def test_the_list_has_the_newest_first_with_type_and_size(store: ResultStore) -> None:
    first, second = put(store, "[1]"), put(store, "a text", "text/plain")

    listed = resources.listed(store, "me").resources

    assert [(each.uri, each.mime_type, each.size) for each in listed] == [
        (second, "text/plain", 6),
        (first, "application/json", 3),
    ]
