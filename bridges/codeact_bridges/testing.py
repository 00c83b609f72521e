"""Test doubles for code built on the bridges. Each passes the contract tests of the part that it replaces."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import anyio

from codeact_bridges.errors import GuestDied, UnknownTool
from codeact_bridges.sandbox.port import EngineInfo, GuestHost
from codeact_bridges.tools.catalog.catalog import CatalogTool
from codeact_bridges.tools.port import ClientRequests, Progress, Rows
from codeact_bridges.values import Data, JsonValue, Media, ToolValue

ToolScript: TypeAlias = Callable[[Mapping[str, JsonValue]], Awaitable[ToolValue]]

GuestScript: TypeAlias = Callable[[str, GuestHost], Awaitable[str]]
"""A guest's run: takes the reply to `run.begin` and its host; returns the outcome, or raises `GuestDied`."""


async def echo(arguments: Mapping[str, JsonValue]) -> ToolValue:
    """A tool that returns its arguments."""
    return Data(dict(arguments))


@dataclass
class ScriptedTools:
    """Tools that are functions in this process. Implements `tools.port.ToolsPort`."""

    scripts: Mapping[str, ToolScript] = field(default_factory=lambda: {"test.echo": echo})
    """By full name, `server.tool`."""
    called: list[tuple[str, Mapping[str, JsonValue]]] = field(default_factory=list[tuple[str, Mapping[str, JsonValue]]])
    """Every started call, in order."""

    async def resolve(self, name: str, arguments: Mapping[str, JsonValue]) -> CatalogTool:
        server, _, tool = self._full_name(name).partition(".")
        return CatalogTool(server, tool)

    async def call(
        self,
        tool: CatalogTool,
        arguments: Mapping[str, JsonValue],
        *,
        on_progress: Progress | None = None,
        client_requests: ClientRequests | None = None,
    ) -> ToolValue:
        self.called.append((tool.full_name, arguments))
        return await self.scripts[tool.full_name](arguments)

    async def read_resource(self, server: str, uri: str) -> ToolValue:
        return Media("resource", "text/plain", "", f"{server}:{uri}")

    async def search(self, query: str, server: str | None = None, limit: int = 10) -> Rows:
        return [row for row in await self.list(server) if query in str(row)][:limit]

    async def describe(self, name: str) -> str:
        return f"{self._full_name(name)}(**arguments)"

    async def list(self, server: str | None = None) -> Rows:
        names = (name for name in self.scripts if server in (None, name.partition(".")[0]))
        return [{"name": name, "signature": f"{name}(**arguments)", "summary": ""} for name in names]

    def _full_name(self, name: str) -> str:
        for full_name in self.scripts:
            if name in (full_name, full_name.partition(".")[2]):
                return full_name
        raise UnknownTool("", name, f"no such tool; there are {', '.join(self.scripts) or 'none'}")


@dataclass
class ScriptedWorker:
    """A worker without a process whose guest is a function. Implements `sandbox.port.Worker`."""

    script: GuestScript
    info: EngineInfo = field(default_factory=lambda: EngineInfo("scripted", "nothing: it is a test"))
    closed: bool = False
    renewed: int = 0
    _scope: anyio.CancelScope | None = None

    async def run(self, begin: str, host: GuestHost) -> str:
        with anyio.CancelScope() as self._scope:
            return await self.script(begin, host)
        raise GuestDied("the worker was closed")

    async def renew(self) -> None:
        if self.closed:
            raise GuestDied("the worker was closed")
        self.renewed += 1

    async def aclose(self) -> None:
        self.closed = True
        if self._scope is not None:
            self._scope.cancel()
