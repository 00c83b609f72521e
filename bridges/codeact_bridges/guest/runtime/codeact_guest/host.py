"""The guest's only way out: one question, one answer, both JSON text.

JSON is read and written by functions of our own, made once: a program may replace those in `json`.
"""

import json
from collections.abc import Callable

from codeact_guest import errors

Ask = Callable[[str, str], str]
"""Blocks until the host answered; raises `Refused` with the host's error."""
Print = Callable[[int, str], None]


to_text = json.JSONEncoder(ensure_ascii=False).encode
_scan = json.JSONDecoder().scan_once


def from_text(text: str) -> object:
    """What the host's JSON says. It has no space around it, for which `json.loads` looks in twice the time."""
    return _scan(text, 0)[0]


class Refused(Exception):
    """The host's error, as JSON text."""


def _not_connected(*_: object) -> str:
    raise RuntimeError("the guest runtime has no host")


_ask: Ask = _not_connected
_print: Print = _not_connected


def connect(ask: Ask, print_: Print) -> None:
    """Called once by the engine's entry module, before any run."""
    global _ask, _print
    _ask, _print = ask, print_


def ask(operation: str, **arguments: object) -> object:
    """The host's answer, or its error as an exception of the class it names."""
    return ask_text(operation, to_text(arguments))


def ask_text(operation: str, text: str) -> object:
    """As `ask`, for arguments that are JSON text already."""
    return from_text(ask_raw(operation, text))


def ask_raw(operation: str, text: str) -> str:
    """As `ask_text`, with the answer as it came: what `files` carries is no JSON."""
    try:
        return _ask(operation, text)
    except Refused as refused:
        raise errors.from_host(from_text(str(refused))) from None


def print_text(stream: int, text: str) -> None:
    """Hand over printed text: 1 is stdout, 2 is stderr."""
    _print(stream, text)
