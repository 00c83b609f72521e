"""What a client may send over stdio that is no request: each of it is answered, and the connection lives on."""

import json
from collections.abc import AsyncGenerator
from typing import Any

import anyio
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream
from served import Commands, Served

GUARD_S = 60
PING: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": "ping"}


@pytest.fixture
async def served(commands: Commands) -> AsyncGenerator[Served]:
    async with commands.serving("stdio") as served:
        yield served


async def talk(served: Served, version: str, *lines: object, answers: int) -> list[Any]:
    """So many answers to these lines after a handshake, in the order in which they came, without the handshake's."""
    assert served.process.stdin is not None
    assert served.process.stdout is not None
    info = {"name": "odd", "version": "0"}
    params = {"protocolVersion": version, "capabilities": {}, "clientInfo": info}
    first = [
        {"jsonrpc": "2.0", "id": "init", "method": "initialize", "params": params},
        {"jsonrpc": "2.0", "id": None, "method": "notifications/initialized"},
    ]
    last = PING | {"id": "last"}
    for line in (*first, *lines, last):
        await served.process.stdin.send((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n")
    stdout = BufferedByteReceiveStream(served.process.stdout)
    came = [json.loads(await stdout.receive_until(b"\n", 1_000_000)) for _ in range(answers + 2)]
    assert {"jsonrpc": "2.0", "id": "last", "result": {}} in came
    return [answer for answer in came if answer["id"] not in ("init", "last")]


async def test_requests_with_odd_envelopes_are_refused_one_by_one(served: Served) -> None:
    odd = [
        b"no JSON",
        b"[" * 100_000,
        b'{"jsonrpc": "2.0", "id": %s, "method": "ping"}' % (b"9" * 5_000),
        PING | {"id": 1.5},
        PING | {"id": None},
        PING | {"id": True},
        PING | {"jsonrpc": "1.0"},
        PING | {"method": 1},
        PING | {"params": [1]},
        [],
        [PING],
        "ping",
    ]
    with anyio.fail_after(GUARD_S):
        answers = await talk(served, "2025-11-25", *odd, answers=len(odd))

    assert [answer["error"]["code"] for answer in answers] == [-32700] * 3 + [-32600] * 5 + [-32602] + [-32600] * 3
    assert [answer["id"] for answer in answers] == [None] * 6 + [1, 1, 1, None, 1, None]


async def test_a_batch_is_answered_message_by_message_where_the_version_has_batches(served: Served) -> None:
    with anyio.fail_after(GUARD_S):
        answers = await talk(
            served, "2025-03-26", [PING, PING | {"id": 2}, {"jsonrpc": "2.0", "method": "x"}, 5], answers=3
        )

    assert sorted(answers, key=lambda answer: answer["id"] or 0) == [
        {
            "jsonrpc": "2.0",
            "id": None,
            "error": {"code": -32600, "message": "Invalid request: a message must be an object"},
        },
        {"jsonrpc": "2.0", "id": 1, "result": {}},
        {"jsonrpc": "2.0", "id": 2, "result": {}},
    ]
