"""Threat: a header splits one request in two, names another host or method, or replaces an injected header."""

# The look-alike letters in this file are intended.

import pytest
from http_peers import answering, http, loopback, opened

from codeact_bridges.errors import BadRequest


@pytest.mark.parametrize(
    "header",
    [
        *(("X", "a\r\nHost: evil.test"), ("X", "a\nb"), ("X", "a\rb"), ("X", "a\0b"), ("X\r\nY", "a"), ("X: Y", "a")),
        *(("", "a"), (" X", "a"), ("X ", "a"), ("X\t", "a"), ("Ⅹ", "a"), ("X", "snow☃"), ("X", "\x7f"), (":path", "/")),
        *(
            ("Host", "evil.test"),
            ("host", "evil.test"),
            ("HOST", "x"),
            ("Content-Length", "0"),
            ("content_length", "5"),
        ),
        *(("Transfer-Encoding", "chunked"), ("Transfer_Encoding", "chunked"), ("TE", "trailers"), ("Trailer", "X")),
        *(("Connection", "close"), ("Connection", "Authorization"), ("Keep-Alive", "x"), ("Upgrade", "h2c")),
        *(("Expect", "100-continue"), ("Proxy-Authorization", "x"), ("Proxy-Connection", "x"), ("HTTP2-Settings", "x")),
        *(("X-HTTP-Method-Override", "DELETE"), ("X-Original-URL", "/admin"), ("X-Rewrite-URL", "/admin")),
        *(("X-Forwarded-Host", "evil.test"), ("X-Forwarded-For", "127.0.0.1"), ("Forwarded", "for=127.0.0.1")),
    ],
)
async def test_a_header_that_programs_cannot_set_is_refused(header: tuple[str, str]) -> None:
    async with answering(lambda seen: http()) as served, opened(loopback(served.port)) as guest:
        with pytest.raises(BadRequest):
            await guest.get(served.url(), headers=[header])
    assert served.connections == 0


async def test_too_many_headers_are_refused() -> None:
    async with opened(loopback(9)) as guest:
        for headers in ([("X", "a")] * 101, [("X", "a" * 40_000)]):
            with pytest.raises(BadRequest):
                await guest.get("http://127.0.0.1:9/", headers=headers)


@pytest.mark.parametrize("name", ["Authorization", "authorization", "AUTHORIZATION"])
async def test_an_injected_header_replaces_the_programs_own(name: str) -> None:
    async with (
        answering(lambda seen: http()) as served,
        opened(loopback(served.port, headers={"Authorization": "Bearer operator"})) as guest,
    ):
        await guest.get(served.url(), headers=[(name, "Bearer program")])
    assert served.requests[0].headers["authorization"] == "Bearer operator"


async def test_ordinary_headers_arrive_unchanged() -> None:
    async with answering(lambda seen: http()) as served, opened(loopback(served.port)) as guest:
        own = [("Accept", "text/plain"), ("X-Über".replace("Ü", "U"), "grün"), ("User-Agent", "me")]
        await guest.get(served.url(), headers=own)
    headers = served.requests[0].headers
    assert (headers["accept"], headers["x-uber"], headers["user-agent"]) == ("text/plain", "grün", "me")


async def test_the_content_length_is_that_of_the_body() -> None:
    async with (
        answering(lambda seen: http(str(len(seen.body)))) as served,
        opened(loopback(served.port, methods=("POST", "GET"))) as guest,
    ):
        assert (await guest.request("POST", served.url(), text="0\r\n\r\nGET /admin HTTP/1.1\r\n\r\n")).body == b"28"
        assert (await guest.request("POST", served.url())).body == b"0"
    assert [seen.headers["content-length"] for seen in served.requests] == ["28", "0"]


async def test_no_cookie_is_stored_between_requests() -> None:
    async with answering(lambda seen: http(Set_Cookie="session=1")) as served, opened(loopback(served.port)) as guest:
        await guest.get(served.url())
        await guest.get(served.url())
    assert "cookie" not in served.requests[1].headers
    assert served.connections == 1
