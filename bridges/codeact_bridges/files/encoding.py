"""How files' bytes and `stat` fields cross to the guest and back. In the guest: `codeact_guest/files/open_files.py`."""

import json
from binascii import a2b_base64, b2a_base64
from zlib import crc32

from codeact_bridges.errors import BadGuestCall
from codeact_bridges.files.mounts import Mount
from codeact_bridges.files.port import FileStat
from codeact_bridges.values import JsonValue

encode_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def pack(data: bytes) -> str:
    """Bytes as text: `a` and the text itself if it is ASCII, as most large content is, else `b` and base64."""
    if data.isascii() and b"\0" not in data:
        return "a" + data.decode()
    return "b" + b2a_base64(data, newline=False).decode()


def unpack(text: str) -> bytes:
    """The bytes that the guest packed.

    Raises:
        BadGuestCall: `text` is not in the form of `pack`.
    """
    try:
        if text.startswith("a"):
            return text[1:].encode("ascii")
        if text.startswith("b"):
            return a2b_base64(text[1:], strict_mode=True)
    except ValueError as exc:  # the base class of binascii.Error and of UnicodeEncodeError
        raise BadGuestCall(f"file content cannot be decoded: {exc}") from None
    raise BadGuestCall("file content must begin with a or b")


def stat_fields(stat: FileStat, mount: Mount) -> JsonValue:
    """The fields from which the guest builds a `stat_result`.

    The device is a hash of the mount and of the real device, because inode numbers in one overlayfs folder are unique
    only together with the device.
    """
    mode = stat.mode if mount.writable else stat.mode & ~0o222
    device = crc32(f"{stat.device} {mount.guest}".encode())
    times: list[JsonValue] = [stat.accessed_ns, stat.modified_ns, stat.changed_ns]
    return [mode, stat.inode, device, stat.links, stat.size, *times]
