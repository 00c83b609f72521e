"""JSON with comments and trailing commas as standard JSON, places kept."""

import re

_STRING = r'"(?:[^"\\\n]|\\.)*+"?'


# What is not closed is matched too, up to where it must end: looking for an end from every start takes minutes.
_COMMENTS = re.compile(_STRING + r"|(?P<blank>//[^\n]*+|/\*(?:[^*]|\*(?!/))*+\*/)|/\*[\s\S]*")


_LAST_COMMAS = re.compile(_STRING + r"|(?P<blank>,)(?=\s*[}\]])")


def without_comments(text: str) -> str:
    """VS Code's and Zed's JSON as standard JSON: comments and trailing commas become blanks, so places stay true.

    Written here because it is these few lines: json5 on PyPI takes seconds for a large file, the fast parsers need a
    compiler on some platforms, and none of them both keeps line numbers and reports keys written twice.
    """

    def blanked(match: re.Match[str]) -> str:
        return re.sub(r"[^\n]", " ", match.group()) if match["blank"] else match.group()

    return _LAST_COMMAS.sub(blanked, _COMMENTS.sub(blanked, text))
