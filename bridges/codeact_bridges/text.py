"""Text that a downstream server wrote, made fit to be shown to a model: bounded, and with nothing invisible in it.

Names and descriptions of tools are where instructions are smuggled in: control characters, bidirectional overrides,
Unicode tags. None of those is printable, so all of them go. Pure; imports nothing of ours.
"""

import re

_SPACES = re.compile(r"\s+")


def one_line(text: str, limit: int) -> str:
    """`text` as one line of at most `limit` characters."""
    return cut(_SPACES.sub(" ", visible(text[: 4 * limit])).strip(), limit)


def lines(text: str, limit: int) -> str:
    """`text` with its line breaks, at most `limit` characters, saying how much was left out."""
    shown = "\n".join(visible(line).rstrip() for line in text[:limit].expandtabs(4).splitlines()).strip()
    left_out = len(text) - limit
    return f"{shown}… [{left_out:,} more characters]" if left_out > 0 else shown


def first_sentence(text: str, limit: int) -> str:
    """The first sentence of the first paragraph, as one line."""
    paragraph = text.strip()[: 4 * limit].split("\n\n", 1)[0]
    line = one_line(paragraph, 4 * limit)
    end = re.search(r"(?<!e\.g)(?<!i\.e)[.!?](?=\s+[A-Z])", line)
    return cut(line[: end.end()] if end else line, limit)


def cut(text: str, limit: int) -> str:
    """`text`, or its beginning and an ellipsis: never more than `limit` characters."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def visible(text: str) -> str:
    """`text` without the characters that nobody can see."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else " " if char.isspace() else "" for char in text)


def cut_text(text: str, limit_bytes: int) -> tuple[str, int]:
    """The longest beginning of `text` that fits, and how many bytes were left out. Never half a character."""
    if len(text) * 4 <= limit_bytes:
        return text, 0
    data = text.encode()
    if len(data) <= limit_bytes:
        return text, 0
    kept = data[: max(0, limit_bytes)].decode(errors="ignore")
    return kept, len(data) - len(kept.encode())
