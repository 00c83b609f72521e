"""Not a test: the real worker process with a scripted engine. Its acts are in `ACTS` and `CALLING_ACTS`.

Started like any worker. The program's text is the name of an act; most acts try what a worker must not be able to do.
"""

import ctypes
import errno
import json
import mmap
import os
import platform
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from codeact_bridges.sandbox.worker import main as worker_main
from codeact_bridges.sandbox.worker.engine import Call, GuestTrap, Print
from codeact_bridges.sandbox.worker.seccomp import FORBIDDEN, FORBIDDEN_COMMANDS, PRLIMIT


def _pipe_to_host() -> int:
    """The writing end of the pipe to the host."""
    for fd in range(3, 64):
        try:
            os.write(fd, b"")
        except OSError:
            continue
        return fd
    raise AssertionError("no pipe")


def _hostile(data: bytes) -> Callable[[Call, Print], Any]:
    def act(call: Call, print_: Print) -> None:
        print_(1, "before\n")
        os.write(_pipe_to_host(), data)
        call("never answered", "null")

    return act


def _descriptors() -> list[int]:
    found: list[int] = []
    for fd in range(64):
        try:
            os.get_inheritable(fd)
        except OSError:
            continue
        found.append(fd)
    return found


def _tried(act: Callable[[], Any]) -> str:
    try:
        return f"did it: {act()!r}"
    except BaseException as exc:  # noqa: BLE001
        return type(exc).__name__


def _spin() -> None:
    while True:
        pass


def _syscall(number: int, *arguments: int) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    result: int = libc.syscall(number, *map(ctypes.c_long, arguments))  # ctypes would pass an int as 32 bits
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


_COLUMN = 0 if platform.machine() == "x86_64" else 1
_SCRATCH = ctypes.create_string_buffer(64)


def _error(number: int, *arguments: int) -> str:
    """The error name with which the kernel or the filter refuses a call."""
    try:
        _syscall(number, *arguments)
    except OSError as exc:
        return errno.errorcode[exc.errno or 0]
    return "did it"


def _refusals() -> dict[str, str]:
    """The error of every forbidden call. Without the filter, these arguments give another error or do no harm."""
    return {
        name: _error(number, *[-1] * 6)
        for name, numbers in FORBIDDEN.items()
        if (number := numbers[_COLUMN]) is not None and name not in ("fork", "vfork")  # would duplicate this process
    }


def _forbidden(name: str, *arguments: int) -> int:
    number = FORBIDDEN[name][_COLUMN]
    assert number is not None
    return _syscall(number, *arguments)


def _command(name: str, *arguments: int) -> int:
    """Make a call of which only some argument values are forbidden."""
    *numbers, _, _ = FORBIDDEN_COMMANDS[name]
    return _syscall(numbers[_COLUMN], *arguments)


def _limit(pid: int, new: int, old: int) -> int:
    return _syscall(PRLIMIT[_COLUMN], pid, 7, new, old)


def _own_limit() -> int:
    _limit(0, 0, ctypes.addressof(_SCRATCH))
    return int.from_bytes(_SCRATCH.raw[:8], sys.byteorder)


def _trap() -> None:
    raise GuestTrap("the guest tripped")


def _write_large() -> None:
    os.write(2, b"x" * (2 << 20))
    os.write(2, b"x")


