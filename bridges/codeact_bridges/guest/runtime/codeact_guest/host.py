"""The guest's only way out: one call, one answer, both JSON text.

JSON is encoded and decoded by functions made here once, because a program may replace those in `json`.
"""

import json
from collections.abc import Callable

from codeact_guest import errors

Call = Callable[[str, str], str]
"""Takes an operation and its arguments. Blocks until the host has answered; raises `Refused` with the host's error."""
Print = Callable[[int, str], None]


to_text = json.JSONEncoder(ensure_ascii=False).encode
_scan = json.JSONDecoder().scan_once


def from_text(text: str) -> object:
    """Decode the host's JSON. It has no surrounding whitespace; `json.loads` looks for some and takes twice as long."""
    return _scan(text, 0)[0]


class Refused(Exception):
    """The host's error, as JSON text."""


def _not_connected(*_: object) -> str:
    raise RuntimeError("the guest runtime is not connected to a host")


_call: Call = _not_connected
_print: Print = _not_connected


def connect(call: Call, print_: Print) -> None:
    """Set both channels to the host. The engine's entry module does this once, before any run."""
    global _call, _print
    _call, _print = call, print_


def call(operation: str, **arguments: object) -> object:
    """Return the host's answer, or raise its error as an exception of the class that the error names."""
    return call_text(operation, to_text(arguments))


def call_text(operation: str, text: str) -> object:
    """Like `call`, for arguments that are JSON text already."""
    return from_text(call_raw(operation, text))


def call_raw(operation: str, text: str) -> str:
    """Like `call_text`, but returns the answer undecoded: file content is not JSON."""
    try:
        return _call(operation, text)
    except Refused as refused:
        raise errors.from_host(from_text(str(refused))) from None


def print_text(stream: int, text: str) -> None:
    """Send printed text to the host. Stream 1 is stdout, 2 is stderr."""
    _print(stream, text)
