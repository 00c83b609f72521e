"""One request of a guest's, from the first hop to the last byte, in a task of its own.

The task holds the connection and the deadline; the guest takes the body from it in pieces, so that a download need not
fit into a message, and a guest that stops asking holds nothing for longer than the deadline.
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
from codeact_bridges.network.redirects import MAX_REDIRECTS, Hop, redirected
from codeact_bridges.network.rules import HostRule, HostRules, needed
from codeact_bridges.network.secret_masking import Mask, MaskedStream
from codeact_bridges.network.url import BadUrl
from codeact_bridges.text import one_line
from codeact_bridges.values import AccessRecord

MAX_RESPONSE_HEADERS = 200
MAX_RESPONSE_HEADER_BYTES = 64_000
MAX_REASON_CHARS = 300
_PIECES_WAITING = 2
"""Pieces that may wait for a guest that is slow to take them."""


@dataclass(frozen=True, slots=True)
class ExchangeContext:
    """What all exchanges of one run share."""

    rules: HostRules
    mask: Mask
    connections: Connections
    usage: Usage
    places: anyio.Semaphore
    response_bytes: int


@dataclass(frozen=True, slots=True)
class Head:
    """What is known of an answer before its body."""

    status: int
    reason: str
    url: str
    headers: tuple[tuple[str, str], ...]


class Exchange:
    """Run `carry_out` in a task; await `head`, then `read` until it gives a piece that is not full."""

    def __init__(self, power: ExchangeContext, first: Hop, *, timeout_s: float, piece_bytes: int) -> None:
        self._power, self._first, self._timeout_s, self._piece_bytes = power, first, timeout_s, piece_bytes
        self._head: Head | None = None
        self._headed = anyio.Event()
        self._scope = anyio.CancelScope()
        self._failure: BridgeError | None = None
        self._give, self._take = anyio.create_memory_object_stream[bytes](_PIECES_WAITING)

    async def carry_out(self) -> None:
        """Raises nothing but bugs: what fails is raised by `head` and `read`."""
        request = f"{self._first.method} {self._first.target.place[:300]}"
        try:
            with self._scope, anyio.move_on_after(self._timeout_s) as deadline:
                async with self._power.places:
                    await self._follow()
            if deadline.cancelled_caught:
                self._failure = HttpTimedOut(request, f"not over after {self._timeout_s:g} s")
        except BridgeError as exc:
            self._failure = self._masked(exc)
        finally:
            if self._head is None and self._failure is None:
                self._failure = HttpFailed(request, "given up")
            self._headed.set()
            self._give.close()

    async def head(self) -> Head:
        await self._headed.wait()
        if self._head is None:
            assert self._failure is not None
            raise self._failure
        return self._head

    async def read(self) -> bytes:
        """The next `piece_bytes` of the body; fewer, or none, mean that it is over."""
        try:
            piece = await self._take.receive()
        except anyio.EndOfStream:
            if self._failure is not None:
                raise self._failure from None
            piece = b""
        if len(piece) < self._piece_bytes:
            self._take.close()
        return piece

    def give_up(self) -> None:
        """Nobody will ask again."""
        self._scope.cancel()
        self._take.close()

    def _masked(self, exc: BridgeError) -> BridgeError:
        """The error without what a redirect's target may have made it repeat."""
        exc.args = (self._power.mask.text(str(exc)),)
        if isinstance(exc, HttpFailed):
            exc.reason = self._power.mask.text(exc.reason)
        return exc

    async def _follow(self) -> None:
        hop, came_from = self._first, ""
        for _ in range(MAX_REDIRECTS + 1):
            rule = self._power.rules.decide(hop.method, hop.target)
            if rule is None:
                refusal = self._power.rules.refusal(hop.method, hop.target, came_from)
                self._record(hop, "deny", refusal.rule, 0, anyio.current_time())
                raise refusal
            following = await self._one_hop(hop, rule)
            if following is None:
                return
            came_from = f" (to which {hop.method} {hop.target.place[:300]} redirected)"
            hop = following
        raise HttpFailed(_named(self._first), f"redirected more than {MAX_REDIRECTS} times")

    async def _one_hop(self, hop: Hop, rule: HostRule) -> Hop | None:
        """Make one request. Returns the next one where the answer is a redirect, else passes the answer on."""
        began = anyio.current_time()
        taken = _Taken(len(hop.body))
        try:
            with self._translated(hop):
                async with self._power.connections.answered(hop, rule) as response:
                    following = redirected(hop, response.status_code, _location(response))
                    if following is None:
                        await self._pass_on(hop, response, taken)
        except AddressRefused as exc:
            wanted = str(needed(hop.method, hop.target, private=True)) if is_host(exc.address) else "none"
            self._record(hop, "deny", wanted, 0, began)
            if not is_host(exc.address):
                never = f"{_named(hop)}: {exc.address} is no address of a host, and no rule can allow it"
                raise NotAllowed(never, "") from exc
            raise self._power.rules.refusal_of_address(hop.method, hop.target, str(exc.address)) from exc
        except BaseException:
            self._record(hop, "allow", str(rule), taken.bytes, began)
            raise
        self._record(hop, "allow", str(rule), taken.bytes, began)
        return following

    async def _pass_on(self, hop: Hop, response: httpx2.Response, taken: "_Taken") -> None:
        mask = self._power.mask
        headers = _checked_headers(hop, response, self._power.response_bytes)
        self._head = Head(
            response.status_code,
            response.reason_phrase,  # the standard's, not the server's
            mask.text(str(hop.target)),
            tuple((mask.text(name), mask.text(value)) for name, value in headers),
        )
        self._headed.set()
        masked, waiting = MaskedStream(mask), bytearray()
        async for data in response.aiter_bytes():
            taken.bytes += len(data)
            taken.body += len(data)
            if taken.body > self._power.response_bytes:
                raise HttpFailed(_named(hop), _too_large(self._power.response_bytes))
            waiting += masked.feed(data)
            while len(waiting) >= self._piece_bytes:
                await self._give.send(bytes(waiting[: self._piece_bytes]))
                del waiting[: self._piece_bytes]
        waiting += masked.end()
        while waiting:
            await self._give.send(bytes(waiting[: self._piece_bytes]))
            del waiting[: self._piece_bytes]

    def _record(self, hop: Hop, decision: Literal["allow", "deny"], rule: str, size: int, began: float) -> None:
        mask, now = self._power.mask, anyio.current_time()
        access = AccessRecord(mask.text(_named(hop)), decision, mask.text(rule[:1_000]), size, began, now - began)
        self._power.usage.accesses.append(access)

    @contextmanager
    def _translated(self, hop: Hop) -> Generator[None]:
        """What the libraries raise, as the guest's errors. Cancellation, our own errors and bugs pass through."""
        try:
            yield
        except httpcore2.TimeoutException as exc:
            raise HttpTimedOut(_named(hop), "the host did not accept the connection in time") from exc
        except BadUrl as exc:
            raise HttpFailed(_named(hop), f"redirected to a URL that cannot be followed: {exc}") from exc
        except (Unreachable, httpcore2.NetworkError, httpcore2.ProtocolError, httpx2.HTTPError, OSError) as exc:
            # Parsers quote what they could not read, so a server can put anything here.
            said = one_line(self._power.mask.text(str(exc)), MAX_REASON_CHARS, instead=" ")
            raise HttpFailed(_named(hop), said or type(exc).__name__) from exc


