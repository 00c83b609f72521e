"""Where the guest's source and what was built of it lie."""

from pathlib import Path

_BUILT = Path(__file__).parent / "built"


RUNTIME = Path(__file__).parent / "runtime"
"""The guest runtime's source."""


COMPONENT = _BUILT / "guest.wasm"
"""The guest as a Wasm component: CPython 3.14, the runtime, and the common modules already imported."""


STANDARD_LIBRARY = _BUILT / "stdlib.zip"
"""The standard library, tzdata and the runtime; a `.py` is a marshalled code object. Its comment: the magic number."""
