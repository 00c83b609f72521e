"""Valid and invalid rules, loaded from a file as an operator writes them."""

from pathlib import Path

import pytest

from codeact_server.config.load import ConfigError, load
from codeact_server.config.model import Config

ENVIRON = {"TOKEN": "hunter2-secret", "EMPTY": "", "BROKEN": "hunter2\r\nX: y", "WIDE": "hunter2\u2603"}


def loaded(toml: str, folder: Path) -> Config:
    path = folder / "codeact.toml"
    path.write_text(toml, encoding="utf-8")
    return load(path, ENVIRON)


def test_the_example_of_the_readme_is_a_rule(tmp_path: Path) -> None:
    config = loaded(
        """
        [[codeact.network]]
        host = "api.github.com"
        methods = ["GET", "HEAD"]
        paths = ["/repos/*"]
        headers = { Authorization = "Bearer ${TOKEN}" }

        [[codeact.network]]
        host = "*.Bücher.example"
        port = 8443
        scheme = "https"
        """,
        tmp_path,
    )
    first, second = config.network.rules
    assert first.headers == (("Authorization", "Bearer hunter2-secret"),)
    assert str(first) == 'host = "api.github.com", scheme = "https", methods = ["GET", "HEAD"], paths = ["/repos/*"]'
    assert str(second) == 'host = "*.xn--bcher-kva.example", scheme = "https", port = 8443, methods = ["GET", "HEAD"]'
    assert "hunter2" not in repr(config)


