"""What the host answers a guest: a tool's value, or an error, as JSON text. `requests.py` has the other way."""

import json
from typing import Any

from codeact_bridges.errors import BridgeError
from codeact_bridges.values import Data, JsonValue, Link, Media, ToolValue


def error_text(exc: BridgeError) -> str:
    """The JSON text from which the guest makes its exception (`guest/runtime/codeact_guest/errors.py`)."""
    error: dict[str, Any] = {"type": exc.guest_type, "message": str(exc), "facts": exc.facts()}
    return json.dumps(error, ensure_ascii=False)


def reply_value(value: ToolValue) -> JsonValue:
    """What the guest reads."""
    match value:
        case Data():
            return {"data": value.value}
        case Media():
            return {
                "media": {"kind": value.kind, "mime_type": value.mime_type, "base64": value.base64, "uri": value.uri}
            }
        case Link():
            return {
                "link": {
                    "uri": value.uri,
                    "name": value.name,
                    "mime_type": value.mime_type,
                    "server": value.server,
                }
            }
        case _:
            return {"parts": [reply_value(part) for part in value.parts]}
