"""Makes features that the sandbox lacks fail at once, with a message that names an alternative."""

import _thread
import os
import queue
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Callable

from codeact_guest import loop

THREADS = (
    "this sandbox has no threads. To run tool calls concurrently, write "
    "`await asyncio.gather(*[call_tool_async(name, key=value) for … in …])`; call other functions directly"
)
PROCESSES = (
    "this sandbox has no processes: a program can only compute and use call_tool(). "
    "search_tools(query) finds the available tools"
)
SOCKETS = (
    "this sandbox has no sockets: use http_request(method, url) or urllib.request for hosts that the operator allowed, "
    "or call_tool()"
)
_SCREEN = (
    "this sandbox has no screen and no keyboard: print(), display(value) and the last expression's value reach the user"
)
_COMPRESSION = "this Python was built without the library it needs: use zlib, gzip or zipfile"
_SYSTEM = "it needs an operating system, and this sandbox has none"
_FOREIGN = "this sandbox cannot load compiled code: use pure Python"

MODULES: dict[str, str] = {
    **dict.fromkeys(("_tkinter", "curses", "idlelib", "readline", "tkinter", "turtle", "turtledemo"), _SCREEN),
    **dict.fromkeys(("bz2", "compression.bz2", "compression.lzma", "compression.zstd", "lzma"), _COMPRESSION),
    **dict.fromkeys(("concurrent.futures.interpreter", "concurrent.interpreters"), THREADS),
    **dict.fromkeys(("concurrent.futures.process", "multiprocessing"), PROCESSES),
    **dict.fromkeys(
        ("fcntl", "grp", "mmap", "msvcrt", "pty", "pwd", "resource", "syslog", "termios", "tty", "winreg", "winsound"),
        _SYSTEM,
    ),
    **dict.fromkeys(
        ("dbm.gnu", "dbm.ndbm"), "this Python was built without it: use sqlite3.connect(':memory:') or a dict"
    ),
    "ctypes": _FOREIGN,
    "ssl": SOCKETS,
    **dict.fromkeys(
        ("ensurepip", "pip", "venv"),
        "a program cannot install packages: the operator lists them in codeact.packages",
    ),
}
"""Modules of CPython's library that are not in the guest, and the reason that their import gives."""


def install() -> None:
    """Replace functions that would fail late or obscurely, hang, or end the interpreter."""
    threading.Thread.start = _raiser("threading.Thread", THREADS)
    for name in ("start_new_thread", "start_new", "start_joinable_thread"):
        setattr(_thread, name, _raiser(f"_thread.{name}", THREADS))
    threading._start_joinable_thread = _thread.start_joinable_thread
    threading.Lock = threading._allocate_lock = _thread.allocate_lock = _thread.allocate = Lock
    queue.SimpleQueue = queue._PySimpleQueue  # the one in C would wait for ever
    subprocess.Popen.__init__ = _raiser("subprocess", PROCESSES)
    subprocess.Popen.__del__ = lambda self: None
    for name in (
        "system",
        "popen",
        "fork",
        "forkpty",
        "execv",
        "execve",
        "posix_spawn",
        "posix_spawnp",
        "spawnv",
        "spawnve",
        "kill",
    ):
        setattr(os, name, _raiser(f"os.{name}", PROCESSES))
    socket.socket.__init__ = _raiser("socket.socket", SOCKETS)
    socket.socket.__del__ = lambda self: None
    for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr", "getfqdn", "create_connection"):
        setattr(socket, name, _raiser(f"socket.{name}", SOCKETS))
    select.select = _select
    loop.refuse(
        ("subprocess_exec", "subprocess_shell", "connect_read_pipe", "connect_write_pipe", "add_signal_handler"),
        PROCESSES,
    )
    loop.refuse(("create_connection", "create_server", "create_datagram_endpoint", "create_unix_connection"), SOCKETS)
    loop.refuse(("create_unix_server", "getaddrinfo", "getnameinfo", "add_reader", "add_writer", "start_tls"), SOCKETS)
    loop.refuse(
        ("sock_recv", "sock_recv_into", "sock_sendall", "sock_connect", "sock_accept", "sock_sendfile"), SOCKETS
    )
    sys.breakpointhook = _raiser("breakpoint()", "no debugger is available: print() the values that you need")


class Lock:
    """`threading.Lock` for one thread: waiting for a held lock would never end, so it raises."""

    def __init__(self) -> None:
        self._taken = False

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        if not blocking and timeout != -1:
            raise ValueError("can't specify a timeout for a non-blocking call")
        if timeout < 0 and timeout != -1:
            raise ValueError("timeout value must be a non-negative number")
        if not self._taken:
            self._taken = True
            return True
        if not blocking:
            return False
        if timeout == -1:
            raise RuntimeError(f"deadlock: this waits for another thread, but {THREADS}")
        loop.sleep(timeout)
        return False

    acquire_lock = acquire

    def release(self) -> None:
        if not self._taken:
            raise RuntimeError("release unlocked lock")
        self._taken = False

    release_lock = release

    def locked(self) -> bool:
        return self._taken

    locked_lock = locked

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()

    def __repr__(self) -> str:
        return f"<{'locked' if self._taken else 'unlocked'} _thread.lock object at {id(self):#x}>"


def _select(rlist: object, wlist: object, xlist: object, timeout: float | None = None) -> tuple[list[object], ...]:
    if [*rlist, *wlist, *xlist] or timeout is None:
        raise PermissionError(f"select.select: {SOCKETS}")
    loop.sleep(timeout)
    return [], [], []


def _raiser(name: str, sentence: str) -> Callable[..., object]:
    def unavailable(*_: object, **__: object) -> object:
        raise (RuntimeError if sentence == THREADS else PermissionError)(f"{name}: {sentence}")

    unavailable.__name__ = unavailable.__qualname__ = name.rpartition(".")[2]
    return unavailable
