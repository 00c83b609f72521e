"""What a run needs of the tools bridge. `ToolsBridge` is the real one; the tests have doubles."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from codeact_bridges.tools.catalog.catalog import CatalogTool
from codeact_bridges.values import JsonValue, ToolValue

ClientRequestKind: TypeAlias = Literal["form", "url", "sampling", "roots"]
"""A form for the user, an address to visit, a text from the client's model, the client's roots."""


@dataclass(frozen=True, slots=True)
class ClientRequest:
    """What a server requests of the client in the middle of a call."""

    server: str
    tool: str
    kind: ClientRequestKind
    params: Mapping[str, JsonValue]
    """As in the protocol's request of this kind (`elicitation/create` and so on)."""


class ClientRequests(Protocol):
    """Forwards servers' requests to the client of the run that made the call."""

    @property
    def serves(self) -> frozenset[ClientRequestKind]:
        """The kinds that the client can answer. Only these are declared to the server."""
        ...

    async def forward(self, request: ClientRequest) -> Mapping[str, JsonValue]:
        """Return the protocol's result for it (`{"action": "accept", "content": …}` and so on).

        Raises:
            ToolError: there is no answer.
        """
        ...


Rows: TypeAlias = list[JsonValue]


class Progress(Protocol):
    """A callback for the progress of a call. `progress` and `total` are in the server's own unit."""

    async def __call__(self, progress: float, total: float | None, message: str | None) -> None: ...


class ToolsPort(Protocol):
    """All tools that a program may call. Every method may wait for servers that are still starting."""

    async def resolve(self, name: str, arguments: Mapping[str, JsonValue]) -> CatalogTool:
        """Find the tool `name`, and check that `arguments` fit its schema. Nothing is sent.

        Raises:
            ToolError: the tool is unknown, its server failed, or the arguments do not fit.
        """
        ...

    async def call(
        self,
        tool: CatalogTool,
        arguments: Mapping[str, JsonValue],
        *,
        on_progress: Progress | None = None,
        client_requests: ClientRequests | None = None,
    ) -> ToolValue:
        """Call a tool that `resolve` returned. Whether it may be called has been decided.

        Cancelling this cancels the call at the server.

        Args:
            on_progress: is told how far the call has come.
            client_requests: answers what the server requests in the middle of the call; without it nothing is offered.

        Raises:
            ToolError: the server failed, or did not answer in time.
        """
        ...

    async def read_resource(self, server: str, uri: str) -> ToolValue:
        """Read the resource `uri` of `server`. The caller checks that the run was given this link."""
        ...

    async def search(self, query: str, server: str | None = None, limit: int = 10) -> Rows:
        """Return the tools that match `query`, best first: objects with `name`, `signature` and `summary`.

        Servers that failed are left out, but `DownstreamFailed` is raised if `server` is one of them.
        """
        ...

    async def describe(self, name: str) -> str:
        """Return the signature, the shape of the result, and the description of the tool `name`."""
        ...

    async def list(self, server: str | None = None) -> Rows:
        """Return all tools, or those of one server: objects with `name`, `signature` and `summary`.

        Servers that failed are left out, but `DownstreamFailed` is raised if `server` is one of them.
        """
        ...
