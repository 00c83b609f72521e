"""Threat: a server that sends a wrong length, does not speak HTTP, or stops in the middle."""

import anyio
import anyio.abc
import pytest
from http_peers import Served, Talk, loopback, opened, read_request, serving

from codeact_bridges.errors import HttpFailed


def sends(data: bytes) -> Talk:
    async def talk(stream: anyio.abc.ByteStream) -> None:
        await read_request(stream)
        await stream.send(data)

    return talk


OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html>hello, this is HTTP/0.9</html>\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20 + b"\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        b"HTTP/1.1 200",
        b"HTTP/1.1 99999 OK\r\n\r\n",
        b"ICY 200 OK\r\n\r\n",
        OK + b"Content-Length: 100\r\n\r\nshort",
        OK + b"Content-Length: -1\r\n\r\n",
        OK + b"Content-Length: 1e3\r\n\r\n",
        OK + b"Content-Length: 3\r\nContent-Length: 5\r\n\r\nabcde",
        OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab",
        OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nab",
        OK + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffffffffff\r\n",
        OK + b"Transfer-Encoding: gzip\r\n\r\nab",
        OK + b"no colon here\r\n\r\n",
        OK + b"X: a\0b\r\n\r\n",
        OK + b": empty\r\n\r\n",
        OK + b"Content-Encoding: gzip\r\nContent-Length: 7\r\n\r\nnotgzip",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nraw",
    ],
)
async def test_an_incomplete_or_invalid_response_is_an_error_that_a_program_can_catch(data: bytes) -> None:
    talk = sends(data)
    with anyio.fail_after(5):
        async with serving(talk) as served, opened(loopback(served.port)) as guest:
            with pytest.raises(HttpFailed) as failed:
                await guest.get(served.url())
            assert failed.value.guest_type == "HttpError"
            assert len(str(failed.value)) < 1_000
            assert len(guest.usage.accesses) == 1


async def test_bytes_beyond_the_announced_length_are_dropped() -> None:
    async def talk(stream: anyio.abc.ByteStream) -> None:
        await read_request(stream)
        await stream.send(OK + b"Content-Length: 5\r\n\r\nhello" + OK + b"Content-Length: 6\r\n\r\nforged")

    async with serving(talk) as served, opened(loopback(served.port)) as guest:
        assert (await guest.get(served.url())).body == b"hello"
        assert (await guest.get(served.url())).body == b"hello"
    assert served.connections == 2


async def test_a_response_without_a_length_ends_with_the_connection() -> None:
    talk = sends(OK + b"\r\nas long as it is")
    async with serving(talk) as served, opened(loopback(served.port)) as guest:
        assert (await guest.get(served.url())).body == b"as long as it is"


async def test_a_refused_connection_is_an_error() -> None:
    async with serving(_never) as served:
        gone: Served = served
    async with opened(loopback(gone.port)) as guest:
        with pytest.raises(HttpFailed, match=r"cannot connect to 127\.0\.0\.1"):
            await guest.get(gone.url())


async def _never(stream: anyio.abc.ByteStream) -> None:
    """For a server that gets no connection."""
