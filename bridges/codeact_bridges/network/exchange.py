"""One HTTP exchange of a guest, from its request through all redirects to the last byte, in a task of its own.

The task holds the connection and the deadline. The guest takes the body from it in pieces, so that a download need not
fit into a message, and a guest that stops reading holds the connection no longer than the deadline.
"""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import anyio
import httpcore2
import httpx2

from codeact_bridges.bridge import Usage
from codeact_bridges.errors import BridgeError, HttpFailed, HttpTimedOut, NotAllowed
from codeact_bridges.network.addresses import is_host
from codeact_bridges.network.connections import AddressRefused, Connections, Unreachable
from codeact_bridges.network.headers import size_of
from codeact_bridges.network.redirects import MAX_REDIRECTS, HttpRequest, redirected
from codeact_bridges.network.rules import HostRule, HostRules, needed
from codeact_bridges.network.secret_masking import Mask, MaskedStream
from codeact_bridges.network.url import BadUrl
from codeact_bridges.text import one_line
from codeact_bridges.values import AccessRecord

MAX_RESPONSE_HEADERS = 200
MAX_RESPONSE_HEADER_BYTES = 64_000
MAX_REASON_CHARS = 300
_PIECES_WAITING = 2
"""Pieces that are buffered for a slow guest."""


@dataclass(frozen=True, slots=True)
class ExchangeContext:
    """The parts that all exchanges of one run share."""

    rules: HostRules
    mask: Mask
    connections: Connections
    usage: Usage
    slots: anyio.Semaphore
    response_bytes: int


@dataclass(frozen=True, slots=True)
class Head:
    """A response without its body."""

    status: int
    reason: str
    url: str
    headers: tuple[tuple[str, str], ...]


