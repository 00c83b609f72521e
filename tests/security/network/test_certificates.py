"""Threat: another server answers in place of the allowed host."""

from pathlib import Path

import pytest
from http_peers import Authority, answering, http, loopback, opened, rule

from codeact_bridges.errors import HttpFailed
from codeact_bridges.network.resolver import TableResolver

RESOLVER = {"api.example": [["127.0.0.1"]]}


async def test_the_certificate_is_checked_against_the_name_and_not_the_address(tmp_path: Path) -> None:
    authority = Authority()
    async with answering(lambda seen: http("hello"), authority.serving("api.example", folder=tmp_path)) as served:
        allowed = rule("api.example", port=served.port, private=True)
        async with opened(allowed, resolver=TableResolver(RESOLVER), tls=authority.trusting()) as guest:
            answer = await guest.get(served.url(scheme="https", host="api.example"))
    assert answer.body == b"hello"


@pytest.mark.parametrize(
    ("name", "days"), [("other.example", 1), ("127.0.0.1", 1), ("*.api.example", 1), ("api.example", -1)]
)
async def test_a_wrong_or_expired_certificate_is_an_error(name: str, days: int, tmp_path: Path) -> None:
    authority = Authority()
    async with answering(lambda seen: http(), authority.serving(name, folder=tmp_path, days=days)) as served:
        allowed = rule("api.example", port=served.port, private=True, headers={"X-Key": "never sent"})
        async with opened(allowed, resolver=TableResolver(RESOLVER), tls=authority.trusting()) as guest:
            with pytest.raises(HttpFailed, match="certificate"):
                await guest.get(served.url(scheme="https", host="api.example"))
    assert served.requests == []


async def test_a_certificate_of_an_unknown_authority_is_an_error(tmp_path: Path) -> None:
    async with answering(lambda seen: http(), Authority().serving("api.example", folder=tmp_path)) as served:
        allowed = rule("api.example", port=served.port, private=True)
        for tls in (Authority().trusting(), None):
            async with opened(allowed, resolver=TableResolver(RESOLVER), tls=tls) as guest:
                with pytest.raises(HttpFailed, match="certificate"):
                    await guest.get(served.url(scheme="https", host="api.example"))
    assert served.requests == []


async def test_an_address_needs_a_certificate_for_the_address(tmp_path: Path) -> None:
    authority = Authority()
    async with (
        answering(lambda seen: http("hello"), authority.serving("127.0.0.1", folder=tmp_path)) as served,
        opened(loopback(served.port), tls=authority.trusting()) as guest,
    ):
        assert (await guest.get(served.url(scheme="https"))).body == b"hello"


async def test_a_server_that_does_not_speak_tls_is_an_error() -> None:
    async with answering(lambda seen: http()) as served, opened(loopback(served.port)) as guest:
        with pytest.raises(HttpFailed):
            await guest.get(served.url(scheme="https"), timeout_s=0.3)


async def test_a_redirect_from_https_to_http_carries_no_secret(tmp_path: Path) -> None:
    authority = Authority()
    async with answering(lambda seen: http()) as plain:
        location = plain.url(host="api.example")
        tls = authority.serving("api.example", folder=tmp_path)
        async with answering(lambda seen: http(status="302 x", Location=location), tls) as served:
            first = rule("api.example", port=served.port, private=True, headers={"X-Key": "secret"})
            second = rule("api.example", port=plain.port, private=True, headers={"X-Key": "secret"})
            async with opened(first, second, resolver=TableResolver(RESOLVER), tls=authority.trusting()) as guest:
                await guest.get(served.url(scheme="https", host="api.example"))
    assert served.requests[0].headers["x-key"] == "secret"
    assert "x-key" not in plain.requests[0].headers
