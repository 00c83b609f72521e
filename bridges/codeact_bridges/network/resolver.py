"""Names to addresses: the port, the system's own resolver, and one that answers from a table.

`connections.py` asks once for each connection and goes to an address out of that very answer.
"""

import asyncio
import ipaddress
import socket
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Protocol

import anyio

from codeact_bridges.network.addresses import Address

MAX_LOOKUPS = 16
"""Look-ups under way at once. Each takes a thread, for as long as the system's resolver cares to wait."""
LOOKUP_TIMEOUT_S = 10.0
"""glibc gives up after 5 s for each server and attempt; nobody waits for the whole of that."""
MAX_ADDRESSES = 32


class CannotResolve(Exception):
    """The name has no address, or nobody could be asked in time. The text says which."""


class Resolver(Protocol):
    """Must not block the event loop."""

    async def resolve(self, host: str) -> Sequence[Address]:
        """The addresses of a canonical name, at least one, best first; or `CannotResolve`."""
        ...


class SystemResolver:
    """What every program on this machine uses: files, DNS, whatever the system is set up for."""

    def __init__(self) -> None:
        self._places = threading.BoundedSemaphore(MAX_LOOKUPS)

    async def resolve(self, host: str) -> Sequence[Address]:
        if not self._places.acquire(blocking=False):
            raise CannotResolve(f"{MAX_LOOKUPS} names are being looked up already, and none is answered")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Sequence[Address]] = loop.create_future()

        def look_up() -> None:
            try:
                found, failure = _addresses(host), None
            except (OSError, UnicodeError) as exc:
                found, failure = (), exc
            finally:
                self._places.release()
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(_settle, answer, found, failure)

        # A thread of our own, because one of a pool that never comes back would keep the process from ending.
        threading.Thread(target=look_up, name=f"resolve {host[:40]}", daemon=True).start()
        try:
            with anyio.fail_after(LOOKUP_TIMEOUT_S):
                return await answer
        except TimeoutError:
            raise CannotResolve(f"looking up the name took more than {LOOKUP_TIMEOUT_S:g} s") from None


class TableResolver:
    """Answers from a table; a name with several answers gives them in turn, and the last one for ever."""

    def __init__(self, table: Mapping[str, Sequence[Sequence[str]]]) -> None:
        self._answers = {name: [tuple(map(ipaddress.ip_address, each)) for each in table[name]] for name in table}
        self.asked: list[str] = []

    async def resolve(self, host: str) -> Sequence[Address]:
        self.asked.append(host)
        answers = self._answers.get(host, [])
        answer = answers.pop(0) if len(answers) > 1 else (answers or [()])[0]
        if not answer:
            raise CannotResolve("the name is not known")
        return answer


def _addresses(host: str) -> Sequence[Address]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(ipaddress.ip_address(str(entry[4][0])) for entry in found))[:MAX_ADDRESSES]


def _settle(answer: "asyncio.Future[Sequence[Address]]", found: Sequence[Address], failure: Exception | None) -> None:
    if answer.done():
        return
    if found:
        answer.set_result(found)
    else:
        answer.set_exception(CannotResolve("the name is not known" if failure is None else _why(failure)))


def _why(failure: Exception) -> str:
    if isinstance(failure, socket.gaierror) and failure.errno == socket.EAI_NONAME:
        return "the name is not known"
    return f"the name could not be looked up: {getattr(failure, 'strerror', None) or failure}"
