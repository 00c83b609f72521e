"""Threat: an allowed host redirects to a place that is not allowed, or to one that must not get the credentials."""

import pytest
from http_peers import Seen, answering, http, loopback, opened, rule

from codeact_bridges.errors import HttpFailed, NotAllowed
from codeact_bridges.network.resolver import TableResolver


@pytest.mark.parametrize(
    "location",
    [
        *("http://169.254.169.254/latest/meta-data", "https://127.0.0.1/", "//10.0.0.1/", "http://localhost/"),
        *("/admin", "../admin", "/public/%2e%2e/admin", "https://example.com/"),
    ],
)
async def test_a_redirect_that_no_rule_allows_is_not_followed(location: str) -> None:
    async with (
        answering(lambda seen: http(status="302 Found", Location=location)) as served,
        opened(loopback(served.port, paths=("/public/*",))) as guest,
    ):
        with pytest.raises(NotAllowed, match=r"redirected from GET .*/public/x"):
            await guest.get(served.url("/public/x"))
        decisions = [access.decision for access in guest.usage.accesses]
    assert decisions == ["allow", "deny"]
    assert len(served.requests) == 1


@pytest.mark.parametrize(
    "location",
    ["file:///etc/passwd", "gopher://127.0.0.1/", "http://a:b@127.0.0.1/", "http://127.1/", "http:\\\\127.0.0.1"],
)
async def test_a_redirect_to_an_ambiguous_url_is_an_error(location: str) -> None:
    async with (
        answering(lambda seen: http(status="302 Found", Location=location)) as served,
        opened(loopback(served.port)) as guest,
    ):
        with pytest.raises(HttpFailed, match="cannot be followed"):
            await guest.get(served.url())


async def test_a_loop_of_redirects_ends() -> None:
    async with (
        answering(lambda seen: http(status="302 Found", Location="/again")) as served,
        opened(loopback(served.port)) as guest,
    ):
        with pytest.raises(HttpFailed, match="more than 10 times"):
            await guest.get(served.url())
    assert len(served.requests) == 11


@pytest.mark.parametrize(
    ("status", "method", "expected"),
    [
        *((301, "POST", "GET"), (302, "POST", "GET"), (303, "POST", "GET"), (303, "PUT", "GET"), (303, "HEAD", "HEAD")),
        *((307, "POST", "POST"), (308, "POST", "POST"), (301, "PUT", "PUT"), (302, "DELETE", "DELETE")),
    ],
)
async def test_the_method_after_a_redirect_follows_the_fetch_standard(status: int, method: str, expected: str) -> None:
    def answer(seen: Seen) -> bytes:
        return http(status=f"{status} x", Location="/b") if seen.target == "/a" else http()

    async with (
        answering(answer) as served,
        opened(loopback(served.port, methods=("GET", "HEAD", "POST", "PUT", "DELETE"))) as guest,
    ):
        sent = {} if method == "HEAD" else {"text": "body", "headers": [("Content-Type", "text/plain")]}
        await guest.request(method, served.url("/a"), **sent)
    last = served.requests[-1]
    assert last.method == expected
    has_body = expected == method and method != "HEAD"
    assert (last.body, last.headers.get("content-type")) == ((b"body", "text/plain") if has_body else (b"", None))


async def test_the_method_after_a_redirect_is_checked_too() -> None:
    async with answering(lambda seen: http(status="307 x", Location="/read-only")) as served:
        write = loopback(served.port, methods=("POST",), paths=("/write",))
        read = loopback(served.port, paths=("/read-only",))
        async with opened(write, read) as guest:
            with pytest.raises(NotAllowed, match='methods = \\["POST"\\]'):
                await guest.request("POST", served.url("/write"))


async def test_credentials_do_not_cross_to_another_origin() -> None:
    async with (
        answering(lambda seen: http()) as other,
        answering(lambda seen: http(status="307 x", Location=other.url("/there"))) as served,
    ):
        here = loopback(served.port, headers={"X-Injected": "of the first"})
        there = loopback(other.port, headers={"X-Other": "of the second"})
        async with opened(here, there) as guest:
            own = [("Authorization", "mine"), ("Cookie", "a=b"), ("X-Api-Key", "k"), ("X-Harmless", "yes")]
            answer = await guest.get(served.url(), headers=own)
    assert served.requests[0].headers["x-injected"] == "of the first"
    names = {"authorization", "cookie", "x-api-key", "x-injected", "x-other", "x-harmless"}
    assert names & set(other.requests[0].headers) == {"x-harmless"}
    assert answer.url == other.url("/there")


async def test_headers_are_not_injected_again_after_a_redirect_chain_returns_to_its_origin() -> None:
    async with answering(lambda seen: http(status="302 x", Location=home.url("/end"))) as other:

        def answer(seen: Seen) -> bytes:
            return http() if seen.target == "/end" else http(status="302 x", Location=other.url())

        async with (
            answering(answer) as home,
            opened(loopback(home.port, headers={"X-Key": "secret"}), loopback(other.port)) as guest,
        ):
            await guest.get(home.url("/begin"))
    assert "x-key" in home.requests[0].headers
    assert "x-key" not in home.requests[1].headers


async def test_a_redirect_to_the_same_origin_keeps_all_headers() -> None:
    def answer(seen: Seen) -> bytes:
        return http() if seen.target == "/b" else http(status="302 x", Location="/b")

    async with answering(answer) as served, opened(loopback(served.port, headers={"X-Key": "secret"})) as guest:
        await guest.get(served.url("/a"), headers=[("Authorization", "mine")])
    assert served.requests[1].headers["x-key"] == "secret"
    assert served.requests[1].headers["authorization"] == "mine"


async def test_a_redirect_between_names_of_one_wildcard_carries_no_secret() -> None:
    async with answering(
        lambda seen: http() if seen.target == "/b" else http(status="302 x", Location=there)
    ) as served:
        there = f"http://b.example.com:{served.port}/b"
        resolver = TableResolver({f"{name}.example.com": [["127.0.0.1"]] for name in "ab"})
        wide = rule("*.example.com", port=served.port, private=True, headers={"X-Key": "secret"})
        async with opened(wide, resolver=resolver) as guest:
            await guest.get(f"http://a.example.com:{served.port}/a")
    assert ["x-key" in seen.headers for seen in served.requests] == [True, False]
