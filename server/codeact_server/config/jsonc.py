"""Turn JSON with comments and trailing commas into standard JSON, with line and column numbers unchanged."""

import re

_STRING = r'"(?:[^"\\\n]|\\.)*+"?'


# Unclosed strings and comments are matched too: searching for an end from every start takes minutes.
_COMMENTS = re.compile(_STRING + r"|(?P<blank>//[^\n]*+|/\*(?:[^*]|\*(?!/))*+\*/)|/\*[\s\S]*")


_LAST_COMMAS = re.compile(_STRING + r"|(?P<blank>,)(?=\s*[}\]])")


def without_comments(text: str) -> str:
    """Return VS Code's and Zed's JSON as standard JSON: spaces replace comments and trailing commas, so that line and
    column numbers stay correct.

    Written here because it is short: json5 on PyPI takes seconds for a large file, the fast parsers need a compiler on
    some platforms, and none of them both preserves line numbers and reports duplicate keys.
    """

    def blanked(match: re.Match[str]) -> str:
        return re.sub(r"[^\n]", " ", match.group()) if match["blank"] else match.group()

    return _LAST_COMMAS.sub(blanked, _COMMENTS.sub(blanked, text))
