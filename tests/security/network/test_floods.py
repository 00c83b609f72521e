"""Threat: too many bytes, headers or requests."""

import zlib

import anyio
import anyio.abc
import pytest
from http_peers import Talk, answering, http, loopback, opened, read_request, serving

from codeact_bridges.errors import BudgetSpent, HttpFailed, NotAllowed

LIMIT = 200_000


async def endless(stream: anyio.abc.ByteStream) -> None:
    await read_request(stream)
    await stream.send(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        await stream.send(bytes(65_536))


async def endless_chunks(stream: anyio.abc.ByteStream) -> None:
    await read_request(stream)
    await stream.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        await stream.send(b"1\r\nx\r\n" * 10_000)


async def endless_head(stream: anyio.abc.ByteStream) -> None:
    await read_request(stream)
    await stream.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        await stream.send(b"X: " + b"y" * 10_000 + b"\r\n")


async def endless_header_line(stream: anyio.abc.ByteStream) -> None:
    await read_request(stream)
    await stream.send(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        await stream.send(b"y" * 10_000)


@pytest.mark.parametrize(
    ("talk", "limit"),
    # Each chunk of one byte takes a parser in Python its time.
    [(endless, LIMIT), (endless_chunks, LIMIT // 10), (endless_head, LIMIT), (endless_header_line, LIMIT)],
)
async def test_a_server_that_never_stops_sending_is_cut_off(talk: Talk, limit: int) -> None:
    with anyio.fail_after(30):
        async with serving(talk) as served, opened(loopback(served.port), http_response_bytes=limit) as guest:
            with pytest.raises(HttpFailed):
                await guest.get(served.url())
            (access,) = guest.usage.accesses
            assert access.bytes < limit + 2_000_000


async def test_a_body_announced_as_too_large_is_not_read() -> None:
    async with serving(_announces) as served, opened(loopback(served.port), http_response_bytes=LIMIT) as guest:
        with pytest.raises(HttpFailed, match=r"200,000 bytes \(setting codeact.limits.http_response_bytes\)"):
            await guest.get(served.url())
        assert guest.usage.accesses[0].bytes == 0


async def _announces(stream: anyio.abc.ByteStream) -> None:
    await read_request(stream)
    await stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n")


async def test_a_body_of_exactly_the_limit_arrives_in_pieces() -> None:
    async with (
        answering(lambda seen: http(bytes(LIMIT))) as served,
        opened(loopback(served.port), http_response_bytes=LIMIT, message_bytes=400_000) as guest,
    ):
        answer = await guest.get(served.url())
        assert (len(answer.body), answer.pieces) == (LIMIT, 5)


@pytest.mark.parametrize("headers", [b"X: y\r\n" * 201, b"X: " + b"y" * 64_001 + b"\r\n"])
async def test_a_response_with_too_many_headers_is_refused(headers: bytes) -> None:
    async def talk(stream: anyio.abc.ByteStream) -> None:
        await read_request(stream)
        await stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + headers + b"\r\n")

    async with serving(talk) as served, opened(loopback(served.port)) as guest:
        with pytest.raises(HttpFailed, match="headers"):
            await guest.get(served.url())


async def test_a_programs_requests_are_limited() -> None:
    async with answering(lambda seen: http()) as served, opened(loopback(served.port), http_requests=3) as guest:
        for _ in range(3):
            await guest.get(served.url())
        with pytest.raises(BudgetSpent, match=r"3 HTTP requests \(setting codeact.limits.http_requests\)"):
            await guest.get(served.url())
    assert len(served.requests) == 3


async def test_refused_requests_count_too_so_that_the_access_log_stays_small() -> None:
    async with opened(loopback(9), http_requests=3) as guest:
        for _ in range(3):
            with pytest.raises(NotAllowed):
                await guest.get("http://example.com/")
        with pytest.raises(BudgetSpent):
            await guest.get("http://example.com/")
        assert len(guest.usage.accesses) == 3


async def test_the_next_program_of_a_session_has_a_budget_of_its_own() -> None:
    async with answering(lambda seen: http()) as served, opened(loopback(served.port), http_requests=1) as guest:
        await guest.get(served.url())
        assert guest.opened.flush is not None
        await guest.opened.flush()
        await guest.get(served.url())
    assert len(served.requests) == 2


BOMB = zlib.compress(bytes(50_000_000), 9)


@pytest.mark.parametrize(("encoding", "wbits"), [("gzip", 31), ("deflate", 15), ("deflate", -15)])
async def test_a_compressed_bomb_counts_with_its_decompressed_size(encoding: str, wbits: int) -> None:
    compressor = zlib.compressobj(9, wbits=wbits)
    bomb = compressor.compress(bytes(50_000_000)) + compressor.flush()
    assert len(bomb) < 60_000
    async with (
        answering(lambda seen: http(bomb, Content_Encoding=encoding)) as served,
        opened(loopback(served.port), http_response_bytes=2_000_000) as guest,
    ):
        with pytest.raises(HttpFailed, match="larger than 2,000,000 bytes"):
            await guest.get(served.url())
        assert guest.usage.accesses[0].bytes < 5_000_000


async def test_a_nested_bomb_counts_with_its_decompressed_size() -> None:
    bomb = zlib.compress(BOMB, 9)
    async with (
        answering(lambda seen: http(bomb, Content_Encoding="deflate, deflate")) as served,
        opened(loopback(served.port), http_response_bytes=2_000_000) as guest,
    ):
        with pytest.raises(HttpFailed, match="larger than 2,000,000 bytes"):
            await guest.get(served.url())


async def test_too_many_content_encodings_are_an_error() -> None:
    encodings = ", ".join(["gzip"] * 50)
    async with (
        answering(lambda seen: http(BOMB, Content_Encoding=encodings)) as served,
        opened(loopback(served.port)) as guest,
    ):
        with pytest.raises(HttpFailed):
            await guest.get(served.url())


async def test_an_ordinary_compressed_response_arrives_decompressed_and_its_headers_say_so() -> None:
    async with (
        answering(lambda seen: http(zlib.compress(b"hello"), Content_Encoding="deflate")) as served,
        opened(loopback(served.port)) as guest,
    ):
        answer = await guest.get(served.url(), headers=[("Accept-Encoding", "br")])
    assert answer.body == b"hello"
    assert not {"content-encoding", "content-length"} & set(answer.headers)
    assert served.requests[0].headers["accept-encoding"] == "gzip, deflate"