ATTEMPTS: dict[str, Callable[[], Any]] = {
    "read a file": lambda: os.open("/etc/hostname", os.O_RDONLY),
    "write a file": lambda: os.open(f"/tmp/worker-was-here-{os.getpid()}", os.O_CREAT | os.O_WRONLY),
    "list a folder": lambda: os.listdir("/"),
    "remove a file": lambda: os.unlink("/etc/hostname"),
    "make a socket": socket.socket,
    "make a socket pair": socket.socketpair,
    "start a program": lambda: subprocess.run(["/bin/true"], check=True),
    "fork": os.fork,
    "replace the program": lambda: os.execv("/bin/true", ["true"]),
    "signal its parent": lambda: os.kill(os.getppid(), 0),
    "trace its parent": lambda: _forbidden("ptrace", 16, os.getppid(), 0, 0),
    "make an io_uring": lambda: _forbidden("io_uring_setup", 1, 0),
    "leave its namespaces": lambda: _forbidden("unshare", 0x10000000),
    "open by openat2": lambda: _forbidden("openat2", -100, 0, 0, 0),
    "see its parent's limits": lambda: _limit(os.getppid(), 0, ctypes.addressof(_SCRATCH)),
    "set its parent's limits": lambda: _limit(os.getppid(), -1, 0),
    "set its own limits": lambda: _limit(0, -1, 0),
    "slow its parent down": lambda: os.setpriority(os.PRIO_PROCESS, os.getppid(), os.getpriority(0, 0)),
    "move its parent to a processor": lambda: os.sched_setaffinity(os.getppid(), os.sched_getaffinity(0)),
    "have a pipe signal its parent": lambda: _command("fcntl", _pipe_to_host(), 8, os.getppid()),
    "choose the signal of a pipe": lambda: _command("fcntl", _pipe_to_host(), 10, 9),
    "have a socket signal its parent": lambda: _command("ioctl", 2, 0x8901, ctypes.addressof(_SCRATCH)),
    "type on a terminal": lambda: _command("ioctl", 2, 0x5412, ctypes.addressof(_SCRATCH)),
    "outlive its parent": lambda: _command("prctl", 1, 0),
    "change a descriptor's mode": lambda: os.fchmod(0, 0o666),
    "see whether a file is there": lambda: os.stat("/no such file"),
    "see where a link leads": lambda: os.readlink("/proc/self/exe"),
    "change a file's mode": lambda: os.chmod("/no such file", 0o777),
    "change a file's owner": lambda: os.lchown("/no such file", 1, 1),
    "change a file's times": lambda: os.utime("/no such file"),
    "mark a file": lambda: os.setxattr("/no such file", "user.x", b"v"),
}

ACTS: dict[str, Callable[[], Any]] = {
    "environment": lambda: dict(os.environ),
    "descriptors": _descriptors,
    "attempts": lambda: {name: _tried(attempt) for name, attempt in ATTEMPTS.items()},
    "refusals": _refusals,
    "needs": lambda: {
        "own limit": _tried(_own_limit),
        "own processors": _tried(lambda: len(os.sched_getaffinity(0)) > 0),
        "import what there is not": _tried(lambda: __import__("no_such_module")),
        "map memory": _tried(lambda: len(mmap.mmap(-1, 1 << 20))),
    },
    "no new privileges": lambda: _command("prctl", 39, 0, 0, 0, 0),
    "modules": lambda: sorted(
        name for name in sys.modules if name.partition(".")[0] in ("mcp", "pydantic", "anyio", "httpx2", "typer")
    ),
    "say a lot and die": lambda: (os.write(2, b"noise\n" * 1_000 + b"the last words\n"), os._exit(3)),
    "be killed": lambda: ctypes.CDLL(None).abort(),
    "trap": _trap,
    "spin": _spin,
    "wait": lambda: time.sleep(1_000),
    "write 2 MiB to stderr": lambda: _tried(_write_large),
    "print to stdout": lambda: os.write(1, b"a library's noise"),
    "no outcome": lambda: ...,
}

CALLING_ACTS: dict[str, Callable[[Call, Print], Any]] = {
    "too long a frame": _hostile((1 << 31).to_bytes(4, "big") + b"\x06"),
    "an empty frame": _hostile(bytes(5)),
    "an unknown kind": _hostile((1).to_bytes(4, "big") + b"\xc8"),
    "a kind out of turn": _hostile((3).to_bytes(4, "big") + b"\x05{}"),
    "output on no channel": _hostile((2).to_bytes(4, "big") + b"\x07\x09"),
    "output that is not UTF-8": _hostile((3).to_bytes(4, "big") + b"\x07\x01\xff"),
    "an operation that is not UTF-8": _hostile((2).to_bytes(4, "big") + b"\x06\xff"),
    "calls without waiting": _hostile(((1 + 6).to_bytes(4, "big") + b"\x06a\nnull") * 3),
    "half a frame": lambda _, __: (os.write(_pipe_to_host(), (100).to_bytes(4, "big") + b"\x08half"), os._exit(0)),
    "call": lambda call, _: json.loads(call("echo", '{"a":1}')),
}


class Scripted:
    """See `engine.Engine`."""

    name = "scripted"
    isolation = "none: a test's"
    stack_bytes: int | None = None

    def __init__(self) -> None:
        self.versions: dict[str, str] = {}

    def load(self) -> None:
        """Nothing to load."""

    def fresh(self) -> None:
        self.warm = False

    def warm_up(self) -> None:
        self.warm = True

    def run(self, call: Call, print_: Print) -> None:
        name = json.loads(call("run.begin", ""))["code"]
        if name == "warm":
            call("run.end", json.dumps(self.warm))
            return
        result = ACTS[name]() if name in ACTS else CALLING_ACTS[name](call, print_)
        if result is not ...:
            call("run.end", json.dumps(result))


def main() -> None:
    """Run `worker.main` with the scripted engine."""
    worker_main.main(lambda _: Scripted())
