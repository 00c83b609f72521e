"""Masks what looks like a secret before a person or a log is shown it. Pure."""

import re

from codeact_bridges.values import JsonValue

MASKED = "[masked]"

_SECRET_NAME = re.compile(
    r"pass(word|wd|phrase|code)?s?$|secret|tokens?$|api_?keys?$|auth(orization)?$|credential|private_?key|cookie|bearer"
    r"|connection_?string|^(pwd|pin|otp|jwt)$",
    re.IGNORECASE,
)


_SECRET_VALUE = re.compile(
    r"""(?x)
    \b(?:Bearer|Basic|Token)\ +[\w.~+/=-]{8,}                       # an authorization header
    | \b(?:gh[pousr]_|github_pat_|glpat-|sk-|sk_live_|rk_live_|xox[abposr]-|AKIA|ASIA|AIza|npm_|pypi-|hf_)[\w-]{10,}
    | (?<![\w-])eyJ[\w-]{8,}\.[\w-]+\.[\w-]*                        # a JSON web token
    | -----BEGIN\ [A-Z ]{0,40}PRIVATE\ KEY-----[\s\S]*
    | (?<=://)[^\s/@:]*:[^\s/@]+(?=@)                               # a URL's user and password
    | (?P<name>(?i:(?:password|passwd|pwd|secret|token|api_?key)['"]?\s*[=:]\s*['"]?))[^\s&;,'")\]}]+
    """
)
"""Secrets by their form, whatever their names."""


def is_secret(key: str, value: JsonValue) -> bool:
    """Whether a value with this key is to be masked, by the key's name."""
    if value is None or value == "" or isinstance(value, bool):
        return False
    if isinstance(value, int | float) and "token" in key.lower():  # `max_tokens`
        return False
    return _SECRET_NAME.search(key[-100:]) is not None


def without_secrets(text: str) -> str:
    """Return `text` with every part that has the form of a secret masked."""
    return _SECRET_VALUE.sub(lambda found: (found["name"] or "") + MASKED, text)
