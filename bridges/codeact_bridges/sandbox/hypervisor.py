"""Whether Hyperlight works on this machine, and if not why not: the cause and the cure, in plain words.

`obstacle` looks and starts nothing. Only a micro-VM that ran a line is proof: a `/dev/kvm` that exists may be one on
which no VM runs.
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
"""A micro-VM starts in 0.2 s; in an emulated machine that took 5 s."""

DEVICES = (Path("/dev/mshv"), Path("/dev/kvm"))
"""In the order in which Hyperlight takes them."""

NESTED = (
    "in a virtual machine or in the cloud, turn on nested virtualization at its host; "
    "on real hardware, VT-x or AMD-V in the firmware"
)


def obstacle() -> str | None:
    """What stands in the way for certain, or None where a try is worth it."""
    machine = platform.machine()
    if (sys.platform, machine) not in (("linux", "x86_64"), ("win32", "AMD64")):
        return f"Hyperlight runs on Linux and Windows on x86-64, and this is {sys.platform} on {machine}"
    for name in ENGINE_PACKAGES["hyperlight"]:
        if find_spec(name) is None:
            return (
                f"the package {name!r} is not installed: pip install 'hyperlight-sandbox[wasm,python-guest]>=0.8,<0.9'"
            )
    return device_obstacle(DEVICES) if sys.platform != "win32" else None


def device_obstacle(devices: tuple[Path, ...]) -> str | None:
    """As `obstacle`, for Linux's hypervisors."""
    present = [device for device in devices if device.exists()]
    if not present:
        return f"there is no /dev/kvm: {NESTED}; in a container, pass --device=/dev/kvm"
    if any(os.access(device, os.R_OK | os.W_OK) for device in present):
        return None
    return f"this user may not open {present[-1]}: {_cure_for_permission(present[-1])}"


def explain(said: str) -> str:
    """What Hyperlight said when a micro-VM did not start, behind what it means."""
    short = one_line(said, 151)
    if "No Hypervisor was found" in said:
        return f"Hyperlight finds no hypervisor ({short}): {NESTED}"
    if "Failed to create sandbox" in said:
        return f"there is a hypervisor, but no micro-VM starts on it ({short}): {NESTED}"
    return f"no micro-VM starts ({short})"


def probe() -> str | None:
    """Run a line in a real micro-VM, in a process of its own. Why that failed, or None."""
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
    said = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
    return explain(said or f"exit code {done.returncode}")


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
    return "give a group the right to read and write it, and join that group"
