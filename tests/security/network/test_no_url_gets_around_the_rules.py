"""Threat: an unforeseen URL. Hypothesis generates URLs, and independent parsers say where they lead."""

# The look-alike letters in this file are intended.

import os
import posixpath
import re
from urllib.parse import unquote, urlsplit

import httpx2
import idna
import pytest
from http_peers import rule
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st

from codeact_bridges.network.rules import HostRules
from codeact_bridges.network.url import BadUrl, Target, join, parse

EXAMPLES = 20_000 if os.environ.get("CI") else 1_000
RULES = HostRules(
    (
        rule("example.com", paths=("/public/*",)),
        rule("*.wild.example", scheme="https", port=8443, methods=("POST",)),
        rule("93.184.216.34", scheme="http", paths=("/a", "/b/*.json")),
        rule("bücher.example", methods=("GET", "PUT")),
    )
)

hosts = st.sampled_from(
    [
        *("example.com", "EXAMPLE.com.", "example.com..", "evil.test", "notexample.com", "example.com.evil.test"),
        *("wild.example", "a.wild.example", "a.b.wild.example", ".wild.example", "evilwild.example", "ехаmple.com"),
        *("93.184.216.34", "1572395042", "0x5db8d822", "93.184.8738", "0135.0270.0330.042", "[::ffff:93.184.216.34]"),
        *(
            "bücher.example",
            "BÜCHER.example",
            "xn--bcher-kva.example",
            "bu\u0308cher.example",
            "127.0.0.1",
            "localhost",
        ),
        *(
            "ｅxample.com",
            "example。com",
            "exam\u00adple.com",
            "example.com%00",
            "example.com%2eevil.test",
            "[::1]",
            "",
        ),
    ]
)
ports = st.sampled_from(
    ["", ":", ":80", ":443", ":8443", ":08443", ":0", ":65536", ":x", ":８４４３", ":80:8443", ":-1"]
)
schemes = st.sampled_from(
    [
        "http://",
        "https://",
        "HTTPS://",
        "http:/",
        "http:",
        "//",
        "",
        "ftp://",
        "file://",
        "http:\\\\",
        " http://",
        "http:///",
    ]
)
user = st.sampled_from(
    ["", "", "", "", "u@", "u:p@", "example.com@", "example.com:80@", "@", "%40", "a\\@", "x#@", "x?@"]
)
pieces = st.sampled_from(
    [
        *(
            "/",
            "/",
            "/public",
            "/public/",
            "/a",
            "/b/",
            "x.json",
            "public",
            "admin",
            "..",
            ".",
            "/..",
            "/../",
            "/./",
            "//",
        ),
        *(
            "%2e",
            "%2E%2e",
            "%2f",
            "%2F",
            "%5c",
            "\\",
            "%252e",
            "%252f",
            "%25252e",
            "%25",
            "%",
            "%00",
            "%0d%0a",
            ";",
            "..;",
        ),
        *(
            "%c0%ae",
            "%c0%af",
            "．",
            "／",
            "%ef%bc%8e",
            "‥",
            "?",
            "#",
            "%3f",
            "%23",
            "@",
            ":",
            "*",
            " ",
            "\t",
            "\n",
            "\0",
            "ü",
        ),
        *(
            "%75",
            "%70ublic",
            "PUBLIC",
            "..%2f",
            "~",
            "%7e",
            "&",
            "=",
            "+",
            "'",
            '"',
            "<",
            "|",
            "\u202e",
            "\u200b",
            "\ufeff",
        ),
    ]
)
plain = st.sampled_from(["x", "y.json", "/z", "-", "%C3%BC", "a/b"])
paths = st.lists(pieces, max_size=10).map("".join)
urls = st.tuples(schemes, user, hosts, ports, paths).map("".join)
"""Mostly invalid, in ways on which parsers are known to disagree."""
begins = st.sampled_from(
    ["http://example.com", "https://a.wild.example:8443", "http://93.184.216.34", "https://bücher.example"]
)
near_urls = st.tuples(
    begins,
    st.sampled_from(["/public/", "/b/", "/a", "/"]),
    st.lists(st.one_of(pieces, plain), max_size=6).map("".join),
).map("".join)
"""Valid except for the path."""
methods = st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "get", "PATCH", "OPTIONS"])