@dataclass(slots=True)
class _Taken:
    """Counts what one hop moved."""

    bytes: int
    """Both ways."""
    body: int = 0
    """Of the answer's body, decompressed."""


def _named(hop: Hop) -> str:
    return f"{hop.method} {hop.target.place[:300]}"


def _location(response: httpx2.Response) -> str | None:
    values = [value for name, value in response.headers.raw if name.lower() == b"location"]
    return values[0].decode("utf-8", "replace") if values else None


def _checked_headers(hop: Hop, response: httpx2.Response, limit_bytes: int) -> list[tuple[str, str]]:
    """The answer's headers as the guest gets them: without those that spoke of the body before it was decompressed."""
    raw = response.headers.raw
    if len(raw) > MAX_RESPONSE_HEADERS or size_of(raw) > MAX_RESPONSE_HEADER_BYTES:
        most = f"{MAX_RESPONSE_HEADERS} headers or {MAX_RESPONSE_HEADER_BYTES:,} bytes of them"
        raise HttpFailed(_named(hop), f"the answer has more than {most}")
    if response.status_code == 101:
        raise HttpFailed(_named(hop), "the host wants to speak another protocol than HTTP")
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in raw]
    names = {name.lower() for name, _ in headers}
    if hop.method == "HEAD":
        return headers
    if "content-encoding" in names:
        return [each for each in headers if each[0].lower() not in ("content-encoding", "content-length")]
    length = response.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length[:20]) > limit_bytes:
        raise HttpFailed(_named(hop), _too_large(limit_bytes))
    return headers


def _too_large(limit_bytes: int) -> str:
    return f"the answer is larger than {limit_bytes:,} bytes (setting codeact.limits.http_response_bytes)"
