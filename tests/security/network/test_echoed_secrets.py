"""Threat: a server echoes the headers that the host injected."""

import json
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote, quote_plus

import pytest
from http_peers import Seen, answering, http, loopback, opened, sends_in_pieces
from hypothesis import given
from hypothesis import strategies as st

from codeact_bridges.errors import BridgeError, HttpFailed
from codeact_bridges.network.secret_masking import Mask, MaskedStream

SECRET = "gh_/s3cret+tok3n=="
HEADERS = {"Authorization": f"Bearer {SECRET}"}
FORMS = [
    SECRET.encode(),
    quote(SECRET).encode(),
    quote(SECRET, safe="").encode(),
    quote(SECRET, safe="").lower().encode(),
    quote_plus(SECRET).encode(),
    b64encode(SECRET.encode()),
    urlsafe_b64encode(SECRET.encode()),
    b64encode(b"user:" + SECRET.encode() + b":x"),
    b64encode(b"ab" + SECRET.encode()),
    json.dumps(SECRET).replace("/", "\\/").encode()[1:-1],
    SECRET.encode().hex().encode(),
    SECRET.encode().hex().upper().encode(),
]


@pytest.mark.parametrize("form", FORMS)
async def test_an_echo_in_the_body_is_masked(form: bytes) -> None:
    async with (
        answering(lambda seen: http(b"before " + form + b" after")) as served,
        opened(loopback(served.port, headers=HEADERS)) as guest,
    ):
        answer = await guest.get(served.url())
    assert served.requests[0].headers["authorization"] == HEADERS["Authorization"]
    assert b"[masked]" in answer.body
    assert form not in answer.body
    assert (answer.body[:7], answer.body[-6:]) == (b"before ", b" after")


async def test_an_echo_in_headers_and_reason_is_masked() -> None:
    async with (
        answering(lambda seen: http(status=f"200 {SECRET}", X_Echo=f"<{SECRET}>", **{SECRET[:3]: "x"})) as served,
        opened(loopback(served.port, headers=HEADERS)) as guest,
    ):
        raw = await guest.call("network.request", method="GET", url=served.url())
    assert SECRET not in str(raw)
    assert "<[masked]>" in str(raw)


async def test_an_echo_in_an_error_is_masked() -> None:
    async with (
        answering(lambda seen: f"HTTP/1.1 200 OK\r\nno colon {SECRET}\r\n\r\n".encode()) as served,
        opened(loopback(served.port, headers=HEADERS)) as guest,
    ):
        with pytest.raises(HttpFailed) as failed:
            await guest.get(served.url())
    assert SECRET not in str(failed.value)


async def test_an_echo_in_the_target_of_a_redirect_is_masked() -> None:
    async with (
        answering(
            lambda seen: http() if "?" in seen.target else http(status="302 x", Location=f"/?t={SECRET}")
        ) as served,
        opened(loopback(served.port, headers=HEADERS)) as guest,
    ):
        answer = await guest.get(served.url())
        said = f"{answer} {guest.usage.accesses}"
    assert SECRET not in said
    assert quote(SECRET, safe="") not in said


@pytest.mark.parametrize("location", [f"http://example.com/{SECRET}", f"/{SECRET}", f"ftp://x/{SECRET}"])
async def test_an_echo_in_a_failing_redirect_is_masked(location: str) -> None:
    def answer(seen: Seen) -> bytes:
        return b"garbage\r\n\r\n" if SECRET in seen.target else http(status="302 x", Location=location)

    async with answering(answer) as served, opened(loopback(served.port, headers=HEADERS)) as guest:
        with pytest.raises(BridgeError) as failed:
            await guest.get(served.url())
        said = f"{failed.value} {failed.value.facts()} {guest.usage.accesses}"
    assert SECRET not in said


async def test_an_echo_from_another_host_is_masked_too() -> None:
    async with (
        answering(lambda seen: http(SECRET)) as other,
        opened(loopback(9, headers=HEADERS), loopback(other.port)) as guest,
    ):
        assert (await guest.get(other.url())).body == b"[masked]"


async def test_an_echo_split_across_two_chunks_is_masked() -> None:
    async with (
        sends_in_pieces(b"a" * 1_000 + SECRET.encode() + b"b" * 1_000, at=1_005) as served,
        opened(loopback(served.port, headers=HEADERS)) as guest,
    ):
        answer = await guest.get(served.url())
    assert answer.body == b"a" * 1_000 + b"[masked]" + b"b" * 1_000


@pytest.mark.parametrize("form", [b"dXNlcjpwYXNzd29yZA==", b"user:password", b"password"])
def test_the_parts_of_basic_authentication_are_masked(form: bytes) -> None:
    mask = Mask.of_headers([("Authorization", "Basic dXNlcjpwYXNzd29yZA==")])
    assert form not in mask.data(b"<" + form + b">")


def test_headers_that_hold_no_secret_mask_nothing() -> None:
    plain = [("Accept", "application/json"), ("X-GitHub-Api-Version", "2022-11-28"), ("User-Agent", "a program")]
    assert Mask.of_headers(plain).forms == ()


def test_the_repr_of_a_mask_does_not_show_the_secret() -> None:
    assert SECRET not in repr(Mask.of_headers(HEADERS.items()))


@given(
    st.lists(st.sampled_from([*FORMS, b"gh_/", b"s3cret", b"x", b"", b"[masked]", SECRET.encode()[:9]]), max_size=8),
    st.lists(st.integers(1, 12), min_size=1, max_size=50),
)
def test_no_form_of_the_secret_gets_through_however_the_body_is_split(parts: list[bytes], sizes: list[int]) -> None:
    mask, whole, out = Mask.of_headers(HEADERS.items()), b"".join(parts), b""
    stream = MaskedStream(mask)
    at = 0
    for index in range(len(whole) + 1):
        size = sizes[index % len(sizes)]
        out += stream.feed(whole[at : at + size])
        at += size
    out += stream.end()
    assert out == mask.data(whole)
    assert SECRET.encode() not in out
