"""The tools bridge: all downstream servers together, as one catalog and one way to call.

Entering it starts every server in the background; leaving it closes all of them side by side. While servers are
starting, a request waits only for the servers that could answer it.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import anyio
from anyio.abc import TaskGroup

from codeact_bridges.errors import DownstreamFailed, UnknownTool
from codeact_bridges.names import as_identifier
from codeact_bridges.text import one_line
from codeact_bridges.tools.catalog.catalog import MAX_SHOWN_NAME, Catalog, CatalogTool, found, named_server
from codeact_bridges.tools.catalog.shape_store import ShapeStore
from codeact_bridges.tools.credentials.oauth import Credentials
from codeact_bridges.tools.credentials.secret_store import SecretStore
from codeact_bridges.tools.downstream.health import ServerStatus
from codeact_bridges.tools.downstream.results import DEFAULT_LIMIT_BYTES, unwrap, unwrap_resource
from codeact_bridges.tools.downstream.server import DownstreamServer
from codeact_bridges.tools.downstream.tool_list_store import ToolListStore
from codeact_bridges.tools.port import ClientRequests, Progress, Rows
from codeact_bridges.tools.spec import ServerSpec
from codeact_bridges.values import JsonValue, ToolValue

log = logging.getLogger(__name__)

CLOSE_TIMEOUT_S = 4.0
"""For all servers together: each is closed within 3 s, by force. Our own process has 5 s from SIGTERM to its end."""

MAX_NAMED_FAILURES = 3

MAX_MISSING = 5_000
"""Tools that are remembered although no server lists them any more."""

DISCOVERY_PATIENCE_S = 5.0
"""How long a search or a list waits for servers that are starting. Then it answers with the tools that are known."""


class ToolsBridge:
    """The downstream servers. Enter and leave it in one task; call it from any."""

    def __init__(
        self,
        servers: Iterable[ServerSpec],
        *,
        log_dir: Path | None = None,
        state_dir: Path | None = None,
        secret_store: SecretStore | None = None,
        result_limit_bytes: int = DEFAULT_LIMIT_BYTES,
        no_servers: str = "",
    ) -> None:
        """Set up the servers. Without the directories, nothing is written to disk.

        Args:
            log_dir: gets one bounded file for each server: its stderr and its log messages.
            state_dir: gets a file of the shapes of results that tools have returned, and the servers' tool lists.
            secret_store: holds the access tokens to servers that a user has signed in to.
            no_servers: if there are no servers, the reason that programs get for every tool.
        """
        credentials = Credentials(secret_store)
        tool_lists = ToolListStore(state_dir / "tools" if state_dir else None)
        self._downstreams = {
            spec.name: DownstreamServer(
                spec, log_dir=log_dir, credentials=credentials, tool_lists=tool_lists, on_change=self._changed
            )
            for spec in servers
        }
        self._result_limit_bytes = result_limit_bytes
        self._no_servers = "" if self._downstreams else no_servers
        self._catalog = Catalog(servers=tuple(self._downstreams))
        self._known_catalog = Catalog.of({name: each.known_tools for name, each in self._downstreams.items()})
        self._missing: dict[str, None] = {}
        """Identifiers of tools that were known once and are not any more, the last ones last."""
        self._before: tuple[tuple[str, ...], bool] = ((), self.all_known)
        """`failed` and `all_known` when the subscribers were last called."""
        self._listed: tuple[tuple[CatalogTool, ...], ...] = ((),) * len(self._downstreams)
        self._subscribers: dict[object, Callable[[], None]] = {}
        self._shapes = ShapeStore(state_dir / "shapes.json" if state_dir else None)
        self._task_group: TaskGroup | None = None

    async def __aenter__(self) -> Self:
        self._task_group = anyio.create_task_group()
        await self._task_group.__aenter__()
        for downstream in self._downstreams.values():
            self._task_group.start_soon(downstream.run, name=f"downstream {downstream.spec.name}")
        self._task_group.start_soon(self._shapes.persist_loop)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        assert self._task_group is not None
        for downstream in self._downstreams.values():
            downstream.stop()
        with anyio.move_on_after(CLOSE_TIMEOUT_S, shield=True) as scope:
            for downstream in self._downstreams.values():
                await downstream.stopped.wait()
        if scope.cancelled_caught:
            slow = [status.name for status in self.statuses() if status.state != "stopped"]
            log.warning("still closing after %s s, given up: %s", CLOSE_TIMEOUT_S, ", ".join(slow))
        self._task_group.cancel_scope.cancel()
        self._shapes.write()
        # Without the block's own exception, which it would wrap in a group: the caller gets that one as it is.
        await self._task_group.__aexit__(None, None, None)

    @property
    def catalog(self) -> Catalog:
        """The tools that may be called now. A new object after each change of a server's list."""
        return self._catalog

    @property
    def known_catalog(self) -> Catalog:
        """The tools to describe: the catalog, and what servers that have not listed their tools yet listed before."""
        return self._known_catalog

    @property
    def all_known(self) -> bool:
        """Whether `known_catalog` has the tools of every server."""
        return all(downstream.is_known for downstream in self._downstreams.values())

    @property
    def failed(self) -> tuple[str, ...]:
        """The servers that failed before they listed a tool, in the operator's order."""
        return tuple(name for name, downstream in self._downstreams.items() if downstream.never_worked)

    def statuses(self) -> tuple[ServerStatus, ...]:
        """The state of each server, in the operator's order."""
        return tuple(downstream.status for downstream in self._downstreams.values())

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` after each change of a catalog, of `failed` or `all_known`. Returns how to unsubscribe it."""
        key = object()
        self._subscribers[key] = callback

        def unsubscribe() -> None:
            self._subscribers.pop(key, None)

        return unsubscribe

    async def wait_settled(self, timeout: float | None = None) -> bool:
        """Wait until every server is ready or has failed. False: `timeout` seconds were not enough."""
        return await self._wait_for(self._downstreams.values(), timeout)

    async def wait_known(self, timeout: float) -> bool:
        """Wait until each server is known, has failed, or is idle. False: `timeout` seconds were not enough."""
        with anyio.move_on_after(timeout) as scope:
            for downstream in self._downstreams.values():
                await downstream.known()
        return not scope.cancelled_caught

    def start_lazy_servers(self) -> None:
        """Start the servers that start on first use."""
        for downstream in self._downstreams.values():
            downstream.start()

    async def resolve(self, name: str, arguments: Mapping[str, JsonValue]) -> CatalogTool:
        """Find the tool `name`, and check that `arguments` fit its schema. See `ToolsPort.resolve`."""
        tool = await self._find(name)
        tool.check(arguments)
        return tool

    async def call(
        self,
        tool: CatalogTool,
        arguments: Mapping[str, JsonValue],
        *,
        on_progress: Progress | None = None,
        client_requests: ClientRequests | None = None,
    ) -> ToolValue:
        """Call a tool that `resolve` returned. See `ToolsPort.call`."""
        result = await self._downstreams[tool.server].call(tool, arguments, on_progress, client_requests)
        value = unwrap(tool, result, self._result_limit_bytes)
        if tool.output_schema is None:
            self._shapes.record(tool, value)
        return value

    async def read_resource(self, server: str, uri: str) -> ToolValue:
        """Read the resource `uri` of `server`. The caller checks that the run was given this link."""
        if (downstream := self._downstreams.get(server)) is None:
            raise UnknownTool("", server[:200], "there is no such server")
        return unwrap_resource(server, uri, await downstream.read(uri), self._result_limit_bytes)

    async def search(self, query: str, server: str | None = None, limit: int = 10) -> Rows:
        """Return the tools that match `query`, best first: objects with `name`, `signature` and `summary`.

        Servers that failed are left out, but `DownstreamFailed` is raised if `server` is one of them.
        """
        self._raise_if_no_servers("search_tools")
        await self._discover(server)
        rows = [_row(tool) for tool in self._catalog.search(query, server, limit)]
        if not rows and server is not None:
            self._raise_if_failed(server)
        return rows

    async def describe(self, name: str) -> str:
        """Return the signature, the shape of the result, and the description of the tool `name`."""
        tool = await self._find(name)
        seen = self._shapes.shape(tool)
        return self._catalog.describe(tool.full_name, str(seen) if seen else None)

    async def list(self, server: str | None = None) -> Rows:
        """Return all tools, or those of one server: objects with `name`, `signature` and `summary`.

        Servers that failed are left out, but `DownstreamFailed` is raised if `server` is one of them.
        """
        self._raise_if_no_servers("list_tools")
        await self._discover(server)
        rows = [_row(tool) for tool in self._catalog.of_server(server)]
        if not rows and server is not None:
            self._raise_if_failed(server)
        return rows

    def _raise_if_no_servers(self, name: str) -> None:
        """Raise `UnknownTool` if no server is configured: an empty list would not say what to do."""
        if self._no_servers:
            raise UnknownTool("", one_line(name, MAX_SHOWN_NAME), self._no_servers)

    def _raise_if_failed(self, server: str) -> None:
        """Raise `DownstreamFailed` if `server` has no tools because it failed: an empty list would mislead."""
        for downstream in self._named(server) if named_server(server, self._downstreams) is not None else ():
            if (reason := downstream.why_no_tools()) is not None:
                raise DownstreamFailed("", downstream.spec.name, reason)

    async def _find(self, name: str) -> CatalogTool:
        """Find the tool `name`. If it is not known yet, wait for the servers that could have it."""
        self._raise_if_no_servers(name)
        try:
            return self._catalog.resolve(name)
        except UnknownTool:
            server = named_server(name, self._downstreams)
            possible = self._named(server)
            for downstream in possible:
                downstream.retry_now()
            await self._wait_for(possible, None)
        if server is not None and (failed := self._failed(possible)):
            raise DownstreamFailed(server, name[len(server) + 1 :], failed[0].why_failed())
        try:
            return self._catalog.resolve(name)
        except UnknownTool as exc:
            if as_identifier(name) in self._missing:
                reason = f"the server listed it earlier and no longer does. {exc.reason}"
                raise UnknownTool(exc.server, exc.tool, reason) from exc
            if not (failed := self._failed(possible)):
                raise
            missing = "; ".join(f"{one.spec.name}: {one.why_failed()}" for one in failed[:MAX_NAMED_FAILURES])
            raise UnknownTool(exc.server, exc.tool, f"{exc.reason}. Not asked, because they failed: {missing}") from exc

    async def _discover(self, server: str | None) -> None:
        """Wait for the tool lists of `server` or of all servers, for at most `DISCOVERY_PATIENCE_S`."""
        wanted = tuple(self._named(server))
        for downstream in wanted:
            if server is None:
                downstream.start()
            else:
                downstream.retry_now()
        await self._wait_for(wanted, DISCOVERY_PATIENCE_S)

    def _named(self, server: str | None) -> Iterable[DownstreamServer]:
        known = None if server is None else named_server(server, self._downstreams)
        return self._downstreams.values() if known is None else (self._downstreams[known],)

    @staticmethod
    def _failed(downstreams: Iterable[DownstreamServer]) -> Sequence[DownstreamServer]:
        return [one for one in downstreams if one.never_worked]

    async def _wait_for(self, downstreams: Iterable[DownstreamServer], timeout: float | None) -> bool:
        """Wait until none of them is starting. Each start is bounded, so this is bounded, too."""
        with anyio.move_on_after(timeout) as scope:
            for downstream in downstreams:
                await downstream.settled()
        return not scope.cancelled_caught

    def _changed(self) -> None:
        """A server has changed its state: make a new catalog if its tools have changed."""
        listed, failed = tuple(downstream.tools for downstream in self._downstreams.values()), self.failed
        same = all(now is before for now, before in zip(listed, self._listed, strict=True))
        if same and (failed, self.all_known) == self._before:
            return
        self._listed, self._before = listed, (failed, self.all_known)
        known = Catalog.of({name: downstream.known_tools for name, downstream in self._downstreams.items()})
        self._note_missing(self._known_catalog, known)
        self._known_catalog = known
        if not same:
            self._catalog = Catalog.of({name: downstream.tools for name, downstream in self._downstreams.items()})
        for callback in tuple(self._subscribers.values()):
            callback()

    def _note_missing(self, before: Catalog, now: Catalog) -> None:
        """Remember which tools have gone, for the error of a program that was written when they were listed."""
        names = {as_identifier(tool.full_name) for tool in now.tools}
        gone = (as_identifier(tool.full_name) for tool in before.tools)
        self._missing |= {name: None for name in gone if name not in names}
        while len(self._missing) > MAX_MISSING:
            del self._missing[next(iter(self._missing))]


def _row(tool: CatalogTool) -> JsonValue:
    row = found(tool)
    return {"name": row.name, "signature": row.signature, "summary": row.summary}
