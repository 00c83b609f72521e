"""Build time only: a component that returns its own standard library as code objects, in a zip archive.

`componentize-py` shows an app the whole library under /python while the app is pre-initialized, and never again; the
build has put the `tzdata` package on the app's own path. Modules become code objects; tzdata's other files are copied
unchanged. Tests are left out, and modules that need processes, threads, windows, a terminal or C code that the guest
does not have (`codeact_guest/unavailable.py` gives the reason when a program imports one).

The archive holds the runtime too, for an engine whose image does not. A file is named as the guest sees it, without the
first slash: `python/json/__init__.py`, `codeact_guest/host.py`.
"""

import base64
import io
import marshal
import sys
import zipfile
from importlib.util import MAGIC_NUMBER
from pathlib import Path

import wit_world

LIBRARY = Path("/python")

LEFT_OUT = (
    "asyncio/tools.py",
    "asyncio/windows_",
    "bz2.py",
    "compression/bz2.py",
    "compression/lzma.py",
    "compression/zstd/",
    "concurrent/futures/interpreter.py",
    "concurrent/futures/process.py",
    "concurrent/interpreters/",
    "config-3",
    "ctypes/",
    "curses/",
    "dbm/gnu.py",
    "dbm/ndbm.py",
    "encodings/bz2_codec.py",
    "encodings/mbcs.py",
    "encodings/oem.py",
    "ensurepip/",
    "idlelib/",
    "lib2to3/",
    "lzma.py",
    "multiprocessing/",
    "pty.py",
    "ssl.py",
    "test/",
    "tkinter/",
    "tty.py",
    "turtle.py",
    "turtledemo/",
    "venv/",
    "_aix_support.py",
    "_android_support.py",
    "_apple_support.py",
    "_ios_support.py",
    "_osx_support.py",
    "_pyrepl/fancy_termios.py",
    "_pyrepl/readline.py",
    "_pyrepl/simple_interact.py",
    "_pyrepl/unix_",
    "_pyrepl/windows_",
)

FILES: dict[str, bytes] = {}


def add_code(name: str, source: Path) -> None:
    """Add the marshalled code of a module."""
    FILES[name] = marshal.dumps(compile(source.read_bytes(), f"/{name}", "exec", dont_inherit=True))


def collect(root: Path, folder: Path) -> None:
    """Add the files in `folder`, named relative to `root`."""
    for path in folder.rglob("*"):
        name = path.relative_to(root).as_posix()
        if name.startswith(LEFT_OUT) or "/test/" in name or "/tests/" in name or path.is_dir():
            continue
        if name.endswith(".py"):
            add_code(f"python/{name}", path)
        elif folder.name == "tzdata" and "__pycache__" not in name:
            FILES[f"python/{name}"] = path.read_bytes()


collect(LIBRARY, LIBRARY)
for entry in map(Path, sys.path):
    if (entry / "tzdata").is_dir():
        collect(entry, entry / "tzdata")
    if (entry / "codeact_guest").is_dir():
        for source in (entry / "common_modules.py", *(entry / "codeact_guest").rglob("*.py")):
            add_code(source.relative_to(entry).as_posix(), source)


class WitWorld(wit_world.WitWorld):
    """The world's one export."""

    def make(self) -> str:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.comment = MAGIC_NUMBER.hex().encode()
            for name in sorted(FILES):
                info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
                info.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(info, FILES[name])
        return base64.b64encode(buffer.getvalue()).decode()
