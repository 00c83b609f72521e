"""The frames between the host and a worker. Pure: bytes in, frames out. Used on both sides.

A frame is a length (4 bytes, big-endian, of what follows), a kind (1 byte) and a body. The conversation:

    host    SETUP                 START                     ANSWER | REFUSAL               RENEW | START …
    worker          READY | DIED         PRINTED* (ASK …                     )* DONE | DIED        READY …

A worker asks one question at a time and waits, so an answer needs no number.
"""

from collections.abc import Generator
from dataclasses import dataclass
from enum import IntEnum

HEADER_BYTES = 5


class FrameKind(IntEnum):
    """What a frame's body holds."""

    SETUP = 1
    """JSON: the engine's name and its settings."""
    START = 2
    """JSON: the answer to the guest's `run.begin`."""
    ANSWER = 3
    """JSON text."""
    REFUSAL = 4
    """JSON text of an error object."""
    READY = 5
    """JSON: engine, isolation, versions. A fresh guest waits."""
    ASK = 6
    """The operation, a line feed, its arguments as JSON text."""
    PRINTED = 7
    """The channel (1 byte: 1 stdout, 2 stderr), then UTF-8 text."""
    DONE = 8
    """JSON text: what the guest gave to `run.end`."""
    RENEW = 10
    """Empty: make a fresh guest."""
    DIED = 9
    """UTF-8 text: why there is no guest any more."""


class WireError(Exception):
    """The other side broke the protocol; nothing it sends is to be believed any more."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One message."""

    kind: FrameKind
    body: bytes

    @property
    def text(self) -> str:
        """The body as UTF-8.

        Raises:
            WireError: it is not.
        """
        try:
            return self.body.decode()
        except UnicodeDecodeError as exc:
            raise WireError(f"{self.kind.name} is not UTF-8") from exc


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
        """The frames that `data` completes.

        Raises:
            WireError: a frame is empty, too long or of no known kind.
        """
        self._buffer += data
        while len(self._buffer) - self._at >= HEADER_BYTES:
            length = int.from_bytes(self._buffer[self._at : self._at + 4], "big")
            if not 1 <= length <= self._limit:
                raise WireError(f"a frame of {length:,} bytes, where 1 to {self._limit:,} are allowed")
            end = self._at + 4 + length
            if len(self._buffer) < end:
                break
            try:
                kind = FrameKind(self._buffer[self._at + 4])
            except ValueError as exc:
                raise WireError(f"a frame of unknown kind: {exc}") from exc
            body = bytes(self._buffer[self._at + HEADER_BYTES : end])
            self._at = end
            yield Frame(kind, body)
        if self._at:
            del self._buffer[: self._at]
            self._at = 0
