"""Threat: a URL that the check reads one way and the library, a proxy or the server another way."""

# The look-alike letters in this file are intended.

import pytest
from http_peers import answering, http, loopback, opened

from codeact_bridges.errors import BadRequest, NotAllowed


@pytest.mark.parametrize(
    "url",
    [
        *("http://user@HOST/", "http://user:pass@HOST/", "http://@HOST/", "http://evil.test@HOST/", "http://:@HOST/"),
        *("http://HOST\\@evil.test/", "http://HOST\\.evil.test/", "http:\\\\HOST/", "http://HOST/a\\..\\b"),
        *("http:/HOST/", "http:HOST/", "//HOST/", "HOST/", "/x", "", "http://", "http:///x", "http://:80/"),
        *(" http://HOST/", "http://HOST/ ", "http://HO ST/", "http://HOST/a b", "http://HOST/a\tb", "http://HOST\n/"),
        *(
            "http://HOST/\r\nHost: evil.test",
            "http://HOST/\0",
            "http://HOST/\x7f",
            "http://HOST/\u00a0",
            "\ufeffhttp://HOST/",
        ),
        *("http://HOST/?a b", "http://HOST/\u2028", "http://HOST/\u3000"),
        *("file:///etc/passwd", "ftp://HOST/", "gopher://HOST/", "data:,x", "javascript:x", "ws://HOST/", "unix:///x"),
        *(
            "dict://HOST/",
            "ldap://HOST/",
            "jar:http://HOST/",
            "view-source:http://HOST/",
            "httpx://HOST/",
            "http+unix://x/",
        ),
        *("http://NAME:0/", "http://NAME:65536/", "http://NAME:99999999999/", "http://NAME:-1/", "http://NAME:+80/"),
        *("http://NAME:08080/", "http://NAME:8_0/", "http://NAME:８０/", "http://NAME:80:80/", "http://NAME:80a/"),
        *("http://[::1]x/", "http://[::1]:x/", "http://[::1/", "http://a]b/", "http://[]/", "http://[::1]:0/"),
        "http://HOST/" + "a" * 8_000,
    ],
)
async def test_an_ambiguous_or_malformed_url_is_refused(url: str) -> None:
    async with answering(lambda seen: http()) as served:
        url = url.replace("HOST", f"127.0.0.1:{served.port}").replace("NAME", "127.0.0.1")
        async with opened(loopback(served.port)) as guest:
            with pytest.raises(BadRequest):
                await guest.get(url)
            (access,) = guest.usage.accesses
    assert served.connections == 0
    assert access.decision == "deny"
    assert "pass@" not in access.what


@pytest.mark.parametrize(
    "method", ["CONNECT", "TRACE", "GET /x HTTP/1.1\r\nA: b\r\n\r\nGET", "", "GÉT", "G T", "get\n"]
)
async def test_an_unknown_method_is_refused(method: str) -> None:
    async with answering(lambda seen: http()) as served, opened(loopback(served.port)) as guest:
        with pytest.raises((BadRequest, NotAllowed)):
            await guest.request(method, served.url())
    assert served.connections == 0


async def test_the_url_that_was_checked_is_the_url_that_is_sent() -> None:
    async with answering(lambda seen: http()) as served, opened(loopback(served.port, paths=("/a/*",))) as guest:
        await guest.get(served.url("/x/%2e%2E/a/./%7Euser/ü%2fb?q=%2e%2e/ü#fragment"))
    assert served.requests[0].target == "/a/~user/%C3%BC%2Fb?q=../%C3%BC"


async def test_a_lone_percent_in_the_path_is_refused() -> None:
    async with opened(loopback(9)) as guest:
        for path in ("/%", "/%2", "/%zz", "/a%%2fb"):
            with pytest.raises(BadRequest):
                await guest.get(f"http://127.0.0.1:9{path}")
