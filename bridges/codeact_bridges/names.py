"""Names of servers and tools as they are compared: a hyphen and an underscore are the same. Pure."""

import re
from fnmatch import translate
from functools import lru_cache


def folded(name: str) -> str:
    """`name` with underscores for hyphens."""
    return name.replace("-", "_")


def as_identifier(name: str) -> str:
    """`name` as programs may write it: an underscore for each character that a Python identifier cannot have."""
    return re.sub(r"\W", "_", name)


def has_wildcard(pattern: str) -> bool:
    """Whether `pattern` can match more than one name."""
    return any(char in pattern for char in "*?[")


def matches(pattern: str, name: str) -> bool:
    """Whether the tool filter's `pattern` matches `name`: both as written, or both folded.

    Differs from `folded_pattern` where a pattern has brackets: `[-]` matches a hyphen, `[a-c]` an underscore too, and
    `my_[a-c]` not `my-b`.
    """
    return bool(_compiled(pattern).match(name) or _compiled(folded(pattern)).match(folded(name)))


def folded_pattern(pattern: str) -> str:
    """The policy's `pattern` as it matches folded names. Brackets stay as written: in `[a-f]` the hyphen denotes a
    range, and `[-]` matches no folded name."""
    return "".join(
        part if index % 2 else folded(part) for index, part in enumerate(re.split(r"(\[!?\]?[^\]]*\])", pattern))
    )


@lru_cache(maxsize=1_000)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(translate(pattern))
