"""A model on loopback that follows a script, and stores every request that it was sent.

It speaks all `dialects`. Some clients do not define `execute_code` at once, but a tool that waits for it or looks it
up: then the model calls that one first.
"""

import json
import re
import socket
import zlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import uvicorn
from real_clients.dialects import Answer, Body, Call, ChatCompletions, ShownResult, ShownTool, View, dialect_of
from real_clients.script import TOOL, Step, Turn, arguments, turns
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

WAITS = "WaitForMcpServers"
"""Claude Code's tool that waits for servers which are still starting."""

LOOKS_UP = "tool_search"
"""Qwen Code's tool that shows the definition of a tool which is only named in the prompt."""

MAX_DETOURS = 10
"""Calls of other tools before the model gives up. The first one waits until the server has listed its tools."""


@dataclass(frozen=True, slots=True)
class Definition:
    """`execute_code` as the model sees it, and how it is called."""

    tool: ShownTool
    through: str | None = None
    """The tool that passes a call on to it."""


@dataclass
class Model:
    """What the model was shown, request by request."""

    steps: Sequence[Step]
    listed: Callable[[], Awaitable[None]]
    """Returns when the server has answered `tools/list` for the first time."""

    bodies: list[Body] = field(default_factory=list[Body])
    """Every request to the model."""

    views: list[View] = field(default_factory=list[View])
    finished: anyio.Event = field(default_factory=anyio.Event)
    """Set when the model has had the last step's result."""

    url: str = ""

    @property
    def first_definition(self) -> Definition | None:
        """The first that any request showed."""
        return next((found for found in map(definition_in, self.views) if found is not None), None)

    @property
    def results(self) -> list[ShownResult]:
        """Each result of `execute_code` as it was shown first: clients shorten what is older."""
        found: list[ShownResult] = []
        for view in self.views:
            found += ours(view)[len(found) :]
        return found

    def turns(self) -> list[Turn]:
        """The turn that each of the `results` came from."""
        return turns([result.text for result in self.results], len(self.steps))[:-1]

    async def call_for(self, view: View) -> Call | None:
        """The call that follows what a request shows; None if nothing is left to call."""
        definition = definition_in(view)
        if definition is None:
            return await self._detour(view)
        results = ours(view)
        turn = turns([result.text for result in results], len(self.steps))[-1]
        if turn.step == len(self.steps):
            self.finished.set()
            return None
        given: dict[str, Any] = arguments(self.steps, turn)
        name = definition.tool.name
        if definition.through is not None:
            name, given = definition.through, {"name": name, "arguments": given}
        return Call(name, given, f"step_{len(results)}", definition.tool.namespace)

    async def _detour(self, view: View) -> Call | None:
        names = {tool.name for tool in view.tools}
        detours = len(view.results) - len(ours(view))
        if detours >= MAX_DETOURS or not names & {WAITS, LOOKS_UP}:
            return None
        await self.listed()
        if WAITS in names:
            return Call(WAITS, {}, f"detour_{detours}")
        return Call(LOOKS_UP, {"query": f"select:mcp__codeact__{TOOL}"}, f"detour_{detours}")

    async def respond(self, request: Request) -> Response:
        path = request.url.path
        dialect = dialect_of(path)
        if request.method != "POST" or dialect is None:
            models = {"object": "list", "data": [{"id": "m", "object": "model"}], "models": []}
            return _response(Answer.whole({**models, "input_tokens": 1, "totalTokens": 1}))
        body = _parsed(await request.body())
        view = dialect.view(body)
        self.bodies.append(body)
        self.views.append(view)
        return _response(dialect.answer(path, body, await self.call_for(view)))


def ours(view: View) -> list[ShownResult]:
    """The results of `execute_code` among all."""
    return [result for result in view.results if result.tool.endswith(TOOL)]


def definition_in(view: View) -> Definition | None:
    """`execute_code` among the tools, or as the answer of a look-up shows it."""
    for tool in view.tools:
        if tool.name.endswith(TOOL):
            return Definition(tool)
    if ChatCompletions.PASSES_ON in {tool.name for tool in view.tools}:
        for result in view.results:
            for found in _objects_in("\n".join(result.texts)):
                if str(found.get("name", "")).endswith(TOOL):
                    tool = ShownTool(found["name"], found.get("description", ""), found)
                    return Definition(tool, ChatCompletions.PASSES_ON)
    return None


def _objects_in(text: str) -> Generator[Body]:
    """Every JSON object in a text; the function in it, if it declares one."""
    decoder = json.JSONDecoder()
    at = 0
    while (opening := re.compile(r"\{").search(text, at)) is not None:
        try:
            value, at = decoder.raw_decode(text, opening.start())
        except ValueError:
            at = opening.end()
        else:
            yield value.get("function", value)


def _parsed(data: bytes) -> Body:
    """A body, which may be compressed."""
    try:
        return dict(json.loads(data))
    except ValueError:
        return dict(json.loads(zlib.decompress(data, 47)))


def _response(answer: Answer) -> Response:
    return Response(answer.body, media_type=answer.media_type)


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Signals belong to the tests."""
        yield


@asynccontextmanager
async def serving(model: Model) -> AsyncGenerator[None]:
    """Serve the model at `model.url` for the length of the block."""
    app = Starlette(routes=[Route("/{path:path}", model.respond, methods=["GET", "POST"])])
    config = uvicorn.Config(app, log_level="error", lifespan="off", ws="none", timeout_graceful_shutdown=1)
    server = _Server(config)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        model.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.serve, [listener])
            try:
                yield
            finally:
                server.should_exit = True
