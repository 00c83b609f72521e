"""The paths of the guest's source and of its built images."""

from pathlib import Path

_BUILT = Path(__file__).parent / "built"

RUNTIME = Path(__file__).parent / "runtime"
"""The guest runtime's source."""

COMPONENT = _BUILT / "guest.wasm"
"""The guest as a Wasm component: CPython 3.14, the runtime, and the common modules already imported."""

STANDARD_LIBRARY = _BUILT / "stdlib.zip"
"""The standard library, tzdata and the runtime. Each `.py` is a marshalled code object; the archive's comment is the
magic number of the Python that made it."""
