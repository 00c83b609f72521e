"""Connections that go only to addresses that were checked.

httpx2 and httpcore2 do the HTTP. TLS and the `Host` header use the name; only the address to connect to is decided
here, from one answer of the resolver, all of whose addresses were checked.
"""

import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, cast

import anyio
import anyio.lowlevel
import anyio.to_thread
import httpcore2
import httpx2

from codeact_bridges.network import addresses
from codeact_bridges.network.addresses import Address
from codeact_bridges.network.headers import complete
from codeact_bridges.network.redirects import HttpRequest
from codeact_bridges.network.resolver import CannotResolve, Resolver
from codeact_bridges.network.rules import HostRule
from codeact_bridges.network.url import Scheme

MAX_CONNECTIONS = 16
"""Requests of one run in flight at once; further ones wait their turn."""
KEEPALIVE_S = 30.0
ATTEMPT_TIMEOUT_S = 3.0
"""How long one of several addresses may take to accept before the next is tried. The last has the remaining time."""
MAX_ATTEMPTS = 4
_PIECES_AT_A_TIME = 64

MakeTls = Callable[[], ssl.SSLContext]


class AddressRefused(Exception):
    """The host has an address that its rule does not permit."""

    def __init__(self, host: str, address: Address) -> None:
        super().__init__(f"{host} resolves to the non-public address {address}")
        self.host, self.address = host, address


class Unreachable(Exception):
    """There is no connection to the host. The text says why."""


class Tls:
    """The trusted certificates, read when they are first needed (30 ms) and shared by all runs."""

    def __init__(self, make: MakeTls = httpx2.create_ssl_context) -> None:
        self._make = make
        self._context: ssl.SSLContext | None = None
        self._lock = anyio.Lock()

    async def context(self) -> ssl.SSLContext:
        async with self._lock:
            if self._context is None:
                self._context = await anyio.to_thread.run_sync(self._make)
        return self._context


class Connections:
    """One run's connections, kept alive between its requests and closed with it.

    Not shared between runs, so that one program's use of a connection cannot affect another's. Nor between rules that
    permit private addresses and rules that do not.
    """

    def __init__(self, resolver: Resolver, tls: Tls) -> None:
        self._resolver, self._tls = resolver, tls
        self._pools: dict[tuple[Scheme, bool], httpcore2.AsyncConnectionPool] = {}
        self._open = AsyncExitStack()

    @asynccontextmanager
    async def sent(self, request: HttpRequest, rule: HostRule) -> AsyncGenerator[httpx2.Response]:
        """Send the request. The body of the response is still to be read."""
        target = request.target
        pool = await self._pool(target.scheme, private=rule.private)
        injected = rule.headers if request.first_origin else ()
        fields = [("Host", target.authority), *complete(request.headers, injected)]
        if request.body or request.method in ("POST", "PUT", "PATCH"):
            fields.append(("Content-Length", str(len(request.body))))
        response = await pool.handle_async_request(
            httpcore2.Request(
                method=request.method.encode(),
                url=httpcore2.URL(
                    scheme=target.scheme.encode(),
                    host=target.host.encode(),
                    port=target.port,
                    target=target.request_target.encode(),
                ),
                headers=[(name.encode(), value.encode("latin-1")) for name, value in fields],
                content=request.body,
            )
        )
        try:
            yield httpx2.Response(response.status, headers=response.headers, stream=_Body(response))
        finally:
            with anyio.CancelScope(shield=True):  # bounded: it closes a socket, or returns it to the pool
                await response.aclose()

    async def aclose(self) -> None:
        with anyio.CancelScope(shield=True):  # bounded: no TLS closing handshake is waited for
            await self._open.aclose()

    async def _pool(self, scheme: Scheme, *, private: bool) -> httpcore2.AsyncConnectionPool:
        context = await self._tls.context() if scheme == "https" else None
        pool = self._pools.get((scheme, private))
        if pool is None:
            pool = httpcore2.AsyncConnectionPool(
                ssl_context=context,
                max_connections=MAX_CONNECTIONS,
                max_keepalive_connections=MAX_CONNECTIONS,
                keepalive_expiry=KEEPALIVE_S,
                network_backend=_CheckedBackend(self._resolver, private=private),
            )
            self._pools[scheme, private] = pool
            self._open.push_async_callback(pool.aclose)
        return pool


class _CheckedBackend(httpcore2.AsyncNetworkBackend):
    """Resolves, checks and connects, in one step, so that the checked address is the one connected to."""

    def __init__(self, resolver: Resolver, *, private: bool) -> None:
        self._resolver, self._private = resolver, private
        self._sockets = cast("httpcore2.AsyncNetworkBackend", httpcore2.AnyIOBackend())

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        candidates = (await self._permitted(host))[:MAX_ATTEMPTS]
        for address in candidates[:-1]:
            try:
                return _Socket(await self._sockets.connect_tcp(str(address), port, timeout=ATTEMPT_TIMEOUT_S))
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                continue
        try:
            return _Socket(await self._sockets.connect_tcp(str(candidates[-1]), port))
        except httpcore2.ConnectError as exc:
            raise Unreachable(f"cannot connect to {candidates[-1]}: {_innermost(exc)}") from exc

    async def connect_unix_socket(self, *_: Any, **__: Any) -> httpcore2.AsyncNetworkStream:
        raise Unreachable("Unix sockets are not supported")

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)

    async def _permitted(self, host: str) -> Sequence[Address]:
        """All addresses of the host. One that is not permitted refuses them all: no legitimate name mixes them."""
        own = addresses.literal(host)
        try:
            found = (own,) if own is not None else await self._resolver.resolve(host)
        except CannotResolve as exc:
            raise Unreachable(str(exc)) from exc
        for address in found:
            if not addresses.is_host(address) or not (self._private or addresses.is_public(address)):
                raise AddressRefused(host, address)
        return found


class _Socket(httpcore2.AsyncNetworkStream):
    """A connection that is closed when its TLS handshake is cancelled. httpcore2's own leaks it then."""

    def __init__(self, inner: httpcore2.AsyncNetworkStream) -> None:
        self._inner = inner

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return await self._inner.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.AsyncNetworkStream:
        try:
            return await self._inner.start_tls(ssl_context, server_hostname, timeout)
        except BaseException:
            with anyio.CancelScope(shield=True):  # bounded: it closes a socket
                await self._inner.aclose()
            raise

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Body(httpx2.AsyncByteStream):
    def __init__(self, response: httpcore2.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        count = 0
        async for piece in self._response.aiter_stream():
            yield piece
            count += 1
            if count % _PIECES_AT_A_TIME == 0:  # one read can yield ten thousand one-byte chunks
                await anyio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        await self._response.aclose()


def _innermost(exc: BaseException) -> str:
    """The system's message. httpcore2 and anyio wrap the error once each."""
    while (inner := exc.__cause__ or exc.__context__) is not None:
        exc = inner
    return str(exc) or type(exc).__name__
