"""The guest component, compiled once per machine and stored in the user's cache directory.

A compiled component is machine code, so only files that we wrote may be loaded: the directory and the file must belong
to this user alone (0700, 0600), and the file's name contains the digest of its content. Any other file is rebuilt,
never loaded. If no such directory can be created, a private temporary one is used for the life of this process.
"""

import hashlib
import logging
import os
import platform
import re
import stat
import sys
import tempfile
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path

import anyio
import anyio.to_thread

from codeact_bridges.errors import EngineUnavailable
from codeact_bridges.sandbox.worker_process import worker_command

log = logging.getLogger(__name__)

COMPILE_TIMEOUT_S = 600.0
"""Compiling takes 5 s on an idle laptop, 16 s on a loaded one, minutes in an emulated machine."""


@asynccontextmanager
async def compiled_component(source: Path, cache: Path, on_compile: Callable[[], None]) -> AsyncGenerator[Path]:
    """The path of the component at `source` in compiled form, valid for the length of the block.

    `on_compile` is called before a compilation starts, so that the operator can be told about the delay.

    Raises:
        EngineUnavailable: the component is missing or cannot be compiled here.
    """
    if not await anyio.Path(source).exists():
        raise EngineUnavailable(
            f"the guest component {source} is missing: the package was not built completely; install it again"
        )
    key = await anyio.to_thread.run_sync(_key, source)
    if not private_directory(cache):
        log.warning("%s is not private to this user: the guest is compiled again for this process only", cache)
        with tempfile.TemporaryDirectory(prefix="codeact-mcp-") as folder:
            yield await _compile(source, Path(folder), key, on_compile)
        return
    found = await anyio.to_thread.run_sync(_find, cache, key)
    yield found or await _compile(source, cache, key, on_compile)


def private_directory(path: Path) -> bool:
    """Make `path` a directory that only this user can enter. Returns False if that is not possible."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode):
            return False
        if sys.platform == "win32":
            return True  # the access lists of a user profile make its directories private
        if found.st_uid != os.geteuid():
            return False
        if stat.S_IMODE(found.st_mode) & 0o077:
            path.chmod(0o700)
    except OSError:
        return False
    return os.access(path, os.R_OK | os.W_OK | os.X_OK)


def _key(source: Path) -> str:
    """The digest of everything that a compiled component depends on: source, Wasmtime, our settings for it, CPU."""
    digest = hashlib.sha256(source.read_bytes())
    digest.update((Path(__file__).parent / "worker" / "wasmtime_engine.py").read_bytes())
    flags: list[str] = []
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        found = re.search(r"^(?:flags|Features)\s*:(.*)$", cpuinfo.read_text(errors="replace"), re.MULTILINE)
        flags = sorted(found[1].split()) if found else []
    for part in (version("wasmtime"), sys.platform, platform.machine(), platform.processor(), *flags):
        digest.update(part.encode() + b"\0")
    return digest.hexdigest()[:32]


def _find(cache: Path, key: str) -> Path | None:
    for path in cache.glob(f"guest-{key}-*.cwasm"):
        if _is_ours(path) and path.stem == f"guest-{key}-{_digest(path)}":
            return path
        log.warning("%s is damaged or not ours: building it again", path)
        path.unlink(missing_ok=True)
    return None


def _is_ours(path: Path) -> bool:
    found = path.lstat()
    if not stat.S_ISREG(found.st_mode):
        return False
    return sys.platform == "win32" or (found.st_uid == os.geteuid() and not stat.S_IMODE(found.st_mode) & 0o022)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


async def _compile(source: Path, cache: Path, key: str, on_compile: Callable[[], None]) -> Path:
    on_compile()
    with tempfile.TemporaryDirectory(dir=cache, prefix="compiling-") as folder:
        compiled = Path(folder) / "guest.cwasm"
        command = [
            *worker_command("codeact_bridges.sandbox.worker.component_compiler", "wasmtime"),
            "--",
            str(source),
            str(compiled),
        ]
        try:
            with anyio.fail_after(COMPILE_TIMEOUT_S):
                done = await anyio.run_process(command, check=False, env={}, start_new_session=True)
        except TimeoutError as exc:
            raise EngineUnavailable(f"compiling the guest took more than {COMPILE_TIMEOUT_S:.0f} s") from exc
        if done.returncode or not compiled.exists():
            reason = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
            raise EngineUnavailable(
                f"the guest component cannot be compiled here: {reason or f'exit code {done.returncode}'}"
            )
        compiled.chmod(0o600)
        target = cache / f"guest-{key}-{await anyio.to_thread.run_sync(_digest, compiled)}.cwasm"
        compiled.replace(target)
    return target
