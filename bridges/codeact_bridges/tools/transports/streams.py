"""The two streams between a transport and a session, watched: who reads notices the end, who writes says what one call
may be asked. And how much one message may hold, for whoever makes messages of bytes."""

import re
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, Self, cast

import anyio
from mcp.client._transport import ReadStream, WriteStream
from mcp.shared.message import SessionMessage
from mcp.types import CLIENT_CAPABILITIES_META_KEY, JSONRPCRequest

from codeact_bridges.tools.downstream.elicitation import CAPABILITIES_KEY

MAX_MESSAGE_BYTES = 40_000_000
"""One message: a result of the 16 MB that a run takes by default, as structured content and once more as text, escaped.
Results are cut down to the run's own limit later; this protects our memory."""

MAX_PARTS = 1_000_000
"""Arrays, objects and commas in one message. Reading that many takes up to 0.7 s and 200 MB; the bytes alone would let
through 13 million arrays, 15 s and 6 GB."""

# What is open at the end counts as a string too: looking for another one to begin with would take quadratic time.
_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)


def has_too_many_parts(data: bytes | str) -> bool:
    """Whether reading `data`, which is JSON, would take too long. A thread would not help: neither pydantic nor `json`
    lets go of the interpreter while it reads."""
    raw = data if isinstance(data, bytes) else data.encode(errors="surrogatepass")
    if _parts(raw) <= MAX_PARTS:
        return False
    # Most texts with so many commas are one long string, a table perhaps. Between two strings is a comma or a colon.
    between, strings = _STRING.subn(b"", raw, count=3 * MAX_PARTS)
    return strings == 3 * MAX_PARTS or _parts(between) > MAX_PARTS


def _parts(raw: bytes) -> int:
    return raw.count(b",") + raw.count(b"[") + raw.count(b"{")


class Reading:
    """A read stream that tells when it ends, and passes every message through `look`."""

    def __init__(
        self,
        inner: ReadStream[SessionMessage | Exception],
        on_end: Callable[[], None],
        look: Callable[[SessionMessage | Exception], SessionMessage | Exception],
    ) -> None:
        self._inner, self._on_end, self._look = inner, on_end, look

    @property
    def last_context(self) -> object:
        """The sender's context, which HTTP transports carry along."""
        return getattr(self._inner, "last_context", None)

    async def receive(self) -> SessionMessage | Exception:
        try:
            return self._look(await self._inner.receive())
        except (anyio.EndOfStream, anyio.ClosedResourceError):
            self._on_end()
            raise

    async def aclose(self) -> None:
        await self._inner.aclose()

    def __aiter__(self) -> ReadStream[SessionMessage | Exception]:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        await self.aclose()


class Writing:
    """A write stream that puts what one call declares where the protocol has it: the session declares the same for all
    calls of a connection, and who can be asked depends on whose call it is."""

    def __init__(self, inner: WriteStream[SessionMessage]) -> None:
        self._inner = inner

    async def send(self, item: SessionMessage, /) -> None:
        await self._inner.send(_declaring(item))

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        await self.aclose()


def _declaring(item: SessionMessage) -> SessionMessage:
    message = item.message
    if not isinstance(message, JSONRPCRequest) or not message.params:
        return item
    meta = message.params.get("_meta")
    if not isinstance(meta, dict) or CAPABILITIES_KEY not in meta:
        return item
    meta = dict(cast("dict[str, Any]", meta))
    declared: dict[str, Any] = meta.pop(CAPABILITIES_KEY)
    # A handshake server has heard what we can do, once and for all: nothing that needs to know whose call it is.
    if CLIENT_CAPABILITIES_META_KEY in meta:
        meta[CLIENT_CAPABILITIES_META_KEY] = {**meta[CLIENT_CAPABILITIES_META_KEY], **declared}
    params = {**message.params, "_meta": meta}
    return SessionMessage(message.model_copy(update={"params": params}), item.metadata)
