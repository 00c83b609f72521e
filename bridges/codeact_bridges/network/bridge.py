"""The network bridge: what one run is lent of the hosts that the operator allows.

network.request   send a request; the answer's head, and as much of its body as fits into a piece
network.read      the next piece
network.close     no further piece is wanted
"""

import json
from base64 import b64encode
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
import anyio.abc

from codeact_bridges.bridge import OpenBridge, Usage
from codeact_bridges.errors import BadGuestCall, BadRequest, BudgetSpent
from codeact_bridges.guest import requests as calls
from codeact_bridges.limits import Limits
from codeact_bridges.network.connections import MAX_CONNECTIONS, Connections, Tls
from codeact_bridges.network.exchange import Exchange, ExchangeContext
from codeact_bridges.network.redirects import Hop
from codeact_bridges.network.request import first_hop
from codeact_bridges.network.resolver import Resolver, SystemResolver
from codeact_bridges.network.rules import HostRules
from codeact_bridges.network.secret_masking import Mask
from codeact_bridges.system.task_groups import plain_task_group
from codeact_bridges.values import AccessRecord

MAX_PIECE_BYTES = 512_000
"""Of a body, in one message. Larger ones gain nothing."""


class NetworkBridge:
    """See `lending.Bridge`. One for the process; a run's connections are its own."""

    def __init__(
        self, rules: HostRules, limits: Limits, *, resolver: Resolver | None = None, tls: Tls | None = None
    ) -> None:
        self._rules, self._limits = rules, limits
        self._mask = Mask.of_headers(header for rule in rules.rules for header in rule.headers)
        self._resolver = resolver or SystemResolver()
        self._tls = tls or Tls()

    @asynccontextmanager
    async def open(self, usage: Usage) -> AsyncGenerator[OpenBridge]:
        connections = Connections(self._resolver, self._tls)
        power = ExchangeContext(
            rules=self._rules,
            mask=self._mask,
            connections=connections,
            usage=usage,
            places=anyio.Semaphore(MAX_CONNECTIONS),
            response_bytes=self._limits.http_response_bytes,
        )
        try:
            async with plain_task_group() as tasks:
                desk = _RunHandlers(power, self._limits, tasks)
                try:
                    yield desk.lent()
                finally:
                    await desk.flush()
                    tasks.cancel_scope.cancel()
        finally:
            await connections.aclose()


class _RunHandlers:
    """Answers one run's guest."""

    def __init__(self, power: ExchangeContext, limits: Limits, tasks: anyio.abc.TaskGroup) -> None:
        self._power, self._tasks = power, tasks
        self._timeout_s, self._limit = limits.http_timeout_s, limits.http_requests
        # JSON can make six bytes of one.
        self._piece_bytes = min(MAX_PIECE_BYTES, limits.message_bytes // 8)
        # A sixth: it is there three times while it becomes text, and Python itself takes a third of the smallest guest.
        self._most_in_memory = limits.memory_mib * 1_048_576 // 6
        self._used = 0
        self._under_way: dict[int, Exchange] = {}
        self._last_id = 0

    def lent(self) -> OpenBridge:
        return OpenBridge(
            handlers={"network.request": self._request, "network.read": self._read, "network.close": self._close},
            concurrent=frozenset({"network.request", "network.read"}),
            init={"network": {"most_in_memory": self._most_in_memory}},
            flush=self.flush,
        )

    async def flush(self) -> None:
        """A program is over: nobody will fetch what is left, and the next one has requests of its own."""
        while self._under_way:
            self._under_way.popitem()[1].give_up()
        self._used = 0

    async def _request(self, text: str) -> str:
        call = calls.parse(calls.Request, "http_request", text)
        if self._used >= self._limit:
            raise BudgetSpent("HTTP requests", self._limit, "codeact.limits.http_requests")
        self._used += 1
        timeout_s = min(call.timeout_s or self._timeout_s, self._timeout_s)
        exchange = Exchange(self._power, self._first_hop(call), timeout_s=timeout_s, piece_bytes=self._piece_bytes)
        self._tasks.start_soon(exchange.carry_out)
        try:
            head = await exchange.head()
            piece = await exchange.read()
        except BaseException:
            exchange.give_up()
            raise
        answer = {"status": head.status, "reason": head.reason, "url": head.url, "headers": head.headers}
        return json.dumps({**answer, **self._wire(exchange, piece)}, ensure_ascii=False)

    def _first_hop(self, call: calls.Request) -> Hop:
        try:
            return first_hop(call)
        except BadRequest as exc:
            # Not the URL: what is wrong with it may be that it holds a password.
            what = f"{call.method[:20]!a} {exc.reason}"
            self._power.usage.accesses.append(AccessRecord(what, "deny", "none", 0, anyio.current_time(), 0.0))
            raise

    async def _read(self, text: str) -> str:
        number = calls.parse(calls.MoreOfResponse, "network.read", text).id
        exchange = self._under_way.pop(number, None)
        if exchange is None:
            raise BadGuestCall("network.read: no such response, or somebody is reading it already")
        try:
            piece = await exchange.read()
        except BaseException:
            exchange.give_up()
            raise
        return json.dumps(self._wire(exchange, piece), ensure_ascii=False)

    async def _close(self, text: str) -> str:
        exchange = self._under_way.pop(calls.parse(calls.MoreOfResponse, "network.close", text).id, None)
        if exchange is not None:
            exchange.give_up()
        return "null"

    def _wire(self, exchange: Exchange, piece: bytes) -> dict[str, object]:
        """A piece of a body: as text where it is UTF-8, and the number to ask for the next one under."""
        more: int | None = None
        if len(piece) >= self._piece_bytes:
            self._last_id += 1
            more = self._last_id
            self._under_way[more] = exchange
        try:
            return {"text": piece.decode(), "more": more}
        except UnicodeDecodeError:
            return {"base64": b64encode(piece).decode(), "more": more}
