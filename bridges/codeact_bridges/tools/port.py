"""What a run needs of the tools bridge. `Tools` in `hub` is the real one; the tests have others."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from codeact_bridges.tools.catalog.catalog import CatalogTool
from codeact_bridges.values import JsonValue, ToolValue

ClientRequestKind: TypeAlias = Literal["form", "url", "sampling", "roots"]
"""A form for the user to fill in, an address to visit, a text from the client's model, the client's roots."""


@dataclass(frozen=True, slots=True)
class ClientRequest:
    """One thing that a server wants to know in the middle of a call."""

    server: str
    tool: str
    kind: ClientRequestKind
    params: Mapping[str, JsonValue]
    """As in the protocol's request of this kind (`elicitation/create` and so on)."""


class ClientRequests(Protocol):
    """Passes questions to the client of the run that made the call."""

    @property
    def serves(self) -> frozenset[ClientRequestKind]:
        """What the client can answer. Nothing else is declared to the server."""
        ...

    async def forward(self, question: ClientRequest) -> Mapping[str, JsonValue]:
        """The protocol's result for it (`{"action": "accept", "content": …}` and so on). May raise a `ToolError`."""
        ...


Rows: TypeAlias = list[JsonValue]

Gate: TypeAlias = Callable[[CatalogTool, Mapping[str, JsonValue]], Awaitable[None]]
"""Is asked before each call is sent, when the tool is found and its arguments fit. May wait, and raise `ToolDenied`."""


class Progress(Protocol):
    """Is told how far a call has come. Both counts are the server's own."""

    async def __call__(self, progress: float, total: float | None, message: str | None) -> None: ...


class ToolsPort(Protocol):
    """The guest's way to tools. Every method may wait for servers that are still starting, and raises `ToolError`."""

    async def call(
        self,
        name: str,
        arguments: Mapping[str, JsonValue],
        *,
        gate: Gate | None = None,
        on_progress: Progress | None = None,
        client_requests: ClientRequests | None = None,
    ) -> ToolValue:
        """Call the tool `name`, if `gate` lets it pass. `answerer` answers what the server asks in the middle of it.

        To cancel this is to cancel the call downstream.
        """
        ...

    async def read_resource(self, server: str, uri: str) -> ToolValue:
        """What a link leads to: the resource `uri` of `server`. The caller sees to it that the link was given."""
        ...

    async def search(self, query: str, server: str | None = None, limit: int = 10) -> Rows:
        """The tools that fit `query`, best first: objects with `name`, `signature` and `summary`.

        Raises `DownstreamFailed` if `server` has none to search because it failed. Others that failed are left out.
        """
        ...

    async def describe(self, name: str) -> str:
        """Signature, what it returns, and the description of the tool `name`."""
        ...

    async def list(self, server: str | None = None) -> Rows:
        """All tools, or those of one server: objects with `name`, `signature` and `summary`.

        Raises `DownstreamFailed` if `server` has none to show because it failed. Others that failed are left out.
        """
        ...
