"""Names of servers and tools as they are compared: a hyphen and an underscore are the same. Pure."""

import re


def folded(name: str) -> str:
    return name.replace("-", "_")


def folded_pattern(pattern: str) -> str:
    """As `folded`, but the hyphen of a range (`[a-f]`) stays one."""
    return "".join(
        part if index % 2 else folded(part) for index, part in enumerate(re.split(r"(\[!?\]?[^\]]*\])", pattern))
    )
