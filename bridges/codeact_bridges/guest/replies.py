"""What the host replies to a guest, as JSON text: a tool's value, or an error. `requests.py` has the other direction.

A value is `{"data": …}`, `{"media": {…}}`, `{"link": {…}}` or `{"parts": [ … ]}`; the guest's `values` module reads it.
"""

import json
from typing import Any

from pydantic_core import to_json

from codeact_bridges.errors import BridgeError
from codeact_bridges.values import Data, Link, Media, ToolValue


def error_text(exc: BridgeError) -> str:
    """Return the JSON text from which the guest makes its exception (the guest's `errors` module)."""
    error: dict[str, Any] = {"type": exc.guest_type, "message": str(exc), "facts": exc.facts()}
    return json.dumps(error, ensure_ascii=False)


def reply_text(value: ToolValue) -> str:
    """Return the JSON text of a tool's value.

    Raises:
        ValueError: JSON cannot carry the value.
    """
    match value:
        case Data(json=str(text)):
            return f'{{"data":{text}}}'
        case Data():
            return _json({"data": value.value})
        case Media():
            media = {"kind": value.kind, "mime_type": value.mime_type, "base64": value.base64, "uri": value.uri}
            return _json({"media": media})
        case Link():
            link = {"uri": value.uri, "name": value.name, "mime_type": value.mime_type, "server": value.server}
            return _json({"link": link})
        case _:
            return f'{{"parts":[{",".join(map(reply_text, value.parts))}]}}'


def _json(value: object) -> str:
    try:
        return to_json(value, inf_nan_mode="constants").decode()
    except RecursionError as exc:
        raise ValueError("it is nested too deeply") from exc
