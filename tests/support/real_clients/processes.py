"""Starts clients, and sees to it that nothing they start outlives them.

A client gets a home of its own, next to no environment, and a process group. All that it starts carries a mark in its
environment, by which it is found.
"""

import os
import secrets
import signal
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import DEVNULL

import anyio
import anyio.abc
from real_clients.installation import node_folder
from served import until

MARK = "CODEACT_TEST_CLIENT"
LEAVE_S = 60
"""How long a client, and then what it has started, may take to end by itself."""


@dataclass(frozen=True, slots=True)
class ClientProcess:
    """A client that was started."""

    process: anyio.abc.Process
    folder: Path
    """What it writes is in `client.out` and `client.err` here."""

    left: list[str] = field(default_factory=list[str])
    """The command lines of what did not end by itself; complete after the block."""

    @property
    def output(self) -> str:
        return (self.folder / "client.out").read_text(errors="replace")


def new_mark() -> dict[str, str]:
    """A variable that tells the processes of one client from all others."""
    return {MARK: secrets.token_hex(16)}


@asynccontextmanager
async def client_process(
    command: Sequence[str], home: Path, environment: Mapping[str, str]
) -> AsyncGenerator[ClientProcess]:
    """Run a client for the length of the block, in the folder `work` beside its home. `environment` has a mark."""
    work, temporary = home.with_name("work"), home / "tmp"
    for folder in (work, temporary):
        folder.mkdir(exist_ok=True)
    path = os.pathsep.join([str(node_folder()), "/usr/local/bin", "/usr/bin", "/bin"])
    given = {"HOME": str(home), "LANG": "C.UTF-8", "NO_COLOR": "1", "PATH": path, "TERM": "xterm"}
    given |= {"TMPDIR": str(temporary), **environment}
    with (home.parent / "client.out").open("wb") as out, (home.parent / "client.err").open("wb") as err:
        process = await anyio.open_process(
            command, stdin=DEVNULL, stdout=out, stderr=err, env=given, cwd=work, start_new_session=True
        )
    client = ClientProcess(process, home.parent)
    try:
        yield client
    finally:
        with anyio.CancelScope(shield=True):
            await _end_group(process)
            client.left.extend(await _end_marked(environment[MARK]))


async def _end_group(process: anyio.abc.Process) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with anyio.move_on_after(LEAVE_S):
                await process.wait()


async def _end_marked(mark: str) -> list[str]:
    """End what carries the mark. Returns what did not end by itself."""
    with suppress(TimeoutError):
        await until(lambda: not _marked(mark), LEAVE_S)
    left = _marked(mark)
    for pid in left:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return list(left.values())


def _marked(mark: str) -> dict[int, str]:
    """The processes that carry the mark, by number, with their command lines."""
    found: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):  # it has ended, or is another user's
                if mark.encode() in (entry / "environ").read_bytes():
                    command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                    found[int(entry.name)] = command
    return found
