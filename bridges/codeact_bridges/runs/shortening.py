"""Cuts what is too long for the client, and has the whole of it stored. Pure."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from codeact_bridges.text import cut_text
from codeact_bridges.values import Output, Printed, ResultLink, RunResult, Value, ValueForm

StoreResult: TypeAlias = Callable[[str, str, str], ResultLink | None]
"""Stores `(what, media type, text)` and returns its link, or None if the text is too long to store."""


def shortened(result: RunResult, limit_bytes: int, store: StoreResult) -> RunResult:
    """Cut the output and the value of `result` to `limit_bytes` each, and store the whole of what is cut."""
    links: list[ResultLink] = []

    def link(what: str, mime_type: str, text: str) -> None:
        if (stored := store(what, mime_type, text)) is not None:
            links.append(stored)

    output, value = result.output, result.value
    short = _short(output, limit_bytes)
    if short.cut_bytes > output.cut_bytes:
        link("all that was printed", "text/plain", "".join(piece.text for piece in output.pieces))
    if value is not None:
        text, cut = cut_text(value.text, limit_bytes)
        if cut:
            link("the whole value", "application/json" if value.form == "json" else "text/plain", value.text)
            value = replace(value, text=text, cut_bytes=value.cut_bytes + cut)
    return replace(result, output=short, value=value, stored=tuple(links))


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


def cut_value(form: ValueForm, text: str, limit_bytes: int) -> Value:
    """Return the value whose text is `text`, cut to the limit."""
    short, cut = cut_text(text, limit_bytes)
    return Value(form, short, cut)