def test_without_rules_no_host_is_allowed(tmp_path: Path) -> None:
    assert loaded("[codeact]\nengine = 'auto'", tmp_path).network.rules == ()


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("", "network[0].host: is missing"),
        ('host = ""', "network[0].host: must be a host name, an address"),
        ('host = "*"', "network[0].host: must be a host name, an address"),
        ('host = "*.*.example.com"', "network[0].host: must be a host name, an address"),
        ('host = "api.*.com"', "network[0].host: must be a host name, an address"),
        ('host = "https://example.com"', "network[0].host: must be only a host"),
        ('host = "example.com:443"', "network[0].host: must be only a host"),
        ('host = "example.com/x"', "network[0].host: must be only a host"),
        ('host = "user@example.com"', "network[0].host: is not a host name or address"),
        ('host = "exa mple.com"', "network[0].host: is not a host name or address"),
        ('host = "127.1"', "network[0].host: is not a host name or address"),
        ('host = "*.127.0.0.1"', "network[0].host: is an address, which has no names below it"),
        ('host = "*.com"', "network[0]: the host *.com covers a whole top-level domain"),
        ('host = "127.0.0.1"', "network[0]: the host 127.0.0.1 is not a public address; allow it with private = true"),
        ('host = "169.254.169.254"', "private = true"),
        ('host = "::1"', "private = true"),
        ('host = "::ffff:10.0.0.1"', "private = true"),
        ('host = "localhost"', "network[0]: localhost is this machine; allow it with private = true"),
        ('host = "*.localhost"', "private = true"),
        ('host = "0.0.0.0"\nprivate = true', "network[0].host: is not an address that a host can have"),
        ('host = "224.0.0.1"\nprivate = true', "network[0].host: is not an address that a host can have"),
        ('host = "example.com"\nscheme = "ftp"', "network[0].scheme: must be 'http' or 'https'"),
        ('host = "example.com"\nport = 0', "network[0].port: must be greater than or equal to 1"),
        ('host = "example.com"\nport = 65536', "network[0].port"),
        ('host = "example.com"\nport = "443"', "network[0].port: must be a whole number"),
        ('host = "example.com"\nscheme = "http"\nport = 443', "contradict each other"),
        ('host = "example.com"\nscheme = "https"\nport = 80', "contradict each other"),
        ('host = "example.com"\nmethods = []', "network[0].methods: is empty, so the rule would allow nothing"),
        ('host = "example.com"\nmethods = ["get"]', "network[0].methods: contains something other than a method name"),
        ('host = "example.com"\nmethods = ["*"]', "network[0].methods: contains something other than a method name"),
        ('host = "example.com"\nmethods = ["CONNECT"]', "network[0].methods: contains CONNECT"),
        (
            'host = "example.com"\nmethods = ["GTE"]',
            "network[0].methods: contains GTE, which is not a method; the methods are GET, HEAD",
        ),
        ('host = "example.com"\nmethods = ["GET", "GET"]', "network[0].methods: contains a method twice"),
        ('host = "example.com"\npaths = []', "network[0].paths: is empty, so the rule would allow nothing"),
        ('host = "example.com"\npaths = ["repos"]', "network[0].paths: contains a path that does not begin with"),
        ('host = "example.com"\npaths = ["*"]', "network[0].paths: contains a path that does not begin with"),
        ('host = "example.com"\npaths = ["/a/../b"]', "network[0].paths: contains a path with a"),
        ('host = "example.com"\npaths = ["/a?b"]', "network[0].paths: contains a path with a ?"),
        ('host = "example.com"\npaths = ["/%2e%2e%2fb"]', "network[0].paths: contains a path that no request can have"),
        ('host = "example.com"\npath = "/"', "network[0].path: unknown key; did you mean paths?"),
        ('host = "example.com"\nprivate = "yes"', "network[0].private: must be true or false"),
        ('host = "example.com"\nheaders = { Host = "x" }', "the header Host cannot be set by rules"),
        ('host = "example.com"\nheaders = { Transfer-Encoding = "x" }', "Transfer-Encoding cannot be set by rules"),
        (
            'host = "example.com"\nheaders = { Proxy-Authorization = "x" }',
            "Proxy-Authorization cannot be set by rules",
        ),
        (
            'host = "example.com"\nheaders = { accept-encoding = "x" }',
            "accept-encoding cannot be set: codeact-mcp",
        ),
        ('host = "example.com"\nheaders = { "A B" = "x" }', "is not a valid header name"),
        ('host = "example.com"\nheaders = { X = "1", x = "2" }', "a header is given twice"),
        ('host = "example.com"\nheaders = { X = 1 }', "network[0].headers.X: must be text"),
        ('host = "example.com"\nheaders = { X = "${EMPTY}" }', "network[0].headers: the header X is empty"),
        ('host = "example.com"\nheaders = { X = "${BROKEN}" }', "network[0].headers: the value of the header X"),
        ('host = "example.com"\nheaders = { X = "${WIDE}" }', "network[0].headers: the value of the header X"),
        (
            'host = "example.com"\nheaders = { X = "${MISSING}" }',
            "network[0].headers.X: the environment variable MISSING",
        ),
        ('host = "a.example"\n[[codeact.network]]\nhost = "A.example."', "network[1]: is never used"),
        (
            'host = "*.a.example"\n[[codeact.network]]\nhost = "b.a.example"\nprivate = true',
            "network[1]: is never used",
        ),
        (
            'host = "a.example"\n[[codeact.network]]\nhost = "a.example"\npaths = ["/x*"]\nheaders = { X = "hunter2" }',
            "network[1]: is never used: codeact.network[0] comes first",
        ),
    ],
)
def test_a_rule_that_cannot_work_is_an_error_at_start(written: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        loaded(f"[[codeact.network]]\n{written}", tmp_path)
    assert said in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "written",
    [
        'host = "127.0.0.1"\nprivate = true',
        'host = "[::1]"\nprivate = true',
        'host = "localhost"\nprivate = true',
        'host = "*.internal"\nprivate = true',
        'host = "93.184.216.34"',
        'host = "a.example"\npaths = ["/a%2Fb", "/Zürich/*", "/"]',
        'host = "a.example"\nmethods = ["QUERY", "DELETE"]',
        'host = "a.example"\nmethods = ["GET"]\n[[codeact.network]]\nhost = "a.example"\nmethods = ["GET", "POST"]',
        'host = "a.example"\n[[codeact.network]]\nhost = "*.a.example"',
        'host = "a.example"\npaths = ["/x"]\n[[codeact.network]]\nhost = "a.example"',
    ],
)
def test_a_rule_that_works_is_accepted(written: str, tmp_path: Path) -> None:
    assert loaded(f"[[codeact.network]]\n{written}", tmp_path).network.rules
