"""Host names to addresses: the port, the system's resolver, and one that answers from a table.

`connections.py` resolves once per connection and connects to an address of that same answer.
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
"""Look-ups in flight at once. Each holds a thread until the system's resolver returns."""
LOOKUP_TIMEOUT_S = 10.0
"""glibc waits 5 s for each server and attempt, which can be longer than any caller waits."""
MAX_ADDRESSES = 32


class CannotResolve(Exception):
    """The name has no address, or the look-up failed or timed out. The text says which."""


class Resolver(Protocol):
    """Must not block the event loop."""

    async def resolve(self, host: str) -> Sequence[Address]:
        """The addresses of a canonical name, at least one, best first; or `CannotResolve`."""
        ...


class SystemResolver:
    """The resolver that all programs on this machine use, with the hosts file and DNS as configured."""

    def __init__(self) -> None:
        self._slots = threading.BoundedSemaphore(MAX_LOOKUPS)

    async def resolve(self, host: str) -> Sequence[Address]:
        if not self._slots.acquire(blocking=False):
            raise CannotResolve(f"too many name look-ups in flight ({MAX_LOOKUPS}); try again later")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Sequence[Address]] = loop.create_future()

        def look_up() -> None:
            try:
                found, failure = _addresses(host), None
            except (OSError, UnicodeError) as exc:
                found, failure = (), exc
            finally:
                self._slots.release()
            with suppress(RuntimeError):  # the loop is closed, so the caller is gone
                loop.call_soon_threadsafe(_set_answer, answer, found, failure)

        # A daemon thread: a pool's thread that never returns would keep the process from exiting.
        threading.Thread(target=look_up, name=f"resolve {host[:40]}", daemon=True).start()
        try:
            with anyio.fail_after(LOOKUP_TIMEOUT_S):
                return await answer
        except TimeoutError:
            raise CannotResolve(f"looking up the name took more than {LOOKUP_TIMEOUT_S:g} s") from None


class TableResolver:
    """Answers from a table. A name with several answers gives them in turn and then repeats the last."""

    def __init__(self, table: Mapping[str, Sequence[Sequence[str]]]) -> None:
        self._answers = {name: [tuple(map(ipaddress.ip_address, each)) for each in table[name]] for name in table}
        self.lookups: list[str] = []

    async def resolve(self, host: str) -> Sequence[Address]:
        self.lookups.append(host)
        answers = self._answers.get(host, [])
        answer = answers.pop(0) if len(answers) > 1 else (answers or [()])[0]
        if not answer:
            raise CannotResolve("the name is not known")
        return answer


def _addresses(host: str) -> Sequence[Address]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(ipaddress.ip_address(str(entry[4][0])) for entry in found))[:MAX_ADDRESSES]


def _set_answer(
    answer: "asyncio.Future[Sequence[Address]]", found: Sequence[Address], failure: Exception | None
) -> None:
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
