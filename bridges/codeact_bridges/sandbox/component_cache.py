"""The guest component, compiled once per machine and stored in the user's cache directory.

A compiled component is machine code, so only files that we wrote may be loaded: the directory and the file must belong
to this user, nobody else may write to them, and the file's name contains the digest of its content. Any other file is
rebuilt, never loaded. If there is no such directory, a private temporary one is used for the life of this process.
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
    if (private := private_directory(cache)) is None:
        with tempfile.TemporaryDirectory(prefix="codeact-mcp-") as folder:
            yield await _compile(source, Path(folder), key, on_compile)
        return
    found = await anyio.to_thread.run_sync(_find, private, key)
    yield found or await _compile(source, private, key, on_compile)


def private_directory(path: Path) -> Path | None:
    """Make `path` a directory that only this user can write to, and return where it really is; None, with a warning, if
    it cannot be.

    A plain directory becomes 0700. The target of a symbolic link stays as it is: it is used if it belongs to this user,
    and nobody else can write to it or put another in its place.
    """
    shown = path
    try:
        if sys.platform == "win32":  # the access lists of a user profile make its directories private
            path.mkdir(parents=True, exist_ok=True)
            reason = "" if stat.S_ISDIR(path.lstat().st_mode) else "it is not a directory"
        elif path.is_symlink():
            path = Path(os.path.realpath(path, strict=True))  # `resolve` raises RuntimeError for a circle of links
            reason = _why_unsafe_target(path)
        else:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            reason = _why_not_made_private(path)
    except OSError as exc:
        reason = exc.strerror or str(exc)
    if not reason and not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        reason = "this user cannot write to it"
    if reason:
        log.warning(
            "%s is not private to this user (%s): the guest is compiled again for this process only", shown, reason
        )
        return None
    return path


def _why_not_made_private(path: Path) -> str:
    """Make the directory private. Returns why that is impossible, or an empty text."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        found = os.fstat(fd)
        if found.st_uid != os.geteuid():
            return "it belongs to another user"
        if stat.S_IMODE(found.st_mode) & 0o077:
            os.fchmod(fd, 0o700)
        return ""
    finally:
        os.close(fd)


def _why_unsafe_target(path: Path) -> str:
    """Return why the directory, a path without links, is not this user's alone, or an empty text.

    Every folder above it is checked, each opened in the one before: who can write to one of them could put another
    directory in this one's place after the check.
    """
    only_to_look = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW
    fd = os.open(path.anchor, only_to_look)
    try:
        for at, name in enumerate(path.parts[1:], start=1):
            if not _is_safe_folder(os.fstat(fd)):
                return f"others can replace it, because they can write to {Path(*path.parts[:at])}"
            deeper = os.open(name, only_to_look, dir_fd=fd)
            os.close(fd)
            fd = deeper
        found = os.fstat(fd)
        if found.st_uid != os.geteuid():
            return "it belongs to another user"
        return "others can write to it" if _is_writable_by_others(found) else ""
    finally:
        os.close(fd)


def _is_safe_folder(found: os.stat_result) -> bool:
    """Whether only this user and root can replace what this user and root have in the folder (as in a sticky one)."""
    return found.st_uid in (0, os.geteuid()) and (
        not _is_writable_by_others(found) or bool(found.st_mode & stat.S_ISVTX)
    )


def _is_writable_by_others(found: os.stat_result) -> bool:
    return bool(stat.S_IMODE(found.st_mode) & 0o022)


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
    return sys.platform == "win32" or (found.st_uid == os.geteuid() and not _is_writable_by_others(found))


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
