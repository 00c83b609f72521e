"""`display(x)`, and the form in which a value leaves the guest."""

import contextlib
from binascii import b2a_base64

from codeact_guest import host, values
from codeact_guest.tools import Text

_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"<svg", "image/svg+xml"),
)


def display(value: object, type: str | None = None, /) -> None:
    """Show the user a value while the program runs.

    `bytes` with a media type (such as "image/png"; common image formats are recognised without one) become an image, a
    sound or a file. A list of dicts with type "table" becomes a table. A tool's image or sound is shown as it is. Any
    other value is shown as it would be as the program's result.
    """
    if isinstance(value, values.Media):
        _media(value.kind, value.mime_type, value.data)
    elif isinstance(value, bytes | bytearray | memoryview):
        data = bytes(value)
        mime_type = type or _recognised(data)
        if mime_type is None or "/" not in mime_type:
            raise TypeError("display(bytes) needs a media type: display(data, 'image/png')")
        _media(mime_type.partition("/")[0], mime_type, data)
    elif type == "table":
        host.call("display.value", form="text", text=_table(value))
    elif type is not None:
        raise TypeError(f"display: type must be 'table' or, for bytes, a media type, not {type!r}")
    else:
        form, text = form_of(value)
        host.call("display.value", form=form, text=text)


def _recognised(data: bytes) -> str | None:
    if data[:4] == b"RIFF":
        return {b"WEBP": "image/webp", b"WAVE": "audio/wav"}.get(data[8:12])
    return next((name for start, name in _SIGNATURES if data.startswith(start)), None)


def form_of(value: object) -> tuple[str, str]:
    """Return the value's form and text: multi-line text unquoted, JSON if that is exact, otherwise its `repr`."""
    if isinstance(value, str) and ("\n" in value or isinstance(value, Text)):
        return "text", value.encode("utf-8", "backslashreplace").decode()
    with contextlib.suppress(values.NotJson, RecursionError):
        return "json", values.to_json(value)
    return "repr", repr(value).encode("utf-8", "backslashreplace").decode()


def _media(kind: str, mime_type: str, data: bytes) -> None:
    kind = kind if kind in ("image", "audio") else "resource"
    host.call("display.media", kind=kind, mime_type=mime_type, base64=b2a_base64(data, newline=False).decode())


def _table(rows: object) -> str:
    rows = list(rows)
    if not all(isinstance(row, dict) for row in rows):
        raise TypeError("display(rows, 'table'): rows must be a list of dicts, one for each row")
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [names, ["---"] * len(names), *([row.get(name, "") for name in names] for row in rows)]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ").encode("utf-8", "backslashreplace").decode()
