"""Parsing URLs, and all readings of a path by servers."""

import pytest

from codeact_bridges.network.url import BadUrl, join, parse, readings


@pytest.mark.parametrize(
    ("spelt", "canonical"),
    [
        ("https://example.com", "https://example.com/"),
        ("HTTPS://EXAMPLE.com:443/", "https://example.com/"),
        ("http://example.com:80", "http://example.com/"),
        ("http://example.com.:8080/a", "http://example.com:8080/a"),
        ("https://example.com?q", "https://example.com/?q"),
        ("https://example.com/a?", "https://example.com/a?"),
        ("https://example.com/a#b?c", "https://example.com/a"),
        ("https://example.com/a/./b/../c", "https://example.com/a/c"),
        ("https://example.com/a/..", "https://example.com/"),
        ("https://example.com/../../a", "https://example.com/a"),
        ("https://example.com/%61%2e%2E/%7Eb", "https://example.com/a../~b"),
        ("https://example.com/a/%2e%2e/b", "https://example.com/b"),
        ("https://example.com/Zürich", "https://example.com/Z%C3%BCrich"),
        ("https://example.com/a%2fb", "https://example.com/a%2Fb"),
        ("https://example.com/?a=ü&b=100%", "https://example.com/?a=%C3%BC&b=100%25"),
        ("https://Bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://[2606:4700:0:0::1]:8443/", "https://[2606:4700::1]:8443/"),
        ("https://203.0.113.7/", "https://203.0.113.7/"),
        ("https://a_b.example.com/", "https://a_b.example.com/"),
    ],
)
def test_a_url_has_one_canonical_spelling(spelt: str, canonical: str) -> None:
    assert str(parse(spelt)) == canonical
    assert parse(canonical) == parse(spelt)


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/b", "https://example.com/b"),
        ("b", "https://example.com/a/b"),
        ("../b", "https://example.com/b"),
        ("?q", "https://example.com/a/x?q"),
        ("//other.example/b", "https://other.example/b"),
        ("http://other.example", "http://other.example/"),
        (" /with space ", "https://example.com/with%20space"),
    ],
)
def test_a_location_is_resolved_against_the_url_it_came_from(location: str, target: str) -> None:
    assert str(join(parse("https://example.com/a/x"), location)) == target


@pytest.mark.parametrize(
    "location", ["https://u:p@example.com/", "file:///etc/passwd", "http:\\\\example.com", "\n//x"]
)
def test_a_location_must_be_as_valid_as_any_url(location: str) -> None:
    with pytest.raises(BadUrl):
        join(parse("https://example.com/a/x"), location)


def test_a_plain_path_has_one_reading() -> None:
    assert readings("/repos/a/b.json") == ("/repos/a/b.json",)


def test_an_encoded_slash_is_read_both_ways() -> None:
    assert set(readings("/projects/a%2Fb/issues")) == {"/projects/a%2Fb/issues", "/projects/a/b/issues"}


def test_parameters_and_a_hidden_query_are_read_both_ways() -> None:
    assert "/a.json" not in readings("/secret%3Fx=/a.json")
    assert "/secret" in readings("/secret%3Fx=/a.json")
    assert "/secret" in readings("/secret;x.json")
    assert {"/b/", "/b//y.json"} <= set(readings("/b/;/y.json"))
