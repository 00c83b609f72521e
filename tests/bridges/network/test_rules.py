"""Which requests the rules allow, and the text of a refusal."""

# The look-alike letters in this file are intended.

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from http_peers import rule

from codeact_bridges.errors import BadRequest
from codeact_bridges.network.request import refusal
from codeact_bridges.network.rules import HostRule, HostRules
from codeact_bridges.network.spec import RuleSpec
from codeact_bridges.network.url import parse
from codeact_server.config.load import load


def allowed(one: HostRule, method: str, url: str) -> bool:
    return HostRules((one,)).decide(method, parse(url)) is not None


@pytest.mark.parametrize(
    ("host", "url", "expected"),
    [
        ("example.com", "https://example.com/", True),
        ("example.com", "https://EXAMPLE.com./", True),
        ("example.com", "https://www.example.com/", False),
        ("example.com", "https://example.com.evil.test/", False),
        ("example.com", "https://notexample.com/", False),
        ("example.com", "https://example.co/", False),
        ("*.example.com", "https://www.example.com/", True),
        ("*.example.com", "https://a.b.example.com/", True),
        ("*.example.com", "https://example.com/", False),
        ("*.example.com", "https://notexample.com/", False),
        ("*.example.com", "https://example.com.evil.test/", False),
        ("bücher.example", "https://xn--bcher-kva.example/", True),
        ("xn--bcher-kva.example", "https://BÜCHER.example/", True),
        ("example.com", "https://ехаmple.com/", False),  # three letters of it are Cyrillic
        ("93.184.216.34", "https://93.184.216.34/", True),
        ("2606:4700::1", "https://[2606:4700:0::1]/", True),
        ("[2606:4700::1]", "https://[2606:4700::1]/", True),
    ],
)
def test_a_host_is_exact_or_below_a_wildcard(host: str, url: str, expected: bool) -> None:
    assert allowed(rule(host), "GET", url) is expected


@pytest.mark.parametrize(
    ("written", "url", "expected"),
    [
        ({}, "https://example.com/", True),
        ({}, "http://example.com/", True),
        ({}, "https://example.com:8443/", False),
        ({"scheme": "https"}, "http://example.com/", False),
        ({"scheme": "http"}, "https://example.com/", False),
        ({"port": 8443}, "https://example.com:8443/", True),
        ({"port": 8443}, "https://example.com/", False),
        ({"headers": {"Authorization": "secret"}}, "https://example.com/", True),
        ({"headers": {"Authorization": "secret"}}, "http://example.com/", False),
        ({"headers": {"Authorization": "secret"}, "scheme": "http"}, "http://example.com/", True),
    ],
)
def test_scheme_and_port_are_part_of_a_rule(written: dict[str, Any], url: str, expected: bool) -> None:
    assert allowed(rule("example.com", **written), "GET", url) is expected


@pytest.mark.parametrize(
    ("paths", "path", "expected"),
    [
        (("/repos/*",), "/repos/a/b", True),
        (("/repos/*",), "/repos/", True),
        (("/repos/*",), "/repos", False),
        (("/repos/*",), "/Repos/a", False),
        (("/repos/*",), "/repos/../user", False),
        (("/repos/*",), "/repos/%2e%2e/user", False),
        (("/repos/*",), "/repos/a%2Fb", True),
        (("/a", "/b"), "/b", True),
        (("/a", "/b"), "/c", False),
        (("/a", "/b"), "/b/", False),
        (("/*/issues",), "/x/y/issues", True),
        (("/*.json",), "/secret%3F.json", False),
        (("/*.json",), "/secret;.json", False),
        (("/p/a%2Fb/*",), "/p/a%2Fb/c", True),
        (("/p/a%2Fb/*",), "/p/a/b/c", False),
        (("/Zürich/*",), "/Z%c3%bcrich/x", True),
        (("/a*b*c",), "/abc", True),
        (("/ab*bc",), "/abc", False),
    ],
)
def test_a_path_matches_in_every_way_it_can_be_read(paths: tuple[str, ...], path: str, expected: bool) -> None:
    assert allowed(rule("example.com", paths=paths), "GET", f"https://example.com{path}") is expected


def test_a_rule_without_methods_allows_get_and_head() -> None:
    one = rule("example.com")
    allowed_methods = [m for m in ("GET", "HEAD", "POST", "OPTIONS", "get") if allowed(one, m, "https://example.com/")]
    assert allowed_methods == ["GET", "HEAD"]


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("GET", "https://example.com/a/b?secret"),
        ("DELETE", "http://example.com:8080/a%2Fb*c"),
        ("POST", "https://[2606:4700::1]/" + "a" * 900),
        ("GET", "https://bücher.example/Z%c3%bcrich"),
        ("GET", "http://example.com:443/"),
        ("GET", "https://example.com:80/"),
    ],
)
def test_a_refusal_names_a_rule_that_would_allow_it(method: str, url: str) -> None:
    said = str(HostRules((rule("other.example"),)).refusal(method, parse(url)))

    toml = said[said.index("[[codeact.network]]") : said.index("Allowed at present")]
    spec = RuleSpec.model_validate(tomllib.loads(toml)["codeact"]["network"][0])
    assert allowed(spec.rule({}), method, url)
    assert "secret" not in said
    assert 'host = "other.example"' in said


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8080/a",
        "https://10.1.2.3/",
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]:81/",
        "http://localhost:3000/",
        "https://app.localhost/",
    ],
)
def test_the_rule_in_the_refusal_of_a_private_host_can_be_loaded_and_allows_it(url: str, tmp_path: Path) -> None:
    said = str(HostRules().refusal("GET", parse(url)))

    suggested = said[said.index("[[codeact.network]]") : said.index("No host is allowed")]
    (tmp_path / "config.toml").write_text(suggested)
    rules = load(tmp_path / "config.toml", {}).network
    found = rules.decide("GET", parse(url))
    assert found is not None
    assert found.private


def test_the_rule_in_the_refusal_of_a_public_host_has_no_private() -> None:
    assert "private" not in str(HostRules().refusal("GET", parse("https://93.184.216.34/")))


def test_the_rule_for_a_private_address_works_at_the_place_that_the_refusal_names(tmp_path: Path) -> None:
    existing = '[[codeact.network]]\nhost = "intra.example"\n'
    target = parse("https://intra.example/a")
    said = str(HostRules((rule("intra.example"),)).refusal_of_address("GET", target, "10.0.0.7"))
    assert "before the rule that allows the host:" in said
    suggested = said[said.index("[[codeact.network]]") : said.index("Allowed at present")]
    (tmp_path / "config.toml").write_text(suggested + existing)
    found = load(tmp_path / "config.toml", {}).network.decide("GET", target)
    assert found is not None
    assert found.private


def test_a_request_that_no_rule_could_allow_is_refused_without_a_rule() -> None:
    for method, url in [("PURGE", "https://example.com/"), ("GET", "http://0.0.0.0/"), ("GET", "http://[ff02::1]/")]:
        call = json.dumps({"method": method, "url": url, "headers": []})
        assert isinstance(refusal(HostRules(), call), BadRequest)


def test_no_text_of_a_rule_contains_its_headers() -> None:
    one = rule("example.com", headers={"Authorization": "Bearer hunter2"})
    spec = RuleSpec(host="example.com", headers={"Authorization": "Bearer hunter2"})
    said = f"{one} {one!r} {spec} {spec!r} {HostRules((one,))!r} {HostRules((one,)).refusal('PUT', parse('https://a.example/'))}"
    assert "hunter2" not in said
