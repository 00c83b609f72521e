"""Persistent store of the tool lists of servers: one file for each server, which only its owner can read.

A stored list describes a server that has not listed its tools in this process yet. It never decides about a call: calls
wait for the server's own list.
"""

import hashlib
import json
import logging
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from mcp.types import Tool
from pydantic import BaseModel, ValidationError

from codeact_bridges.system.private_files import keep_newest, read_small, write_private
from codeact_bridges.tools.catalog.catalog import CatalogTool
from codeact_bridges.tools.downstream.tool_list import usable
from codeact_bridges.tools.spec import HttpServer, ServerSpec, StdioServer

log = logging.getLogger(__name__)

MAX_FILE_BYTES = 4_000_000
"""A longer list is not stored. The 69 servers that were tried have 300,000 at most."""

MAX_FILES = 500
"""Servers whose lists are stored; the most recently stored ones stay."""

_FORMAT: Final = 1


class _Stored(BaseModel, extra="forbid", frozen=True):
    format: int
    server: str
    """The digest that the file's name has, too: a copy of another server's file is not this server's."""
    tools: list[Tool]


class ToolListStore:
    """The lists as servers gave them, before the operator's filter."""

    def __init__(self, folder: Path | None = None) -> None:
        """Without a folder, nothing is stored."""
        self._folder = folder

    def load(self, spec: ServerSpec) -> tuple[CatalogTool, ...]:
        """The stored tools of this server. None are known if there is no valid file."""
        if self._folder is None or (digest := _digest(spec)) is None:
            return ()
        text = read_small(self._path(digest), MAX_FILE_BYTES)
        if text is None:
            return ()
        try:
            stored = _Stored.model_validate_json(text)
        except ValidationError as exc:
            log.info("ignoring the stored tools of server %r: %d errors in the file", spec.name, exc.error_count())
            return ()
        if stored.format != _FORMAT or stored.server != digest:
            return ()
        return tuple({tool.name: tool for tool in usable(spec.name, stored.tools)}.values())

    def store(self, spec: ServerSpec, tools: Iterable[CatalogTool]) -> None:
        """Store the tools of this server, unless the same ones are stored."""
        if self._folder is None or (digest := _digest(spec)) is None:
            return
        content = {"format": _FORMAT, "server": digest, "tools": [_plain(tool) for tool in tools]}
        # Half a surrogate pair in a description is not valid text, and would cost the whole file.
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode(errors="replace").decode()
        path = self._path(digest)
        if len(text.encode()) > MAX_FILE_BYTES or text == read_small(path, MAX_FILE_BYTES):
            return
        try:
            write_private(path, text)
        except OSError as exc:
            log.warning("the tools of server %r cannot be stored in %s: %s", spec.name, path, exc)
        else:
            keep_newest(path.parent, MAX_FILES)

    def _path(self, digest: str) -> Path:
        assert self._folder is not None
        return self._folder / f"{digest}.json"


def _digest(spec: ServerSpec) -> str | None:
    """What identifies the server behind an entry: how it is reached. None: it lives and dies with this process."""
    match spec:
        case StdioServer():
            words = (spec.command, *spec.args)
            # A server whose files are named relative to a folder is another one in another folder.
            folder = spec.cwd or Path.cwd()
            relative = any(not Path(word).is_absolute() and (folder / word).exists() for word in words if word)
            parts: list[Any] = [list(words), dict(spec.env), str(folder) if spec.cwd or relative else None]
        case HttpServer():
            parts = [spec.url, dict(spec.headers), spec.transport, spec.oauth and asdict(spec.oauth)]
        case _:
            return None
    return hashlib.sha256(json.dumps([spec.name, *parts]).encode()).hexdigest()


def _plain(tool: CatalogTool) -> dict[str, Any]:
    """The tool as the protocol has it."""
    hints = {
        "readOnlyHint": tool.read_only,
        "idempotentHint": tool.idempotent,
        "destructiveHint": tool.destructive,
        "openWorldHint": tool.open_world,
    }
    plain: dict[str, Any] = {
        "name": tool.name,
        "description": tool.description,
        "inputSchema": tool.input_schema,
        "annotations": hints,
    }
    return plain | ({"outputSchema": tool.output_schema} if tool.output_schema is not None else {})
