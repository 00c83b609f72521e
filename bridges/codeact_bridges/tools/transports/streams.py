"""The two streams between a transport and an `mcp` session, wrapped: the read stream reports its end, the write stream
adds the client capabilities of one call."""

from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, Generic, Self, TypeVar, cast

import anyio
from mcp.shared.message import SessionMessage
from mcp.types import CLIENT_CAPABILITIES_META_KEY, JSONRPCRequest

from codeact_bridges.tools.transports.mcp_streams import ReadStream, WriteStream

CAPABILITIES_KEY: Final = "codeact-mcp/capabilities"
"""Key in the `_meta` of a request on its way to the transport: the client capabilities of this one call. Removed before
the request is sent."""

Inner = TypeVar("Inner", bound=ReadStream[SessionMessage | Exception] | WriteStream[SessionMessage])


class _WrappedStream(Generic[Inner]):
    """A stream that is closed with the one it wraps, by `aclose` or at the end of a block."""

    def __init__(self, inner: Inner) -> None:
        self._inner = inner

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        await self.aclose()


class WatchedReadStream(_WrappedStream[ReadStream[SessionMessage | Exception]]):
    """A read stream that calls `on_end` when it ends, and passes every message through `transform`."""

    def __init__(
        self,
        inner: ReadStream[SessionMessage | Exception],
        on_end: Callable[[], None],
        transform: Callable[[SessionMessage | Exception], SessionMessage | Exception],
    ) -> None:
        super().__init__(inner)
        self._on_end, self._transform = on_end, transform

    @property
    def last_context(self) -> object:
        """The sender's context, which HTTP transports carry along."""
        return getattr(self._inner, "last_context", None)

    async def receive(self) -> SessionMessage | Exception:
        try:
            return self._transform(await self._inner.receive())
        except (anyio.EndOfStream, anyio.ClosedResourceError):
            self._on_end()
            raise

    def __aiter__(self) -> ReadStream[SessionMessage | Exception]:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None


class DeclaringWriteStream(_WrappedStream[WriteStream[SessionMessage]]):
    """A write stream that declares the client capabilities of each call where the protocol expects them.

    The session declares the same capabilities for all calls of a connection, but which client requests can be answered
    depends on the run that makes the call.
    """

    async def send(self, item: SessionMessage, /) -> None:
        await self._inner.send(_with_capabilities(item))


def _with_capabilities(item: SessionMessage) -> SessionMessage:
    message = item.message
    if not isinstance(message, JSONRPCRequest) or not message.params:
        return item
    meta = message.params.get("_meta")
    if not isinstance(meta, dict) or CAPABILITIES_KEY not in meta:
        return item
    meta = dict(cast("dict[str, Any]", meta))
    declared: dict[str, Any] = meta.pop(CAPABILITIES_KEY)
    # A handshake server was told our capabilities once, in the handshake: none that depend on the run.
    if CLIENT_CAPABILITIES_META_KEY in meta:
        meta[CLIENT_CAPABILITIES_META_KEY] = {**meta[CLIENT_CAPABILITIES_META_KEY], **declared}
    params = {**message.params, "_meta": meta}
    return SessionMessage(message.model_copy(update={"params": params}), item.metadata)
