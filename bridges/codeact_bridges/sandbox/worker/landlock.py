"""The Landlock ruleset of a worker: no access to files, no TCP, no signals or abstract sockets outside the process."""

import ctypes
import os
import struct
import sys

_CREATE_RULESET, _RESTRICT_SELF = 444, 446
"""System call numbers, the same on every architecture."""

_QUERY_VERSION = 1
"""LANDLOCK_CREATE_RULESET_VERSION: makes the first call return the kernel's Landlock version."""


def install_landlock() -> str | None:
    """Restrict this thread, and the threads it starts, by a ruleset without rules: everything it handles is forbidden.

    Returns None, or the reason why Landlock is not available.
    """
    if sys.platform != "linux":
        return f"{sys.platform} has no such thing"
    libc = ctypes.CDLL(None, use_errno=True)
    version: int = libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _QUERY_VERSION)
    if version < 1:
        return f"this kernel does not have it ({os.strerror(ctypes.get_errno())})"
    rights = 13 + (version >= 2) + (version >= 3) + (version >= 5)  # each of these versions adds one file right
    attributes = struct.pack("QQQ", (1 << rights) - 1, 0b11 if version >= 4 else 0, 0b11 if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset: int = libc.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(size), 0)
    if ruleset < 0:
        return os.strerror(ctypes.get_errno())
    try:
        restricted: int = libc.syscall(_RESTRICT_SELF, ruleset, 0)
        return None if restricted == 0 else os.strerror(ctypes.get_errno())
    finally:
        os.close(ruleset)
