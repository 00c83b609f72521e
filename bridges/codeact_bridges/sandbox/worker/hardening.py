"""Hardening of a worker in two steps, with a report of the measures in force and those not available.

`harden` runs before the engine is loaded. `seal` runs when everything is loaded and nothing more needs to be opened;
after it a worker can only compute, use its pipes, and exit. Linux has all measures, other systems have fewer.
The system call filter is in `seccomp`, the ruleset for files and sockets in `landlock`.
"""

import ctypes
import os
import sys

from codeact_bridges.sandbox.worker.landlock import install_landlock
from codeact_bridges.sandbox.worker.seccomp import PR_SET_PDEATHSIG, install_seccomp

STDERR_BYTES = 1 << 20
"""Limit for the size of a file that a worker writes. Its only file is its stderr."""

DESCRIPTORS = 64
"""Limit for open descriptors. A worker has its pipes and stderr; Hyperlight adds about 20 for its VM and event loop."""

_SIGKILL = 9
_PR_SET_NO_NEW_PRIVS = 38


class Hardening:
    """The measures in force, and those not available with the reason. Worded for the operator."""

    def __init__(self) -> None:
        self.applied: list[str] = []
        self.missing: list[str] = []

    def note(self, measure: str, why_not: str | None) -> None:
        """Add one measure to the report. `why_not` is the reason if it is not in force."""
        if why_not is None:
            self.applied.append(measure)
        else:
            self.missing.append(f"{measure}: {why_not}")


def harden(parent_pid: int) -> Hardening:
    """The first step, before the engine is loaded. Exits if the parent process has already ended."""
    report = Hardening()
    os.environ.clear()  # Python sets LC_CTYPE in an empty environment
    report.note("empty environment", None)
    if sys.platform == "linux":
        report.note("dies with its parent", _prctl(PR_SET_PDEATHSIG, _SIGKILL))
        report.note("no new privileges", _prctl(_PR_SET_NO_NEW_PRIVS, 1))
        if os.getppid() != parent_pid:
            sys.exit(0)  # the parent ended before the signal was set
    else:
        for measure in ("dies with its parent", "no new privileges"):
            report.note(measure, f"{sys.platform} has no such thing")
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
    """The second step, when everything is loaded. Must be called in the thread that serves the guest."""
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
