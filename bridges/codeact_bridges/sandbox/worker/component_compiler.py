"""Compile the guest component in a separate process, so that the server stays responsive. Run by `component_cache`."""

import sys
from pathlib import Path

from codeact_bridges.sandbox.worker.wasmtime_engine import compile_component


def main() -> None:
    """Compile SOURCE into TARGET, the arguments after `--`."""
    source, target = sys.argv[sys.argv.index("--") + 1 :]
    compile_component(Path(source), Path(target))
