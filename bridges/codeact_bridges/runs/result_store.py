"""Results too long for the client: kept, linked, and fetched by a later program or by the client, in slices.

Bounded in bytes, the oldest go first. Each belongs to the client whose run made it.
"""

import secrets
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Annotated, TypeAlias

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json

from codeact_bridges.bridge import OpenBridge, Usage
from codeact_bridges.errors import BadGuestCall
from codeact_bridges.guest.requests import parse
from codeact_bridges.text import cut_text
from codeact_bridges.values import Output, Printed, ResultLink, RunResult, ValueForm

SCHEME = "result://"

MAX_KEPT = 1_000
"""Results kept at once. Each costs some memory besides its bytes, and a program can save a million empty ones."""

JSON_BYTES_PER_CHAR = 6
"""What one character takes at most in a message to the guest: a control character, as `\\u0000`."""

StoreResult: TypeAlias = Callable[[str, str, str], ResultLink | None]
"""`(what, media type, text)` to a link; None where it is too long to keep."""


@dataclass(frozen=True, slots=True)
class _Kept:
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
    """All that is kept in this process."""

    def __init__(self, limit_bytes: int, *, message_bytes: int) -> None:
        """At most `limit_bytes` of them, handed to guests in messages of at most `message_bytes`."""
        self._limit_bytes = limit_bytes
        self.slice_chars = (message_bytes - 1_000) // JSON_BYTES_PER_CHAR
        self._bytes = 0
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    def keep(self, owner: str, what: str, mime_type: str, text: str) -> ResultLink | None:
        size = len(text.encode())
        if size > self._limit_bytes:
            return None
        while self._bytes + size > self._limit_bytes or len(self._kept) >= MAX_KEPT:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= oldest.size_bytes
        name = secrets.token_hex(10)  # in lower case: to some URL parsers this is a host name
        self._kept[name] = _Kept(owner, what, mime_type, text, size)
        self._bytes += size
        return ResultLink(SCHEME + name, what, mime_type, size)

    def read(self, owner: str, uri: str) -> tuple[str, str]:
        """The media type and the text of what is kept under `uri`.

        Raises:
            LookupError: nothing is, for this owner.
        """
        kept = self._kept.get(uri.removeprefix(SCHEME))
        if kept is None or kept.owner != owner:
            why = "it is another client's, or went to make room (the oldest first), or never was"
            raise LookupError(f"nothing is kept as {uri[:100]!r}: {why}")
        return kept.mime_type, kept.text

    def of(self, owner: str) -> list[tuple[str, str, str, int]]:
        """The URI, what it is, media type and bytes of all that is kept for `owner`, the newest first."""
        mine = [(name, kept) for name, kept in reversed(self._kept.items()) if kept.owner == owner]
        return [(SCHEME + name, kept.what, kept.mime_type, kept.size_bytes) for name, kept in mine]

    def bridge(self, owner: str) -> "ResultsBridge":
        """`load_result` and `save_result` for this owner's programs."""
        return ResultsBridge(self, owner)


@dataclass(frozen=True, slots=True)
class ResultsBridge:
    """See `lending.Bridge`."""

    results: ResultStore
    owner: str

    @asynccontextmanager
    async def open(self, usage: Usage) -> AsyncGenerator[OpenBridge]:
        yield OpenBridge({"results.load": self._load, "results.save": self._save})

    async def _load(self, text: str) -> str:
        load = parse(_Load, "load_result", text)
        try:
            mime_type, kept = self.results.read(self.owner, load.id)
        except LookupError as exc:
            raise BadGuestCall(f"load_result: {exc}") from exc
        piece = kept[load.offset : load.offset + self.results.slice_chars]
        end = load.offset + len(piece)
        return to_json(
            {"json": mime_type == "application/json", "text": piece, "next": end if end < len(kept) else None}
        ).decode()

    async def _save(self, text: str) -> str:
        save = parse(_Save, "save_result", text)
        mime_type = "application/json" if save.form == "json" else "text/plain"
        link = self.results.keep(self.owner, "saved by the program", mime_type, save.text)
        if link is None:
            raise BadGuestCall(
                "save_result: the value is larger than all that may be kept (setting codeact.limits.kept_bytes)"
            )
        return to_json(link.uri).decode()


def shortened(result: RunResult, limit_bytes: int, keep: StoreResult | None) -> RunResult:
    """`result` with its output and its value cut to `limit_bytes` each; what is cut is kept whole, where it can be."""
    links: list[ResultLink] = []

    def kept(what: str, mime_type: str, text: str) -> None:
        link = keep(what, mime_type, text) if keep is not None else None
        if link is not None:
            links.append(link)

    output, value = result.output, result.value
    short = _short(output, limit_bytes)
    if short.cut_bytes > output.cut_bytes:
        kept("all that was printed", "text/plain", "".join(piece.text for piece in output.pieces))
    if value is not None:
        text, cut = cut_text(value.text, limit_bytes)
        if cut:
            kept("the whole value", "application/json" if value.form == "json" else "text/plain", value.text)
            value = replace(value, text=text, cut_bytes=value.cut_bytes + cut)
    return replace(result, output=short, value=value, kept=tuple(links))


def _short(output: Output, limit_bytes: int) -> Output:
    pieces: list[Printed] = []
    left, cut = limit_bytes, output.cut_bytes
    for piece in output.pieces:
        text, over = cut_text(piece.text, left)
        left = left - len(text.encode()) if not over else 0
        cut += over
        if text:
            pieces.append(replace(piece, text=text))
    return Output(tuple(pieces), cut)
