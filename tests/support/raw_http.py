"""A handshake-era MCP server over HTTP, written by hand, so that it can misbehave: hang, forget its sessions, send too
much."""

import json
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import anyio
from anyio.abc import SocketAttribute, SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream

Body: TypeAlias = bytes | AsyncIterable[bytes]


@dataclass(slots=True)
class Reply:
    """An HTTP response."""

    status: str = "200 OK"
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: Body = b""


Behaviour: TypeAlias = Callable[[dict[str, Any]], Reply | None]
"""The reply to a message, or None for the usual one."""

HANG = Reply("hang")


@dataclass(slots=True)
class RawServer:
    """The server, the messages that it received and the sessions that it knows."""

    behave: Behaviour
    url: str = ""
    heard: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    sessions: int = 0
    known: set[str] = field(default_factory=set[str])

    def usual(self, message: dict[str, Any], session: str | None) -> Reply:
        params: dict[str, Any] = message.get("params") or {}
        match message.get("method"):
            case "initialize":
                self.sessions += 1
                self.known.add(name := f"session-{self.sessions}")
                info = {"name": "raw", "version": "0"}
                result: dict[str, Any] = {
                    "protocolVersion": "2025-11-25",
                    "capabilities": {"tools": {}},
                    "serverInfo": info,
                }
                return Reply(headers={"Mcp-Session-Id": name}, body=answer(message, result))
            case "server/discover":
                return error(message, -32601, "no such method")
            case _ if session not in self.known:
                return Reply("404 Not Found", body=b"")
            case "tools/list":
                tool = {"name": "echo", "inputSchema": {"type": "object"}}
                return Reply(
                    body=answer(message, {"tools": [tool, {**tool, "name": "hang"}, {**tool, "name": "flood"}]})
                )
            case "tools/call":
                return Reply(body=answer(message, {"content": [{"type": "text", "text": params["name"]}]}))
            case _:
                return Reply("202 Accepted")

    async def serve(self, stream: SocketStream) -> None:
        """Answer all requests of one connection."""
        buffered = BufferedByteReceiveStream(stream)
        async with stream:
            try:
                while True:
                    head = (await buffered.receive_until(b"\r\n\r\n", 20_000)).decode().split("\r\n")
                    headers = {
                        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])
                    }
                    body = await buffered.receive_exactly(int(headers.get("content-length", 0)))
                    if not head[0].startswith("POST"):
                        await send(stream, Reply("405 Method Not Allowed"))
                        continue
                    message = json.loads(body)
                    self.heard.append(message)
                    reply = self.behave(message) or self.usual(message, headers.get("mcp-session-id"))
                    if reply is HANG:
                        await anyio.sleep_forever()
                    await send(stream, reply)
            except (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError, OSError):
                return


@asynccontextmanager
async def raw_server(behave: Behaviour = lambda _: None) -> AsyncGenerator[RawServer]:
    """The server on a free port of loopback, for the length of the block."""
    server = RawServer(behave)
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as tasks:
        server.url = f"http://127.0.0.1:{listener.extra(SocketAttribute.local_port)}/mcp"
        tasks.start_soon(listener.serve, server.serve)
        yield server
        tasks.cancel_scope.cancel()


def answer(message: dict[str, Any], result: dict[str, Any]) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": message.get("id"), "result": result}).encode()


def error(message: dict[str, Any], code: int, text: str) -> Reply:
    found = {"jsonrpc": "2.0", "id": message.get("id"), "error": {"code": code, "message": text}}
    return Reply(body=json.dumps(found).encode())


async def send(stream: SocketStream, reply: Reply) -> None:
    headers = {"Content-Type": "application/json", **reply.headers}
    if isinstance(reply.body, bytes):
        headers["Content-Length"] = str(len(reply.body))
    else:
        headers["Transfer-Encoding"] = "chunked"
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    await stream.send(f"HTTP/1.1 {reply.status}\r\n{lines}\r\n".encode())
    if isinstance(reply.body, bytes):
        await stream.send(reply.body)
        return
    async for piece in reply.body:
        await stream.send(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
    await stream.send(b"0\r\n\r\n")
