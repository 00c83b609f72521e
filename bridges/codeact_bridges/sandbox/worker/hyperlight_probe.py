"""Starts one micro-VM and runs one line in it. Run by `hypervisor.probe` in a process of its own."""

import os
import sys
from importlib import import_module
from typing import Any

from codeact_bridges.sandbox.worker.engine import GuestTrap
from codeact_bridges.sandbox.worker.hyperlight_engine import guest_image


def main() -> None:
    """Exit code 0, or 1 with the reason as the last line of stderr."""
    try:
        hyperlight_sandbox: Any = import_module("hyperlight_sandbox")  # exists on two platforms only
        sandbox = hyperlight_sandbox.Sandbox(backend="wasm", module_path=str(guest_image()))
        done = sandbox.run("print(6 * 7)")
    except (ImportError, GuestTrap, RuntimeError) as exc:
        said = str(exc)
    else:
        said = "" if done.stdout == "42\n" else f"it ran, and gave {done!r}"
    sys.stderr.write(said)
    sys.stderr.flush()
    os._exit(1 if said else 0)
