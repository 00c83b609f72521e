"""The two streams between a transport and a session, watched: who reads notices the end, who writes says what one call
may be asked. And how much one message may hold, for whoever makes messages of bytes."""

from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, Self, cast

import anyio
from mcp.client._transport import ReadStream, WriteStream
from mcp.shared.message import SessionMessage
from mcp.types import CLIENT_CAPABILITIES_META_KEY, JSONRPCRequest

CAPABILITIES_KEY: Final = "codeact-mcp/capabilities"
"""In the `_meta` of a request on its way to the transport, which says with it what this one call can be asked."""


class WatchedReadStream:
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


class DeclaringWriteStream:
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
