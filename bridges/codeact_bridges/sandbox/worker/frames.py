"""The frames between the host and a worker. Pure: bytes in, frames out. Used on both sides.

A frame is a length (4 bytes, big-endian, of the rest of the frame), a kind (1 byte) and a body. The protocol:

    host    SETUP                 START                      ANSWER | REFUSAL               RENEW | START …
    worker          READY | DIED         PRINTED* (CALL …                     )* DONE | DIED        READY …

A worker makes one call at a time and waits for its answer, so answers need no number.
"""

from collections.abc import Generator
from dataclasses import dataclass
from enum import IntEnum

HEADER_BYTES = 5


class FrameKind(IntEnum):
    """The kind of a frame. Each comment describes the frame's body."""

    SETUP = 1
    """JSON: the engine's name and its settings."""
    START = 2
    """JSON: the answer to the guest's `run.begin`."""
    ANSWER = 3
    """JSON text."""
    REFUSAL = 4
    """JSON text of an error object."""
    READY = 5
    """JSON: engine, isolation, versions, hardening. A fresh guest is ready."""
    CALL = 6
    """The operation, a line feed, its arguments as JSON text."""
    PRINTED = 7
    """The channel (1 byte: 1 stdout, 2 stderr), then UTF-8 text."""
    DONE = 8
    """JSON text: the outcome that the guest passed to `run.end`."""
    RENEW = 10
    """Empty: create a fresh guest."""
    DIED = 9
    """UTF-8 text: the reason why the guest is gone."""


class ProtocolError(Exception):
    """The other side broke the protocol. Nothing more that it sends may be trusted."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One message."""

    kind: FrameKind
    body: bytes

    @property
    def text(self) -> str:
        """The body decoded as UTF-8.

        Raises:
            ProtocolError: the body is not UTF-8.
        """
        try:
            return self.body.decode()
        except UnicodeDecodeError as exc:
            raise ProtocolError(f"{self.kind.name} is not UTF-8") from exc


def encode(kind: FrameKind, body: bytes) -> bytes:
    """The bytes of one frame."""
    return (len(body) + 1).to_bytes(4, "big") + bytes((kind,)) + body


class FrameReader:
    """Cuts a byte stream into frames, none longer than `limit_bytes`."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._buffer = bytearray()
        self._at = 0

    def feed(self, data: bytes) -> Generator[Frame]:
        """Yield the frames that `data` completes.

        Raises:
            ProtocolError: a frame is empty, too long or of an unknown kind.
        """
        self._buffer += data
        while len(self._buffer) - self._at >= HEADER_BYTES:
            length = int.from_bytes(self._buffer[self._at : self._at + 4], "big")
            if not 1 <= length <= self._limit:
                raise ProtocolError(f"a frame of {length:,} bytes, where 1 to {self._limit:,} are allowed")
            end = self._at + 4 + length
            if len(self._buffer) < end:
                break
            try:
                kind = FrameKind(self._buffer[self._at + 4])
            except ValueError as exc:
                raise ProtocolError(f"a frame of unknown kind: {exc}") from exc
            body = bytes(self._buffer[self._at + HEADER_BYTES : end])
            self._at = end
            yield Frame(kind, body)
        if self._at:
            del self._buffer[: self._at]
            self._at = 0
