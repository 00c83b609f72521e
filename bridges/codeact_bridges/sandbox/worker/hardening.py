"""What a worker gives up. Linux has most of it; elsewhere there is less to give up, and the report says so.

In two steps: before the engine is loaded (`harden`), and when everything is loaded and nothing more needs to be
opened (`seal`). After `seal` a worker can compute, talk over the pipes it has, and end.
"""

import ctypes
import os
import sys

from codeact_bridges.sandbox.worker.landlock import install_landlock
from codeact_bridges.sandbox.worker.seccomp import PR_SET_PDEATHSIG, install_seccomp

STDERR_BYTES = 1 << 20
"""Longest file a worker may write: its stderr is one, and the only one."""

DESCRIPTORS = 64
"""A worker has its pipes and stderr; Hyperlight adds those of its VM and of an event loop, about 20."""

_SIGKILL = 9
_PR_SET_NO_NEW_PRIVS = 38


class Hardening:
    """What holds, and what could not be had, in words for the operator."""

    def __init__(self) -> None:
        self.applied: list[str] = []
        self.missing: list[str] = []

    def note(self, what: str, why_not: str | None) -> None:
        """Write one measure down."""
        if why_not is None:
            self.applied.append(what)
        else:
            self.missing.append(f"{what}: {why_not}")


def harden(parent_pid: int) -> Hardening:
    """The first step, before the engine is loaded. Ends the process if its parent has gone already."""
    report = Hardening()
    os.environ.clear()  # Python itself sets LC_CTYPE in an empty one
    report.note("empty environment", None)
    if sys.platform == "linux":
        report.note("dies with its parent", _prctl(PR_SET_PDEATHSIG, _SIGKILL))
        report.note("no new privileges", _prctl(_PR_SET_NO_NEW_PRIVS, 1))
        if os.getppid() != parent_pid:
            sys.exit(0)  # the parent went before the signal was set
    else:
        for what in ("dies with its parent", "no new privileges"):
            report.note(what, f"{sys.platform} has no such thing")
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (STDERR_BYTES, STDERR_BYTES))
        resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
        report.note(f"no core dumps, no files over 1 MiB, {DESCRIPTORS} descriptors", None)
    else:
        report.note("limits on files and descriptors", "not on Windows")
    return report


def seal(report: Hardening) -> None:
    """The second step, when all is loaded. Call it in the thread that serves the guest."""
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
        # The kernel exempts root.
        report.note("no new processes or threads (resource limit)", "root is exempt" if os.geteuid() == 0 else None)
    else:
        report.note("no new processes", "not on Windows")
    report.note("no file, socket or signal (Landlock)", install_landlock())
    report.note("no file, socket, process or foreign memory (seccomp)", install_seccomp())


def _prctl(option: int, value: int) -> str | None:
    libc = ctypes.CDLL(None, use_errno=True)
    return None if libc.prctl(option, value, 0, 0, 0) == 0 else os.strerror(ctypes.get_errno())