class Exchange:
    """Start `run` in a task; await `head`, then `read` until it returns a piece that is not full."""

    def __init__(self, context: ExchangeContext, first: HttpRequest, *, timeout_s: float, piece_bytes: int) -> None:
        self._context, self._first, self._timeout_s, self._piece_bytes = context, first, timeout_s, piece_bytes
        self._head: Head | None = None
        self._head_ready = anyio.Event()
        self._scope = anyio.CancelScope()
        self._failure: BridgeError | None = None
        self._body_in, self._body_out = anyio.create_memory_object_stream[bytes](_PIECES_WAITING)

    async def run(self) -> None:
        """Make the exchange. Failures are raised by `head` and `read`, not here."""
        try:
            with self._scope, anyio.move_on_after(self._timeout_s) as deadline:
                async with self._context.slots:
                    await self._send_and_follow()
            if deadline.cancelled_caught:
                self._failure = HttpTimedOut(self._first.name, f"not finished after {self._timeout_s:g} s")
        except BridgeError as exc:
            self._failure = self._masked(exc)
        finally:
            if self._head is None and self._failure is None:
                self._failure = HttpFailed(self._first.name, "cancelled")
            self._head_ready.set()
            self._body_in.close()

    async def head(self) -> Head:
        await self._head_ready.wait()
        if self._head is None:
            assert self._failure is not None
            raise self._failure
        return self._head

    async def read(self) -> bytes:
        """The next `piece_bytes` of the body; fewer, or none, at its end."""
        try:
            piece = await self._body_out.receive()
        except anyio.EndOfStream:
            if self._failure is not None:
                raise self._failure from None
            piece = b""
        if len(piece) < self._piece_bytes:
            self._body_out.close()
        return piece

    def cancel(self) -> None:
        """Stop the exchange. Nothing may be read from it any more."""
        self._scope.cancel()
        self._body_out.close()

    def _masked(self, exc: BridgeError) -> BridgeError:
        """The error without injected secrets, which a redirect's URL may have echoed into it."""
        exc.args = (self._context.mask.text(str(exc)),)
        if isinstance(exc, HttpFailed):
            exc.reason = self._context.mask.text(exc.reason)
        return exc

    async def _send_and_follow(self) -> None:
        """Send the request and those that redirects lead to. Each is checked against the rules."""
        request, redirected_from = self._first, ""
        for _ in range(MAX_REDIRECTS + 1):
            rule = self._context.rules.decide(request.method, request.target)
            if rule is None:
                refusal = self._context.rules.refusal(request.method, request.target, redirected_from)
                self._record(request, "deny", refusal.rule, 0, anyio.current_time())
                raise refusal
            following = await self._send(request, rule)
            if following is None:
                return
            redirected_from = f" (redirected from {request.name})"
            request = following
        raise HttpFailed(self._first.name, f"redirected more than {MAX_REDIRECTS} times")

    async def _send(self, request: HttpRequest, rule: HostRule) -> HttpRequest | None:
        """Send one request. Returns the next one for a redirect, else forwards the response to the guest."""
        started = anyio.current_time()
        moved = _Moved(len(request.body))
        try:
            with self._translated(request):
                async with self._context.connections.sent(request, rule) as response:
                    following = redirected(request, response.status_code, _location(response))
                    if following is None:
                        await self._forward(request, response, moved)
        except AddressRefused as exc:
            wanted = str(needed(request.method, request.target, private=True)) if is_host(exc.address) else "none"
            self._record(request, "deny", wanted, 0, started)
            if not is_host(exc.address):
                reason = f"{request.name}: {exc.address} is not an address that a host can have; no rule can allow it"
                raise NotAllowed(reason, "") from exc
            raise self._context.rules.refusal_of_address(request.method, request.target, str(exc.address)) from exc
        except BaseException:
            self._record(request, "allow", str(rule), moved.bytes, started)
            raise
        self._record(request, "allow", str(rule), moved.bytes, started)
        return following

    async def _forward(self, request: HttpRequest, response: httpx2.Response, moved: "_Moved") -> None:
        mask = self._context.mask
        headers = _checked_headers(request, response, self._context.response_bytes)
        self._head = Head(
            response.status_code,
            response.reason_phrase,  # the standard reason phrase of the status, not the server's text
            mask.text(str(request.target)),
            tuple((mask.text(name), mask.text(value)) for name, value in headers),
        )
        self._head_ready.set()
        masked, buffer = MaskedStream(mask), bytearray()
        async for data in response.aiter_bytes():
            moved.bytes += len(data)
            moved.body += len(data)
            if moved.body > self._context.response_bytes:
                raise HttpFailed(request.name, _too_large(self._context.response_bytes))
            buffer += masked.feed(data)
            while len(buffer) >= self._piece_bytes:
                await self._body_in.send(bytes(buffer[: self._piece_bytes]))
                del buffer[: self._piece_bytes]
        buffer += masked.end()
        while buffer:
            await self._body_in.send(bytes(buffer[: self._piece_bytes]))
            del buffer[: self._piece_bytes]

    def _record(
        self, request: HttpRequest, decision: Literal["allow", "deny"], rule: str, size: int, started: float
    ) -> None:
        mask, now = self._context.mask, anyio.current_time()
        access = AccessRecord(mask.text(request.name), decision, mask.text(rule[:1_000]), size, started, now - started)
        self._context.usage.accesses.append(access)

    @contextmanager
    def _translated(self, request: HttpRequest) -> Generator[None]:
        """Translate the libraries' errors into the guest's. Cancellation, our own errors and bugs pass through."""
        try:
            yield
        except httpcore2.TimeoutException as exc:
            raise HttpTimedOut(request.name, "the host did not accept the connection in time") from exc
        except BadUrl as exc:
            raise HttpFailed(request.name, f"redirected to a URL that cannot be followed: {exc}") from exc
        except (Unreachable, httpcore2.NetworkError, httpcore2.ProtocolError, httpx2.HTTPError, OSError) as exc:
            # Parsers quote what they could not parse, so this text may come from the server.
            said = one_line(self._context.mask.text(str(exc)), MAX_REASON_CHARS, instead=" ")
            raise HttpFailed(request.name, said or type(exc).__name__) from exc


@dataclass(slots=True)
class _Moved:
    """Bytes that one request and its response have moved."""

    bytes: int
    """Both directions."""
    body: int = 0
    """Those of the response body, decompressed."""


def _location(response: httpx2.Response) -> str | None:
    values = [value for name, value in response.headers.raw if name.lower() == b"location"]
    return values[0].decode("utf-8", "replace") if values else None


def _checked_headers(request: HttpRequest, response: httpx2.Response, limit_bytes: int) -> list[tuple[str, str]]:
    """The response headers for the guest, without those that describe the compressed body."""
    raw = response.headers.raw
    if len(raw) > MAX_RESPONSE_HEADERS or size_of(raw) > MAX_RESPONSE_HEADER_BYTES:
        most = f"{MAX_RESPONSE_HEADERS} headers or {MAX_RESPONSE_HEADER_BYTES:,} bytes of headers"
        raise HttpFailed(request.name, f"the response has more than {most}")
    if response.status_code == 101:
        raise HttpFailed(request.name, "the host switched to another protocol than HTTP")
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in raw]
    names = {name.lower() for name, _ in headers}
    if request.method == "HEAD":
        return headers
    if "content-encoding" in names:
        return [each for each in headers if each[0].lower() not in ("content-encoding", "content-length")]
    length = response.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length[:20]) > limit_bytes:
        raise HttpFailed(request.name, _too_large(limit_bytes))
    return headers


def _too_large(limit_bytes: int) -> str:
    return f"the response is larger than {limit_bytes:,} bytes (setting codeact.limits.http_response_bytes)"
