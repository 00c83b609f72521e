"""Threat: a server or a resolver that never finishes."""

from collections.abc import Sequence

import anyio
import anyio.abc
import pytest
from http_peers import Guest, Talk, loopback, opened, read_request, rule, serving

from codeact_bridges.errors import HttpTimedOut
from codeact_bridges.network.addresses import Address

TIMEOUT_S = 0.3


async def silent(stream: anyio.abc.ByteStream) -> None:
    await anyio.sleep_forever()


async def stops_in_the_head(stream: anyio.abc.ByteStream) -> None:
    await stream.send(b"HTTP/1.1 200 OK\r\nContent-Le")
    await anyio.sleep_forever()


async def stops_in_the_body(stream: anyio.abc.ByteStream) -> None:
    await stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello")
    await anyio.sleep_forever()


async def drips_its_head(stream: anyio.abc.ByteStream) -> None:
    await read_request(stream)
    await stream.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        await stream.send(b"X: y\r\n")
        await anyio.sleep(0.01)


async def drips_its_body(stream: anyio.abc.ByteStream) -> None:
    await read_request(stream)
    await stream.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        await stream.send(b"1\r\nx\r\n")
        await anyio.sleep(0.01)


async def continues_for_ever(stream: anyio.abc.ByteStream) -> None:
    await read_request(stream)
    while True:
        await stream.send(b"HTTP/1.1 100 Continue\r\n\r\n")


@pytest.mark.parametrize(
    "talk", [silent, stops_in_the_head, stops_in_the_body, drips_its_head, drips_its_body, continues_for_ever]
)
async def test_a_request_to_a_stalling_server_times_out(talk: Talk) -> None:
    with anyio.fail_after(5):
        async with serving(talk) as served, opened(loopback(served.port)) as guest:
            with pytest.raises(HttpTimedOut, match="not finished after"):
                await guest.get(served.url(), timeout_s=TIMEOUT_S)
            assert [access.decision for access in guest.usage.accesses] == ["allow"]


async def test_a_programs_timeout_cannot_exceed_the_operators() -> None:
    with anyio.fail_after(5):
        async with serving(silent) as served, opened(loopback(served.port), http_timeout_s=TIMEOUT_S) as guest:
            with pytest.raises(HttpTimedOut):
                await guest.get(served.url(), timeout_s=3_600)


async def test_a_request_with_a_stalling_resolver_times_out() -> None:
    class StallingResolver:
        async def resolve(self, host: str) -> Sequence[Address]:
            await anyio.sleep_forever()
            return ()

    with anyio.fail_after(5):
        async with opened(rule("example.com"), resolver=StallingResolver()) as guest:
            with pytest.raises(HttpTimedOut):
                await guest.get("http://example.com/", timeout_s=TIMEOUT_S)


async def test_a_program_that_stops_reading_holds_no_connection() -> None:
    async def endless(stream: anyio.abc.ByteStream) -> None:
        await read_request(stream)
        await stream.send(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while True:
                await stream.send(bytes(100_000))
        except anyio.BrokenResourceError:
            closed.set()

    closed = anyio.Event()
    with anyio.fail_after(5):
        async with serving(endless) as served, opened(loopback(served.port)) as guest:
            answer = await guest.call("network.request", method="GET", url=served.url(), timeout_s=TIMEOUT_S)
            assert answer["more"] is not None
            await closed.wait()
            with pytest.raises(HttpTimedOut):
                await _read_to_the_end(guest, answer["more"])


async def _read_to_the_end(guest: Guest, more: int | None) -> None:
    while more is not None:
        more = (await guest.call("network.read", id=more))["more"]


async def test_the_end_of_the_run_closes_requests_in_flight() -> None:
    async def waits(stream: anyio.abc.ByteStream) -> None:
        await read_request(stream)
        received.set()
        assert await read_request(stream) is None
        closed.set()

    received, closed = anyio.Event(), anyio.Event()
    with anyio.fail_after(5):
        async with serving(waits) as served:
            async with anyio.create_task_group() as tasks, opened(loopback(served.port)) as guest:

                async def request() -> None:
                    await guest.get(served.url())

                tasks.start_soon(request)
                await received.wait()
                tasks.cancel_scope.cancel()
            await closed.wait()


async def test_requests_above_the_concurrency_limit_wait_their_turn() -> None:
    async def counts(stream: anyio.abc.ByteStream) -> None:
        while await read_request(stream) is not None:
            if served.connections == 16:
                all_there.set()
            await go_on.wait()
            await stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    all_there, go_on = anyio.Event(), anyio.Event()
    with anyio.fail_after(5):
        async with serving(counts) as served, opened(loopback(served.port)) as guest:
            async with anyio.create_task_group() as tasks:
                for _ in range(40):
                    tasks.start_soon(guest.get, served.url())
                await all_there.wait()
                await anyio.wait_all_tasks_blocked()
                assert served.connections == 16
                go_on.set()
            assert len(guest.usage.accesses) == 40
            assert served.connections == 16
