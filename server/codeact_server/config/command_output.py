"""`${cmd:…}`: what a program of the operator's prints, as a password manager does. Off until
`codeact.allow_commands = true`.

The words are split as a shell would, and no shell runs: `${cmd:sh -c 'pass show github | head -1'}` has one. Each
command runs once, while the configuration is read. What it prints, on stdout or on stderr, is shown to nobody.
"""

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress

TIMEOUT_S = 20.0
"""A password manager may ask its owner for a fingerprint."""

MAX_BYTES = 64_000


class CommandFailedError(Exception):
    """The command gave nothing that could be used. Says which program, and why."""


class Commands:
    """Runs commands with the environment `environ`, each once."""

    def __init__(self, environ: Mapping[str, str], timeout_s: float = TIMEOUT_S) -> None:
        self._environ = dict(environ)
        self._timeout_s = timeout_s
        self._known: dict[str, str] = {}

    def output_of(self, command: str) -> str:
        """What `command` prints, without the line break at its end. Raises `CommandFailedError`."""
        if command not in self._known:
            self._known[command] = self._run(command)
        return self._known[command]

    def _run(self, command: str) -> str:
        try:
            words = shlex.split(command)
        except ValueError as exc:
            raise CommandFailedError("its command has a quote that is not closed") from exc
        if not words:
            raise CommandFailedError("names no command")
        program = words[0]
        try:
            process = subprocess.Popen(
                words,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # a process group of its own, so that what it starts ends with it
            )
        except (OSError, ValueError) as exc:
            reason = exc.strerror if isinstance(exc, OSError) and exc.strerror else "it cannot be started"
            raise CommandFailedError(f"the command {program!r}: {reason.lower()}") from exc
        with process:
            try:
                output, _ = process.communicate(timeout=self._timeout_s)
            except subprocess.TimeoutExpired:
                raise CommandFailedError(f"the command {program!r} gave nothing within {self._timeout_s:g} s") from None
            finally:
                _kill(process)
        if process.returncode != 0:
            raise CommandFailedError(f"the command {program!r} failed with exit code {process.returncode}")
        try:
            text = output.decode().rstrip("\r\n")
        except UnicodeDecodeError:
            raise CommandFailedError(f"the command {program!r} printed what is not UTF-8 text") from None
        if not text or len(output) > MAX_BYTES or "\0" in text:
            raise CommandFailedError(f"the command {program!r} printed nothing, or too much")
        return text


def _kill(process: "subprocess.Popen[bytes]") -> None:
    if sys.platform == "win32":
        process.kill()
    else:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    if process.stdout is not None:
        process.stdout.close()  # somebody who left the group may still hold the other end
