"""Make foreign text fit to show: bounded, without invisible characters. Pure; imports nothing of ours.

Downstream servers, web servers and guests choose such text: names, descriptions, error messages, paths. Instructions to
the model can be hidden in it with control characters, bidirectional overrides or Unicode tags. None of these is
printable, so all of them are removed, replaced or escaped.
"""

import re

_SPACES = re.compile(r"\s+")


def one_line(text: str, limit: int, *, instead: str = "") -> str:
    """`text` as one line of at most `limit` characters, with `instead` in place of each invisible character.

    For prose: nothing shows that a character was replaced. `escaped` keeps paths distinguishable.
    """
    return cut(_SPACES.sub(" ", visible(text[: 4 * limit], instead)).strip(), limit)


def lines(text: str, limit: int) -> str:
    """`text` with its line breaks, at most `limit` characters, followed by the number of omitted characters."""
    shown = "\n".join(visible(line).rstrip() for line in text[:limit].expandtabs(4).splitlines()).strip()
    omitted = len(text) - limit
    return f"{shown}… [{omitted:,} more characters]" if omitted > 0 else shown


def first_sentence(text: str, limit: int) -> str:
    """The first sentence of the first paragraph, as one line."""
    paragraph = text.strip()[: 4 * limit].split("\n\n", 1)[0]
    line = one_line(paragraph, 4 * limit)
    end = re.search(r"(?<!e\.g)(?<!i\.e)[.!?](?=\s+[A-Z])", line)
    return cut(line[: end.end()] if end else line, limit)


def escaped(text: str) -> str:
    """`text` on one line, with each invisible character as a Python escape: `\\n`, `\\x1b`.

    For paths and keys: unlike `one_line` it removes nothing, and it does not shorten.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def cut(text: str, limit: int) -> str:
    """`text`, or its beginning and an ellipsis: never more than `limit` characters."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def visible(text: str, instead: str = "") -> str:
    """`text` with `instead` in place of each invisible character. White space becomes a space."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else " " if char.isspace() else instead for char in text)


def cut_middle(text: str, limit_bytes: int) -> tuple[str, int, str]:
    """The beginning of `text`, the number of bytes omitted after it, and the end. A text that fits has no end.

    Beginning and end are together at most `limit_bytes` long, and an ellipsis where one of them ends or begins within a
    line.
    """
    if fits(text, limit_bytes):
        return text, 0, ""
    head, tail = ends(text, limit_bytes)
    omitted = len(text[len(head) : len(text) - len(tail)].encode())
    return head if head.endswith("\n") else head + "…", omitted, tail if starts_line(text, tail) else "…" + tail


def fits(text: str, limit_bytes: int) -> bool:
    """Whether `text` has at most `limit_bytes` bytes."""
    return len(text) * 4 <= limit_bytes or len(text.encode()) <= limit_bytes


def ends(text: str, limit_bytes: int) -> tuple[str, str]:
    """The beginning and the end of a text that does not fit, each at most half of `limit_bytes` long.

    They are whole lines, unless that would take more than half of one of them. Never splits a character.
    """
    head, _ = cut_text(text, limit_bytes // 2)
    whole_lines = head[: head.rfind("\n") + 1]
    head = whole_lines if 2 * len(whole_lines) >= len(head) else head
    half = max(1, limit_bytes // 2)
    tail = text[-half:].encode()[-half:].decode(errors="ignore")
    if not starts_line(text, tail):
        whole_lines = tail[tail.find("\n") + 1 :]
        tail = whole_lines if 2 * len(whole_lines) >= len(tail) else tail
    return head, tail


def starts_line(text: str, tail: str) -> bool:
    """Whether `tail`, an end of `text`, begins with a line."""
    return len(tail) == len(text) or text[-len(tail) - 1] == "\n"


def cut_text(text: str, limit_bytes: int) -> tuple[str, int]:
    """The longest beginning of `text` that fits, and the number of omitted bytes. Never splits a character."""
    if len(text) * 4 <= limit_bytes:
        return text, 0
    data = text.encode()
    if len(data) <= limit_bytes:
        return text, 0
    beginning = data[: max(0, limit_bytes)].decode(errors="ignore")
    return beginning, len(data) - len(beginning.encode())
