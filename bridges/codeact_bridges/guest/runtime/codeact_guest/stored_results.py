"""Results that the host stores between programs."""

import json

from codeact_guest import display, host

_from_text = json.JSONDecoder().decode


def load_result(uri: str, /) -> object:
    """Load a stored result by its `result://…` name: its value if it is JSON, otherwise its text.

    Raises:
        TypeError: no result is stored under that name, or no longer.
    """
    pieces: list[str] = []
    offset: int | None = 0
    is_json = False
    while offset is not None:
        piece = host.call("results.load", id=uri, offset=offset)
        pieces.append(piece["text"])
        is_json, offset = piece["json"], piece["next"]
    text = "".join(pieces)
    return _from_text(text) if is_json else text


def save_result(value: object, /) -> str:
    """Store a value for a later program or for the client, and return the name that `load_result` takes."""
    form, text = display.form_of(value)
    return host.call("results.save", form=form, text=text)
