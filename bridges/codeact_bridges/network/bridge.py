"""The network bridge: requests of one run to the hosts that the operator allows.

network.request   send a request; returns the response head and the first piece of the body
network.read      the next piece of the body
network.close     stop reading the body
"""

import json
from base64 import b64encode
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
import anyio.abc

from codeact_bridges.bridge import OpenBridge, Usage
from codeact_bridges.errors import BadGuestCall, BadRequest, BudgetSpent
from codeact_bridges.guest import requests
from codeact_bridges.limits import Limits
from codeact_bridges.network.connections import MAX_CONNECTIONS, Connections, Tls
from codeact_bridges.network.exchange import Exchange, ExchangeContext
from codeact_bridges.network.redirects import HttpRequest
from codeact_bridges.network.request import http_request, refusal
from codeact_bridges.network.resolver import Resolver, SystemResolver
from codeact_bridges.network.rules import HostRules
from codeact_bridges.network.secret_masking import Mask
from codeact_bridges.system.task_groups import plain_task_group
from codeact_bridges.values import AccessRecord

MAX_PIECE_BYTES = 512_000
"""Bytes of a body in one message. Larger pieces are no faster."""


class NetworkBridge:
    """See `bridge.Bridge`. One per process; each run has its own connections."""

    def __init__(
        self, rules: HostRules, limits: Limits, *, resolver: Resolver | None = None, tls: Tls | None = None
    ) -> None:
        self._rules, self._limits = rules, limits
        self._mask = Mask.of_headers(header for rule in rules.rules for header in rule.headers)
        self._resolver = resolver or SystemResolver()
        self._tls = tls or Tls()

    @asynccontextmanager
    async def open(self, usage: Usage) -> AsyncGenerator[OpenBridge]:
        if not self._rules.rules:  # every request is refused, for which nothing needs to be set up
            yield OpenBridge({"network.request": self._refuse})
            return
        connections = Connections(self._resolver, self._tls)
        context = ExchangeContext(
            rules=self._rules,
            mask=self._mask,
            connections=connections,
            usage=usage,
            slots=anyio.Semaphore(MAX_CONNECTIONS),
            response_bytes=self._limits.http_response_bytes,
        )
        try:
            async with plain_task_group() as tasks:
                handlers = _RunHandlers(context, self._limits, tasks)
                try:
                    yield handlers.open_bridge()
                finally:
                    await handlers.flush()
                    tasks.cancel_scope.cancel()
        finally:
            await connections.aclose()

    async def _refuse(self, text: str) -> str:
        raise refusal(self._rules, text)


class _RunHandlers:
    """The operations of one run."""

    def __init__(self, context: ExchangeContext, limits: Limits, tasks: anyio.abc.TaskGroup) -> None:
        self._context, self._tasks = context, tasks
        self._timeout_s, self._limit = limits.http_timeout_s, limits.http_requests
        # JSON can encode one byte as six.
        self._piece_bytes = min(MAX_PIECE_BYTES, limits.message_bytes // 8)
        # A sixth: the body exists three times while it is decoded, and Python takes a third of the smallest guest.
        self._most_in_memory = limits.memory_mib * 1_048_576 // 6
        self._used = 0
        self._in_flight: dict[int, Exchange] = {}
        self._last_id = 0

    def open_bridge(self) -> OpenBridge:
        return OpenBridge(
            handlers={"network.request": self._request, "network.read": self._read, "network.close": self._close},
            concurrent=frozenset({"network.request", "network.read"}),
            init={"network": {"most_in_memory": self._most_in_memory}},
            flush=self.flush,
        )

    async def flush(self) -> None:
        """At the end of a program: cancel its exchanges, and give the session's next program a new budget."""
        while self._in_flight:
            self._in_flight.popitem()[1].cancel()
        self._used = 0

    async def _request(self, text: str) -> str:
        call = requests.parse(requests.Request, "http_request", text)
        if self._used >= self._limit:
            raise BudgetSpent("HTTP requests", self._limit, "codeact.limits.http_requests")
        self._used += 1
        timeout_s = min(call.timeout_s or self._timeout_s, self._timeout_s)
        exchange = Exchange(self._context, self._checked(call), timeout_s=timeout_s, piece_bytes=self._piece_bytes)
        self._tasks.start_soon(exchange.run)
        try:
            head = await exchange.head()
            piece = await exchange.read()
        except BaseException:
            exchange.cancel()
            raise
        response = {"status": head.status, "reason": head.reason, "url": head.url, "headers": head.headers}
        return json.dumps({**response, **self._piece(exchange, piece)}, ensure_ascii=False)

    def _checked(self, call: requests.Request) -> HttpRequest:
        try:
            return http_request(call)
        except BadRequest as exc:
            # Without the URL: it may be refused because it contains a password.
            refused = f"{call.method[:20]!a} {exc.reason}"
            self._context.usage.accesses.append(AccessRecord(refused, "deny", "none", 0, anyio.current_time(), 0.0))
            raise

    async def _read(self, text: str) -> str:
        number = requests.parse(requests.MoreOfResponse, "network.read", text).id
        exchange = self._in_flight.pop(number, None)
        if exchange is None:
            raise BadGuestCall("network.read: no such response, or it is being read already")
        try:
            piece = await exchange.read()
        except BaseException:
            exchange.cancel()
            raise
        return json.dumps(self._piece(exchange, piece), ensure_ascii=False)

    async def _close(self, text: str) -> str:
        exchange = self._in_flight.pop(requests.parse(requests.MoreOfResponse, "network.close", text).id, None)
        if exchange is not None:
            exchange.cancel()
        return "null"

    def _piece(self, exchange: Exchange, piece: bytes) -> dict[str, object]:
        """A piece of a body, as text if it is UTF-8, with the id for reading the next one."""
        more: int | None = None
        if len(piece) >= self._piece_bytes:
            self._last_id += 1
            more = self._last_id
            self._in_flight[more] = exchange
        try:
            return {"text": piece.decode(), "more": more}
        except UnicodeDecodeError:
            return {"base64": b64encode(piece).decode(), "more": more}
