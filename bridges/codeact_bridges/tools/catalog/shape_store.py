"""Persistent store of the shapes of tool results: types and keys, no values, in one file that only its owner can read.

Written atomically, shortly after a new shape is recorded. Several processes may share the file: each merges its shapes
into those in the file.
"""

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Final, cast

import anyio

from codeact_bridges.system.private_files import read_small, write_private
from codeact_bridges.tools.catalog.catalog import CatalogTool
from codeact_bridges.tools.catalog.shapes import Shape, from_plain, merged, plain, shape_of
from codeact_bridges.values import ToolValue

log = logging.getLogger(__name__)

MAX_STORED = 2_000
"""Tools whose shapes are stored; the most recently changed ones stay."""

MAX_FILE_BYTES = 2_000_000
MAX_SHAPE_BYTES = 8_000
PAUSE_S = 1.0
"""Debounce between a new shape and the write: a loop of calls causes one write."""

_VERSION: Final = 1


class ShapeStore:
    """The observed shapes, by tool."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._shapes = _read(path) if path else {}
        self._new_shapes: dict[str, Shape] = {}
        """Not in the file yet."""
        self._unwritten = anyio.Event()

    def shape(self, tool: CatalogTool) -> Shape | None:
        """The shape of the results of `tool` so far."""
        return self._shapes.get(_key(tool))

    def record(self, tool: CatalogTool, value: ToolValue) -> None:
        """Merge the shape of `value`, a result of `tool`."""
        key = _key(tool)
        known = self._shapes.get(key)
        shape = shape_of(value) if known is None else merged(known, shape_of(value))
        if shape == known:
            return
        self._shapes.pop(key, None)  # moves it to the end: the oldest are removed first
        self._shapes[key] = self._new_shapes[key] = shape
        while len(self._shapes) > MAX_STORED:
            self._shapes.pop(next(iter(self._shapes)))
        self._unwritten.set()

    async def persist_loop(self) -> None:
        """Write new shapes to the file, until cancelled."""
        while self._path is not None:
            await self._unwritten.wait()
            self._unwritten = anyio.Event()
            await anyio.sleep(PAUSE_S)
            self.write()

    def write(self) -> None:
        """Write new shapes to the file, if there are any."""
        if self._path is None or not self._new_shapes:
            return
        both = _read(self._path)
        for key, shape in self._new_shapes.items():
            known = both.pop(key, None)
            both[key] = shape if known is None else merged(known, shape)
        self._new_shapes = {}
        try:
            write_private(self._path, _text(both))
        except OSError as exc:
            log.warning("no longer writing the shapes of tool results to %s: %s", self._path, exc)
            self._path = None


def _key(tool: CatalogTool) -> str:
    """The key of `tool`. Contains a digest of its schema: another server of the same name may have a tool of the same
    name with other arguments."""
    return f"{tool.server}.{tool.own_name}#{tool.schema_digest}"


def _text(shapes: Mapping[str, Shape]) -> str:
    lines: list[str] = []
    size = 0
    for key, shape in reversed(list(shapes.items())[-MAX_STORED:]):
        line = f"{json.dumps(key)}: {json.dumps(plain(shape), ensure_ascii=False)}"
        if len(line) > MAX_SHAPE_BYTES:
            continue
        size += len(line.encode(errors="replace")) + 3
        if size > MAX_FILE_BYTES - 100:
            break
        lines.append(line)
    body = ",\n".join(reversed(lines))
    return f'{{"version": {_VERSION}, "shapes": {{\n{body}\n}}}}\n'


def _read(path: Path) -> dict[str, Shape]:
    """The shapes in the file; none if it cannot be read."""
    text = read_small(path, MAX_FILE_BYTES)
    if text is None:
        return {}
    try:
        found = cast("dict[str, object]", json.loads(text))
        if found["version"] != _VERSION:
            return {}
        shapes = cast("dict[str, object]", found["shapes"])
        return {key: from_plain(shape) for key, shape in shapes.items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as exc:
        log.warning("starting without stored shapes of tool results: %s cannot be read: %r", path, exc)
        return {}
