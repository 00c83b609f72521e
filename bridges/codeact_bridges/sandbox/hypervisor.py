"""Whether Hyperlight works on this machine, and if not, the cause and the cure in plain words.

`obstacle` checks without starting anything. Only a micro-VM that has run a line is proof: `/dev/kvm` may exist although
no VM can run on it.
"""

import os
import platform
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from codeact_bridges.errors import EngineUnavailable
from codeact_bridges.sandbox.worker_process import ENGINE_PACKAGES, worker_command
from codeact_bridges.text import one_line

PROBE_TIMEOUT_S = 20.0
"""A micro-VM starts in 0.2 s; in an emulated machine it took 5 s."""

DEVICES = (Path("/dev/mshv"), Path("/dev/kvm"))
"""In the order of Hyperlight's preference."""

NESTED = (
    "in a virtual machine or in the cloud, turn on nested virtualization on the host; "
    "on physical hardware, turn on VT-x or AMD-V in the firmware"
)


def obstacle() -> str | None:
    """The reason why Hyperlight cannot work here, or None if it may work."""
    machine = platform.machine()
    if (sys.platform, machine) not in (("linux", "x86_64"), ("win32", "AMD64")):
        return f"Hyperlight needs Linux or Windows on x86-64, and this is {sys.platform} on {machine}"
    for name in ENGINE_PACKAGES["hyperlight"]:
        if find_spec(name) is None:
            return (
                f"the package {name!r} is not installed: pip install 'hyperlight-sandbox[wasm,python-guest]>=0.8,<0.9'"
            )
    return device_obstacle(DEVICES) if sys.platform != "win32" else None


def device_obstacle(devices: tuple[Path, ...]) -> str | None:
    """Like `obstacle`, for the hypervisor devices of Linux."""
    present = [device for device in devices if device.exists()]
    if not present:
        return f"there is no /dev/kvm: {NESTED}; in a container, pass --device=/dev/kvm"
    if any(os.access(device, os.R_OK | os.W_OK) for device in present):
        return None
    return f"this user cannot open {present[-1]}: {_cure_for_permission(present[-1])}"


def explain(error: str) -> str:
    """The meaning of Hyperlight's error when a micro-VM did not start, followed by the error itself in brackets."""
    short = one_line(error, 151)
    if "No Hypervisor was found" in error:
        return f"Hyperlight finds no hypervisor ({short}): {NESTED}"
    if "Failed to create sandbox" in error:
        return f"there is a hypervisor, but no micro-VM starts on it ({short}): {NESTED}"
    return f"no micro-VM starts ({short})"


def probe() -> str | None:
    """Run a line in a real micro-VM, in a separate process. Returns the reason if that failed, else None."""
    try:
        command = worker_command("codeact_bridges.sandbox.worker.hyperlight_probe", *ENGINE_PACKAGES["hyperlight"])
        done = subprocess.run(
            command, env={}, stdin=subprocess.DEVNULL, capture_output=True, timeout=PROBE_TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return f"a micro-VM did not run one line within {PROBE_TIMEOUT_S:.0f} s"
    except (OSError, EngineUnavailable) as exc:
        return str(exc)
    if done.returncode == 0:
        return None
    error = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
    return explain(error or f"exit code {done.returncode}")


def _cure_for_permission(device: Path) -> str:
    if sys.platform != "win32":
        import grp

        found = device.stat()
        try:
            group = grp.getgrgid(found.st_gid).gr_name
        except KeyError:
            group = str(found.st_gid)
        if found.st_gid != 0 and found.st_mode & 0o060 == 0o060:
            return f"join its group with `sudo usermod -aG {group} $USER` and log in again"
    return "give a group read and write permission on it, and join that group"
