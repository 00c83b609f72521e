"""The HTTP+SSE transport of the first specification: an event stream from the server, one POST for each message to it.

Replaces `mcp.client.sse`, which accepts no event above 1 MiB, sends messages one at a time, so that a server that does
not respond blocks all further calls, and waits for the first event without a bound.
"""

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import urljoin, urlsplit

import anyio
import httpx2
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage
from mcp.types import jsonrpc_message_adapter

from codeact_bridges.tools.transports.json_limits import MAX_MESSAGE_BYTES, has_too_many_parts
from codeact_bridges.tools.transports.mcp_streams import TransportStreams

log = logging.getLogger(__name__)

MAX_UNSENT = 1_000
"""Messages that wait to be sent."""

MAX_POSTS = 64
"""Messages in flight to the server."""


@asynccontextmanager
async def sse_streams(url: str, client: httpx2.AsyncClient) -> AsyncGenerator[TransportStreams]:
    """Open the streams of one session with the server at `url` for the duration of the block.

    Raises:
        httpx2.HTTPError: the server cannot be reached, or refuses the connection.
        ValueError: its first events name no endpoint, or one on another origin.
    """
    headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
    async with client.stream("GET", url, headers=headers) as response:
        response.raise_for_status()
        to_session, from_server = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        to_server, from_session = anyio.create_memory_object_stream[SessionMessage](MAX_UNSENT)
        source = httpx2.EventSource(response, max_event_size=MAX_MESSAGE_BYTES)
        async with to_session, from_server, to_server, from_session, anyio.create_task_group() as tasks:
            address: str = await tasks.start(_read, source, url, to_session)
            tasks.start_soon(_write, client, address, from_session)
            yield from_server, to_server
            tasks.cancel_scope.cancel()


async def _read(
    source: httpx2.EventSource,
    url: str,
    to_session: MemoryObjectSendStream[SessionMessage | Exception],
    *,
    task_status: anyio.abc.TaskStatus[str],
) -> None:
    async with to_session:
        named = False
        try:
            async for event in source:
                if event.event == "endpoint" and not named:
                    named = True
                    task_status.started(_check_origin(urljoin(url, event.data), url))
                elif event.event == "message" and event.data:
                    await to_session.send(_parse(event.data))
        except (httpx2.HTTPError, httpx2.SSEError) as exc:
            if not named:
                raise
            log.debug("the event stream failed: %r", exc)
            await to_session.send(exc)
        if not named:
            raise ValueError("the server named no endpoint for messages")


def _parse(data: str) -> SessionMessage | Exception:
    if has_too_many_parts(data):
        return ValueError("a message with too many parts")
    try:
        return SessionMessage(jsonrpc_message_adapter.validate_json(data, by_name=False))
    except ValueError as exc:
        log.debug("an event is not an MCP message: %s", exc)
        return exc


async def _write(
    client: httpx2.AsyncClient, address: str, from_session: MemoryObjectReceiveStream[SessionMessage]
) -> None:
    slots = anyio.Semaphore(MAX_POSTS)

    async def post(item: SessionMessage) -> None:
        body = item.message.model_dump(by_alias=True, mode="json", exclude_unset=True)
        try:
            response = await client.post(address, json=body)
            if response.status_code >= 400:
                log.debug("the server refused a message: HTTP %s", response.status_code)
        except (httpx2.HTTPError, httpx2.StreamError) as exc:
            log.debug("a message could not be sent: %r", exc)
        finally:
            slots.release()

    async with anyio.create_task_group() as tasks:
        async for item in from_session:
            await slots.acquire()
            tasks.start_soon(post, item)


def _check_origin(address: str, url: str) -> str:
    """`address`, which receives our credentials. Raises ValueError if its origin is not that of `url`."""
    here, there = urlsplit(url), urlsplit(address)
    if (here.scheme, here.netloc) != (there.scheme, there.netloc):
        raise ValueError("the server named an endpoint on another origin")
    return address
