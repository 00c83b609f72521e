"""A worker without files, sockets and signals, where the kernel has Landlock."""

import ctypes
import os
import struct
import sys

_LANDLOCK_CREATE_RULESET, _LANDLOCK_RESTRICT_SELF = 444, 446


_LANDLOCK_VERSION = 1


def install_landlock() -> str | None:
    """A ruleset with no rule: all it handles is forbidden to this thread and what it starts. Why not, or None."""
    if sys.platform != "linux":
        return f"{sys.platform} has no such thing"
    libc = ctypes.CDLL(None, use_errno=True)
    version: int = libc.syscall(_LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), _LANDLOCK_VERSION)
    if version < 1:
        return f"this kernel does not have it ({os.strerror(ctypes.get_errno())})"
    rights = 13 + (version >= 2) + (version >= 3) + (version >= 5)  # each adds one to the rights on files
    attributes = struct.pack("QQQ", (1 << rights) - 1, 0b11 if version >= 4 else 0, 0b11 if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset: int = libc.syscall(_LANDLOCK_CREATE_RULESET, attributes, ctypes.c_size_t(size), 0)
    if ruleset < 0:
        return os.strerror(ctypes.get_errno())
    try:
        restricted: int = libc.syscall(_LANDLOCK_RESTRICT_SELF, ruleset, 0)
        return None if restricted == 0 else os.strerror(ctypes.get_errno())
    finally:
        os.close(ruleset)
