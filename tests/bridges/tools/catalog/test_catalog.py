"""Names, lists, descriptions and search over what may be called."""

import time

import pytest

from codeact_bridges.errors import UnknownTool
from codeact_bridges.tools.catalog.catalog import Catalog, CatalogTool, found

SCHEMA = {"type": "object", "properties": {"query": {"type": "string"}, "pageToken": {"type": "string"}}}


def tool(server: str, name: str, description: str = "") -> CatalogTool:
    return CatalogTool(server, name, description, SCHEMA)


CATALOG = Catalog.of(
    {
        "github": [
            tool("github", "search-issues", "Search the issues of a repository."),
            tool("github", "create_issue", "Open a new issue."),
            tool("github", "get_user", "Who somebody is."),
        ],
        "crm": [
            tool("crm", "get_user", "A customer's record. Needs an account."),
            tool("crm", "listInvoicesByCustomer", "All invoices that a customer has received."),
            tool("crm", "invoice.send", "Send an invoice by e-mail."),
        ],
        "my server": [tool("my server", "do it", "Does it.")],
        "empty": [],
    }
)


@pytest.mark.parametrize(
    ("name", "full_name"),
    [
        ("github.search-issues", "github.search-issues"),
        ("github.search_issues", "github.search-issues"),
        ("search_issues", "github.search-issues"),
        ("crm.get_user", "crm.get_user"),
        ("crm.get-user", "crm.get_user"),
        ("invoice.send", "crm.invoice.send"),
        ("crm.invoice_send", "crm.invoice.send"),
        ("my_server.do_it", "my server.do it"),
        ("my server.do it", "my server.do it"),
    ],
)
def test_a_tool_is_found_by_every_spelling_of_its_name(name: str, full_name: str) -> None:
    assert CATALOG.resolve(name).full_name == full_name


def test_a_bare_name_that_two_servers_have_needs_the_server() -> None:
    with pytest.raises(UnknownTool, match=r"several servers have a tool of this name: github\.get_user, crm\.get_user"):
        CATALOG.resolve("get_user")


def test_an_exact_name_takes_precedence_over_a_folded_one() -> None:
    both = Catalog.of({"s": [tool("s", "a-b"), tool("s", "a_b")]})
    assert both.resolve("s.a-b").name == "a-b"
    assert both.resolve("a_b").name == "a_b"
    with pytest.raises(UnknownTool, match="several"):
        both.resolve("a.b")


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("github.serch_issues", "github.search-issues"),
        ("create_isue", "github.create_issue"),
        ("crm.list_invoices", "crm.listInvoicesByCustomer"),
        ("crm", "this is the name of a server; its tools: crm.get_user"),
    ],
)
def test_an_unknown_name_is_answered_with_similar_names(name: str, nearest: str) -> None:
    with pytest.raises(UnknownTool, match=nearest):
        CATALOG.resolve(name)


def test_a_server_name_in_place_of_a_tool_name_is_answered_with_some_of_its_tools() -> None:
    notes = Catalog.of({"notes": [CatalogTool("notes", name) for name in ("add", "get", "list", "find", "drop")]})
    with pytest.raises(UnknownTool, match=r"notes\.find and 1 more \(list_tools\('notes'\) shows all\)$"):
        notes.resolve("notes")


def test_an_empty_catalog_says_that_it_is_empty() -> None:
    with pytest.raises(UnknownTool, match="no server has any tools"):
        Catalog().resolve("anything")


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("invoices customer", "crm.listInvoicesByCustomer"),
        ("searching issue", "github.search-issues"),
        ("serach isues", "github.search-issues"),
        ("send email", "crm.invoice.send"),
        ("crm.get_user", "crm.get_user"),
        ("create_issue", "github.create_issue"),
        ("INVOICE", "crm.invoice.send"),
    ],
)
def test_search_ranks_the_intended_tool_first(query: str, first: str) -> None:
    assert CATALOG.search(query)[0].full_name == first


@pytest.mark.parametrize("query", ["", "   ", "?!", "xyzzy", '"', "OR AND NOT", "a*", "name:x", "(", "\x00", "é" * 500])
def test_search_accepts_any_text_as_a_query(query: str) -> None:
    CATALOG.search(query)


def test_search_can_be_limited_to_a_server_and_to_a_number() -> None:
    assert {each.server for each in CATALOG.search("get user", server="crm")} == {"crm"}
    assert len(CATALOG.search("user issue invoice", limit=2)) == 2
    assert CATALOG.search("user", limit=-1) == []


def test_a_list_can_be_limited_to_one_server() -> None:
    assert len(CATALOG.of_server()) == 7
    assert [each.name for each in CATALOG.of_server("my-server")] == ["do it"]
    assert CATALOG.of_server("empty") == []
    with pytest.raises(UnknownTool, match="there is no such server; the servers are: github, crm, my server, empty"):
        CATALOG.of_server("gitlab")


def test_the_row_of_a_tool_has_the_longest_name_whole() -> None:
    longest = tool("s" * 64, "t" * 128)
    hit = found(longest)
    assert [hit.name, hit.signature.partition("(")[0]] == [longest.full_name] * 2


def test_a_description_contains_signature_return_shape_and_text() -> None:
    assert CATALOG.describe("crm.get_user", seen='{"id": int}') == (
        "crm.get_user(query: str = ..., pageToken: str = ...)\n\n"
        'returns (seen so far): {"id": int}\n\n'
        "A customer's record. Needs an account."
    )


def test_a_description_is_bounded_and_contains_nothing_invisible() -> None:
    hostile = tool("s", "t", "Ignore\u202e\x1b[31m\U000e0041 this.\n" * 10_000)
    text = Catalog.of({"s": [hostile]}).describe("t")
    assert len(text) < 5_000
    assert text.replace("\n", "").isprintable()
    assert hostile.summary.isprintable()


def test_two_thousand_tools_are_searched_without_delay() -> None:
    catalog = Catalog.of(
        {
            f"s{n}": [tool(f"s{n}", f"get_thing_{n}_{m}", "Gets the thing of an account.") for m in range(100)]
            for n in range(20)
        }
    )
    started = time.process_time()
    catalog.resolve("s3.get_thing_3_5")
    catalog.search("thing")
    for _ in range(20):
        catalog.search("get thing 3")
    # A bound for a slow machine that also measures coverage, not a measurement: it takes 0.25 s of CPU time here.
    assert time.process_time() - started < 30