def independently_allowed(method: str, url: str) -> bool:
    """Whether the rules above should allow this. Shares no code with the product; says no when in doubt."""
    match = re.fullmatch(r"(?i)(https?)://([^/?#\\@\s]*)(/[^?#\\]*)?(\?[^#\\]*)?(#.*)?", url, re.DOTALL)
    if match is None:
        return False
    scheme, authority, path = match[1].lower(), match[2], match[3] or "/"
    host, _, port = authority.partition(":")
    number = {"": {"http": 80, "https": 443}[scheme]}.get(port) or (int(port) if re.fullmatch("[0-9]+", port) else -1)
    host = host.lower().removesuffix(".")
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True).decode()
        except idna.IDNAError:
            return False
    usual = number == {"http": 80, "https": 443}[scheme]
    if host == "example.com":
        return usual and method in {"GET", "HEAD"} and stays(path, r"/public/.*")
    if re.fullmatch(r"([a-z0-9_-]+\.)+wild\.example", host):
        return (scheme, number, method) == ("https", 8443, "POST") and stays(path, r"/.*")
    if host == "93.184.216.34":
        return scheme == "http" and usual and method in {"GET", "HEAD"} and stays(path, r"/a|/b/.*\.json")
    return host == "xn--bcher-kva.example" and usual and method in {"GET", "PUT"} and stays(path, r"/.*")


def stays(path: str, pattern: str) -> bool:
    """Whether the path matches however often it is decoded, with a slash at the end if it had one."""
    for _ in range(12):
        for reading in (
            path,
            path.split(";", maxsplit=1)[0],
            path.split("?", maxsplit=1)[0],
            path.split("#", maxsplit=1)[0],
        ):
            end = "/" if re.search(r"/\.{0,2}$", reading) else ""
            clean = posixpath.normpath("/" + reading.lstrip("/")) + end
            if not re.fullmatch(pattern, clean.replace("//", "/"), re.DOTALL):
                return False
        path = unquote(path)
    return "\\" not in path and "\0" not in path


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    methods, st.one_of(urls, near_urls, near_urls, st.text(max_size=60).map(lambda text: f"http://example.com/{text}"))
)
@example("GET", "http://example.com/public/..%2fadmin")
@example("GET", "http://example.com/public/%2e%2e/admin")
@example("GET", "http://example.com#@evil.test/public/x")
def test_an_allowed_url_is_one_that_every_parser_reads_as_allowed(method: str, url: str) -> None:
    try:
        target = parse(url)
    except BadUrl:
        event("no URL")
        return
    if RULES.decide(method, target) is None:
        event("refused")
        return
    event("allowed")
    assert independently_allowed(method, url)
    assert independently_allowed(method, str(target)), "the URL that is sent"
    split = urlsplit(str(target))
    assert (split.scheme, split.hostname, split.port or DEFAULTS[target.scheme]) == target.origin
    assert (split.username, split.password) == (None, None)
    other = httpx2.URL(str(target))
    assert (other.scheme, other.raw_host.decode(), other.port or DEFAULTS[target.scheme]) == target.origin
    assert other.raw_path.decode() == target.request_target


DEFAULTS = {"http": 80, "https": 443}


@settings(max_examples=EXAMPLES, deadline=None)
@given(methods, st.one_of(urls, near_urls, paths, hosts.map(lambda host: f"//{host}/public/x")))
@example("GET", "http://93.184.216.34/b/;/y.json")
def test_a_redirect_is_allowed_only_where_a_first_request_is(method: str, location: str) -> None:
    try:
        target = join(parse("http://example.com/public/x/y"), location)
    except BadUrl:
        return
    if RULES.decide(method, target) is not None:
        assert independently_allowed(method, str(target))


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.one_of(urls, near_urls, st.text(max_size=80)))
def test_canonicalisation_is_idempotent(url: str) -> None:
    try:
        target = parse(url)
    except BadUrl:
        return
    assert parse(str(target)) == target
    assert str(target).isascii()
    assert str(target).isprintable()
    assert " " not in str(target)


@pytest.mark.parametrize(
    ("method", "url"),
    [
        ("GET", "http://example.com/public/x"),
        ("POST", "https://a.wild.example:8443/anything"),
        ("HEAD", "http://93.184.216.34/b/c.json"),
        ("PUT", "https://xn--bcher-kva.example/"),
    ],
)
def test_the_independent_check_and_the_rules_agree_on_ordinary_urls(method: str, url: str) -> None:
    target: Target = parse(url)
    assert independently_allowed(method, url)
    assert RULES.decide(method, target) is not None
