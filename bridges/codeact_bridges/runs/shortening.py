"""Cuts what is too long for the client, and has the whole of it stored. Pure.

A cut takes the middle: what a program prints first says what it does, and what it prints last is its result.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import groupby
from typing import TypeAlias

from codeact_bridges.text import cut_middle, ends, fits, starts_line
from codeact_bridges.values import Failure, Media, Output, Printed, ResultLink, RunResult, Value, ValueForm

StoreResult: TypeAlias = Callable[[str, str, str], ResultLink | None]
"""Stores `(what, media type, text)` and returns its link, or None if the text is too long to store."""


MAX_REPEATED = 3
"""Equal lines in a row that stay as they are, as in CPython's tracebacks."""


def shortened(result: RunResult, limit_bytes: int, store: StoreResult, *, unread: Output | None = None) -> RunResult:
    """Cut the output, the value, all displayed values together, and the failure of `result` to `limit_bytes` each, and
    store the whole of what is cut.

    `unread` is the part of the output to return, if its client has read the rest already.
    """
    links: list[ResultLink] = []

    def stored(what: str, text: str, form: ValueForm = "text") -> bool:
        link = store(what, "application/json" if form == "json" else "text/plain", text)
        links.extend([link] if link is not None else [])
        return link is not None

    output, value, displayed, failure = result.output, result.value, result.displayed, result.failure
    printed = "".join(piece.text for piece in output.pieces)
    output = cut_output(output if unread is None else unread, limit_bytes)
    if not fits(printed, limit_bytes):
        output = replace(output, stored=stored("all that was printed", printed))
    if value is not None and not fits(value.text, limit_bytes):
        value = replace(cut_value(value, limit_bytes), stored=stored("the whole value", value.text, value.form))
    if failure is not None and not fits(failure.message, limit_bytes):
        stored("the whole failure", failure.message)
        failure = _cut_failure(failure, limit_bytes)
    texts = [each.text for each in displayed if isinstance(each, Value)]
    if not fits("".join(texts), limit_bytes):
        are_stored = stored("all that was displayed", "\n".join(texts))
        displayed = tuple(_cut_share(each, limit_bytes // len(texts), are_stored) for each in displayed)
    return replace(result, output=output, value=value, displayed=displayed, failure=failure, stored=tuple(links))


def cut_output(output: Output, limit_bytes: int) -> Output:
    """Return `output`, or its beginning and its end."""
    text = "".join(piece.text for piece in output.pieces)
    if fits(text, limit_bytes):
        return output
    head, tail = ends(text, limit_bytes)
    before = _first(output.pieces, len(head))
    after = _without_first(output.pieces, len(text) - len(tail))
    if before and not head.endswith("\n"):
        before = (*before[:-1], replace(before[-1], text=before[-1].text + "…"))
    if after and not starts_line(text, tail):
        after = (replace(after[0], text="…" + after[0].text), *after[1:])
    omitted = len(text[len(head) : len(text) - len(tail)].encode())
    return replace(output, pieces=before, cut_bytes=output.cut_bytes + omitted, tail=after)


def cut_value(value: Value, limit_bytes: int) -> Value:
    """Return `value`, or its beginning and its end."""
    text, omitted, tail = cut_middle(value.text, limit_bytes)
    return replace(value, text=text, cut_bytes=value.cut_bytes + omitted, tail=tail)


def output_after(output: Output, chars: int) -> Output:
    """Return the output without its first characters."""
    return replace(output, pieces=_without_first(output.pieces, chars))


def fold_repeated_lines(text: str) -> str:
    """Return a traceback with equal lines in a row written once and counted: an error in deeply nested data has a note
    for each level."""
    lines: list[str] = []
    for line, equal in groupby(text.split("\n")):
        times = len(list(equal))
        lines += (
            [line, f"[Previous line repeated {times - 1:,} more times]"] if times > MAX_REPEATED else [line] * times
        )
    return "\n".join(lines)


def _cut_share(shown: Value | Media, limit_bytes: int, stored: bool) -> Value | Media:
    if isinstance(shown, Media) or fits(shown.text, limit_bytes):
        return shown
    return replace(cut_value(shown, limit_bytes), stored=stored)


def _cut_failure(failure: Failure, limit_bytes: int) -> Failure:
    head, omitted, tail = cut_middle(failure.message, limit_bytes)
    end = "" if head.endswith("\n") else "\n"
    return replace(failure, message=f"{head}{end}[{omitted:,} bytes left out here]\n{tail}")


def _first(pieces: Sequence[Printed], chars: int) -> tuple[Printed, ...]:
    taken: list[Printed] = []
    for piece in pieces:
        if chars <= 0:
            break
        taken.append(piece if len(piece.text) <= chars else replace(piece, text=piece.text[:chars]))
        chars -= len(piece.text)
    return tuple(taken)


def _without_first(pieces: Sequence[Printed], chars: int) -> tuple[Printed, ...]:
    left: list[Printed] = []
    for piece in pieces:
        if chars < len(piece.text):
            left.append(piece if chars <= 0 else replace(piece, text=piece.text[chars:]))
        chars -= len(piece.text)
    return tuple(left)
