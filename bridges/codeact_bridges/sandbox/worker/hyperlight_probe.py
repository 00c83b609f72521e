"""Start one micro-VM and run one line in it. Run by `hypervisor.probe` in a separate process."""

import os
import sys
from importlib import import_module
from typing import Any

from codeact_bridges.sandbox.worker.engine import GuestTrap
from codeact_bridges.sandbox.worker.hyperlight_engine import guest_image


def main() -> None:
    """Exit with code 0, or with code 1 and the reason as the last line of stderr."""
    try:
        hyperlight_sandbox: Any = import_module("hyperlight_sandbox")  # exists on two platforms only
        sandbox = hyperlight_sandbox.Sandbox(backend="wasm", module_path=str(guest_image()))
        done = sandbox.run("print(6 * 7)")
    except (ImportError, GuestTrap, RuntimeError) as exc:
        error = str(exc)
    else:
        error = "" if done.stdout == "42\n" else f"it ran, but returned {done!r}"
    sys.stderr.write(error)
    sys.stderr.flush()
    os._exit(1 if error else 0)
