"""Offsets, lengths and sizes that are not valid."""

import pytest
from mounted import CHUNK_BYTES, Mounted

from codeact_bridges.errors import BadGuestCall
from codeact_bridges.files.encoding import pack

INVALID: list[object] = [-1, 1 << 53 | 1, 1 << 63, 1 << 64, 1.5, "0", True, [], {}]


@pytest.mark.parametrize("number", INVALID)
def test_an_invalid_number_is_refused_when_the_request_is_parsed(mounted: Mounted, number: object) -> None:
    handle = mounted.open("/out/f")
    for operation, arguments in (
        ("files.read", {"handle": handle, "at": number, "length": 1}),
        ("files.truncate", {"handle": handle, "size": number}),
        ("files.write", {"handle": handle, "at": number}),
    ):
        with pytest.raises(BadGuestCall):
            mounted.call(operation, pack(b"x") if operation == "files.write" else None, **arguments)
    with pytest.raises(BadGuestCall):
        mounted.call("files.open", path="/out/f", ahead=number if number is not True else -1)


def test_reading_far_beyond_the_end_returns_nothing(mounted: Mounted) -> None:
    handle = mounted.open("/out/f")

    assert mounted.call("files.read", handle=handle, at=1 << 53, length=1 << 60) == b""


def test_one_read_returns_at_most_a_chunk(mounted: Mounted) -> None:
    (mounted.data / "big").write_bytes(bytes(3 * CHUNK_BYTES))
    handle = mounted.call("files.open", path="/data/big")["handle"]

    assert len(mounted.call("files.read", handle=handle, at=0, length=1 << 60)) == CHUNK_BYTES


@pytest.mark.parametrize("packed", ["", "x", "b!", "bA", "bAAAA=AAAA", "aé", "b" + "\n"])
def test_badly_encoded_bytes_are_refused(mounted: Mounted, packed: str) -> None:
    handle = mounted.open("/out/f")

    with pytest.raises(BadGuestCall):
        mounted.call("files.write", packed, handle=handle, at=0)


@pytest.mark.parametrize(
    "text", ["", "null", "[]", "{", '{"path": 1}', '{"path": "/x", "more": 1}', '{"path": ["/x"]}']
)
def test_a_malformed_request_is_refused(mounted: Mounted, text: str) -> None:
    for operation in mounted.operations.names - {"files.close"}:
        with pytest.raises(BadGuestCall):
            mounted.operations.answer(operation, text)
