"""The frames between the host and a worker."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codeact_bridges.sandbox.worker.frames import HEADER_BYTES, Frame, FrameKind, FrameReader, ProtocolError, encode

LIMIT_BYTES = 200

frames = st.lists(st.builds(Frame, st.sampled_from(FrameKind), st.binary(max_size=LIMIT_BYTES - 1)), max_size=20)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """`data` in pieces, as a pipe may deliver it."""
    ends = sorted({place % (len(data) + 1) for place in places} | {len(data)})
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]


@given(frames, st.lists(st.integers(min_value=0), max_size=30))
def test_frames_are_read_back_however_the_pipe_splits_them(sent: list[Frame], places: list[int]) -> None:
    data = b"".join(encode(frame.kind, frame.body) for frame in sent)
    reader = FrameReader(LIMIT_BYTES)
    assert [frame for piece in cut(data, places) for frame in reader.feed(piece)] == sent


@given(st.binary(max_size=2_000), st.lists(st.integers(min_value=0), max_size=30))
def test_any_bytes_of_a_hostile_worker_are_frames_within_the_limit_or_an_error(data: bytes, places: list[int]) -> None:
    reader = FrameReader(LIMIT_BYTES)
    try:
        for piece in cut(data, places):
            for frame in reader.feed(piece):
                assert len(frame.body) < LIMIT_BYTES
    except ProtocolError:
        pass


@pytest.mark.parametrize("length", [0, LIMIT_BYTES + 1, 2**32 - 1])
def test_a_length_outside_the_limit_is_refused_before_its_body_arrives(length: int) -> None:
    with pytest.raises(ProtocolError, match=f"{length:,} bytes"):
        list(FrameReader(LIMIT_BYTES).feed(length.to_bytes(4, "big") + b"\x01"))


def test_a_frame_of_exactly_the_limit_is_read() -> None:
    body = b"x" * (LIMIT_BYTES - 1)
    assert list(FrameReader(LIMIT_BYTES).feed(encode(FrameKind.DONE, body))) == [Frame(FrameKind.DONE, body)]


@pytest.mark.parametrize("number", [0, 200])
def test_an_unknown_kind_is_refused(number: int) -> None:
    with pytest.raises(ProtocolError, match=f"unknown kind.* {number}"):
        list(FrameReader(LIMIT_BYTES).feed((1).to_bytes(4, "big") + bytes((number,))))


def test_the_reader_waits_for_the_rest_of_a_header() -> None:
    reader = FrameReader(LIMIT_BYTES)
    data = encode(FrameKind.CALL, b"")
    assert list(reader.feed(data[: HEADER_BYTES - 1])) == []
    assert list(reader.feed(data[HEADER_BYTES - 1 :])) == [Frame(FrameKind.CALL, b"")]


def test_reading_a_body_as_text_raises_if_it_is_not_utf_8() -> None:
    with pytest.raises(ProtocolError, match="CALL is not UTF-8"):
        _ = Frame(FrameKind.CALL, b"\xff").text
