"""Results that the host keeps between programs."""

import json

from codeact_guest import display
from codeact_guest import host as door

_from_text = json.JSONDecoder().decode


def load_result(uri: str, /) -> object:
    """What an earlier result kept as `result://…`: a value where it was JSON, else its text.

    Raises:
        TypeError: nothing is kept under that name any more.
    """
    pieces: list[str] = []
    offset: int | None = 0
    is_json = False
    while offset is not None:
        piece = door.ask("results.load", id=uri, offset=offset)
        pieces.append(piece["text"])
        is_json, offset = piece["json"], piece["next"]
    text = "".join(pieces)
    return _from_text(text) if is_json else text


def save_result(value: object, /) -> str:
    """Keep a value for a later program or for the client; returns the name that `load_result` takes."""
    form, text = display.form_of(value)
    return door.ask("results.save", form=form, text=text)
