"""The app in this process, with real workers and a real downstream server, and clients that speak to it in memory.

Not a test.
"""

import json
import os
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

import anyio
import httpx2
import pytest
from mcp import Client
from mcp.types import CallToolResult, ElicitRequestParams, ElicitResult, Implementation
from served import SERVERS, text_of

from codeact_bridges.approval.policy import Policy
from codeact_bridges.limits import Limits
from codeact_bridges.tools.spec import StdioServer
from codeact_server.app import App, open_app
from codeact_server.config.model import Config
from codeact_server.protocol.elicitation import FASTEST_PERSON_S
from codeact_server.protocol.server import CodeActServer, open_server
from codeact_server.transports.http import bind, security, serve_http

Era: TypeAlias = Literal["auto", "legacy"]
ERAS: tuple[Era, ...] = ("auto", "legacy")
GUARD_S = 30
SHOP = StdioServer(name="shop", command=sys.executable, args=(str(SERVERS / "shop.py"),))


@dataclass
class Opened:
    """An app, and the server in front of it."""

    app: App
    server: CodeActServer

    def answer_after(self, seconds: float) -> None:
        """From now on, answer with a handle after that time."""
        self.app.config = replace(self.app.config, answer_after_s=seconds)

    def client(self, era: Era, person: "Person | None" = None, *, name: str = "mcp") -> Client:
        """A client that declares `name`."""
        who = Implementation(name=name, version="1")
        return Client(self.server, mode=era, client_info=who, elicitation_callback=person and person.__call__)


@asynccontextmanager
async def opened(environment: Mapping[str, str], **settings: Any) -> AsyncGenerator[Opened]:
    """The app with these settings in front of the shop, for the length of the block."""
    said: list[str] = []
    limits = settings.pop("limits", {})
    config = Config(
        servers=settings.pop("servers", (SHOP,)),
        engine="wasmtime",
        limits=Limits(**limits),
        policy=settings.pop("policy", Policy()),
        **settings,
    )
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            if name != "PATH":
                patch.setenv(name, value)
        patch.setenv("XDG_STATE_HOME", environment["HOME"])
        async with open_app(config, said.append) as app, open_server(app) as server:
            yield Opened(app, server)


@asynccontextmanager
async def over_http(opening: Opened) -> AsyncGenerator[str]:
    """The address of streamable HTTP (`/mcp`) and SSE (`/sse`) in front of the app, for the length of the block."""
    with bind("127.0.0.1", 0) as sock:
        port = sock.getsockname()[1]
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(serve_http, opening.server, opening.app, sock, security("127.0.0.1", (), port), "http")
            yield f"http://127.0.0.1:{port}"
            tasks.cancel_scope.cancel()


@dataclass
class RawClient:
    """A client of streamable HTTP whose every request is the test's own."""

    http: httpx2.AsyncClient
    url: str
    headers: dict[str, str] = field(
        default_factory=lambda: {
            "Accept": "application/json, text/event-stream",
            "Content-Type": "application/json",
        }
    )

    async def open(self, version: str = "2025-06-18", **capabilities: Any) -> None:
        """The handshake."""
        info = {"name": "raw", "version": "0"}
        params = {"protocolVersion": version, "capabilities": capabilities, "clientInfo": info}
        response = await self.post({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params})
        self.headers["Mcp-Session-Id"] = response.headers["mcp-session-id"]
        await self.post({"jsonrpc": "2.0", "method": "notifications/initialized"})

    async def post(self, message: Any) -> httpx2.Response:
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        return await self.http.post(self.url, content=body, headers=self.headers)

    async def delete(self) -> int:
        return (await self.http.delete(self.url, headers=self.headers)).status_code

    async def execute(self, code: str, request_id: int = 1, **arguments: Any) -> tuple[bool, str]:
        """Run a program: whether it failed, and the text that came back."""
        params = {"name": "execute_code", "arguments": {"code": code, **arguments}}
        message = {"jsonrpc": "2.0", "id": request_id, "method": "tools/call", "params": params}
        *_, answer = answers_in(await self.post(message))
        assert answer["id"] == request_id, answer
        result = CallToolResult.model_validate(answer["result"])
        return result.is_error is True, text_of(result)


def answers_in(response: httpx2.Response) -> list[dict[str, Any]]:
    """The messages of a response: of a JSON body, or of an event stream."""
    if response.headers["content-type"].startswith("application/json"):
        found: list[dict[str, Any]] | dict[str, Any] = response.json()
        return found if isinstance(found, list) else [found]
    lines = response.text.splitlines()
    return [json.loads(line.removeprefix("data:")) for line in lines if line.startswith("data:")]


@dataclass
class Person:
    """Answers what a client's user is asked: in order, the last answer for ever. Waits where it is told to.

    An answer is a result as it stands; "no", for which a person takes the time that a person takes; or how long the
    call is allowed.
    """

    answers: list[ElicitResult | str]
    shown: list[str] = field(default_factory=list[str])
    schemas: list[Any] = field(default_factory=list[Any])
    asked: anyio.Event = field(default_factory=anyio.Event)
    may_answer: anyio.Event | None = None
    gave_up: anyio.Event = field(default_factory=anyio.Event)

    async def __call__(self, context: Any, params: ElicitRequestParams) -> ElicitResult:
        self.shown.append(params.message)
        self.schemas.append(getattr(params, "requested_schema", None))
        self.asked.set()
        if self.may_answer is not None:
            try:
                await self.may_answer.wait()
            except BaseException:
                self.gave_up.set()
                raise
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer == "no":
            await anyio.sleep(2 * FASTEST_PERSON_S)
            return ElicitResult(action="decline")
        return answer if isinstance(answer, ElicitResult) else said(answer)


def said(decision: Any) -> ElicitResult:
    return ElicitResult(action="accept", content={"decision": decision})


async def execute(client: Client, code: str | None = None, **arguments: Any) -> tuple[bool, str]:
    """Run a program: whether it failed, and its text. See `text_of`."""
    given = arguments if code is None else {"code": code, **arguments}
    result = await client.call_tool("execute_code", given)
    return result.is_error is True, text_of(result)


async def warmed_up(client: Client) -> None:
    """Wait until all has started that the first programs wait for, so that none of them takes long after this."""
    failed, text = await execute(client, "call_tool('shop.look')")
    while "execute_code(run=" in text:
        failed, text = await execute(client, run=handle_in(text))
    assert not failed, text


async def there(path: Path) -> None:
    """Wait until another process has made a file."""
    while not os.path.exists(path):  # noqa: ASYNC110, ASYNC240  # another process sets no event
        await anyio.sleep(0.01)


def handle_in(text: str) -> str:
    """The handle in an answer that gives one."""
    assert 'execute_code(run="' in text, text
    return text.partition('execute_code(run="')[2].partition('"')[0]
