"""Results that are too long for the client: stored, linked, and fetched in slices by a later program or by the client.

The store is bounded in bytes, and removes the oldest first. Each result belongs to the client whose run made it.
"""

import secrets
from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json

from codeact_bridges.bridge import OpenBridge, Usage
from codeact_bridges.errors import BadGuestCall
from codeact_bridges.guest.requests import parse
from codeact_bridges.values import ResultLink, ValueForm

SCHEME = "result://"

MAX_STORED = 1_000
"""Results stored at once. Each costs some memory besides its bytes, and a program can save a million empty ones."""

JSON_BYTES_PER_CHAR = 6
"""The most that one character takes in a message to the guest: a control character, as `\\u0000`."""


@dataclass(frozen=True, slots=True)
class _StoredResult:
    owner: str
    what: str
    mime_type: str
    text: str
    size_bytes: int


class _Load(BaseModel):
    """`results.load`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    id: Annotated[str, Field(max_length=200)]
    offset: Annotated[int, Field(ge=0)] = 0


class _Save(BaseModel):
    """`results.save`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    form: ValueForm
    text: str


class ResultStore:
    """All stored results of this process."""

    def __init__(self, limit_bytes: int, *, message_bytes: int) -> None:
        """Store at most `limit_bytes`, and hand them to guests in messages of at most `message_bytes`."""
        self._limit_bytes = limit_bytes
        self.slice_chars = (message_bytes - 1_000) // JSON_BYTES_PER_CHAR
        self._bytes = 0
        self._stored: OrderedDict[str, _StoredResult] = OrderedDict()

    def store(self, owner: str, what: str, mime_type: str, text: str) -> ResultLink | None:
        """Store `text`, and return its link. None: it is larger than the whole store."""
        size = len(text.encode())
        if size > self._limit_bytes:
            return None
        while self._bytes + size > self._limit_bytes or len(self._stored) >= MAX_STORED:
            _, oldest = self._stored.popitem(last=False)
            self._bytes -= oldest.size_bytes
        name = secrets.token_hex(10)  # in lower case: to some URL parsers this is a host name
        self._stored[name] = _StoredResult(owner, what, mime_type, text, size)
        self._bytes += size
        return ResultLink(SCHEME + name, what, mime_type, size)

    def read(self, owner: str, uri: str) -> tuple[str, str]:
        """Return the media type and the text of the result at `uri`.

        Raises:
            LookupError: this owner has no such result.
        """
        stored = self._stored.get(uri.removeprefix(SCHEME))
        if stored is None or stored.owner != owner:
            why = "it was removed to make room for newer ones, it belongs to another client, or it never existed"
            raise LookupError(f"there is no stored result {uri[:100]!r}: {why}")
        return stored.mime_type, stored.text

    def links(self, owner: str) -> list[ResultLink]:
        """Return the links of the owner's results, the newest first."""
        own = ((name, stored) for name, stored in reversed(self._stored.items()) if stored.owner == owner)
        return [ResultLink(SCHEME + name, each.what, each.mime_type, each.size_bytes) for name, each in own]

    def remove_all(self, owner: str) -> None:
        """Remove the owner's results."""
        for name, stored in list(self._stored.items()):
            if stored.owner == owner:
                del self._stored[name]
                self._bytes -= stored.size_bytes

    def bridge(self, owner: str) -> "ResultsBridge":
        """Return the bridge behind `load_result` and `save_result` in this owner's programs."""
        return ResultsBridge(self, owner)


@dataclass(frozen=True, slots=True)
class ResultsBridge:
    """See `bridge.Bridge`."""

    results: ResultStore
    owner: str

    @asynccontextmanager
    async def open(self, usage: Usage) -> AsyncGenerator[OpenBridge]:
        yield OpenBridge({"results.load": self._load, "results.save": self._save})

    async def _load(self, text: str) -> str:
        load = parse(_Load, "load_result", text)
        try:
            mime_type, whole = self.results.read(self.owner, load.id)
        except LookupError as exc:
            raise BadGuestCall(f"load_result: {exc}") from exc
        piece = whole[load.offset : load.offset + self.results.slice_chars]
        end = load.offset + len(piece)
        return to_json(
            {"json": mime_type == "application/json", "text": piece, "next": end if end < len(whole) else None}
        ).decode()

    async def _save(self, text: str) -> str:
        save = parse(_Save, "save_result", text)
        mime_type = "application/json" if save.form == "json" else "text/plain"
        link = self.results.store(self.owner, "saved by the program", mime_type, save.text)
        if link is None:
            raise BadGuestCall(
                "save_result: the value is larger than the whole store (setting codeact.limits.kept_bytes)"
            )
        return to_json(link.uri).decode()
