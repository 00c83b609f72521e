"""Compiles the guest component in a process of its own: the server goes on answering. Run by `component_cache.py`."""

import sys
from pathlib import Path

from codeact_bridges.sandbox.worker.wasmtime_engine import compile_component


def main() -> None:
    """`… -- SOURCE TARGET`."""
    source, target = sys.argv[sys.argv.index("--") + 1 :]
    compile_component(Path(source), Path(target))
