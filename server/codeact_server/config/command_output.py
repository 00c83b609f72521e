"""`${cmd:…}`: the output of a command, such as a password manager. Needs `codeact.allow_commands = true`.

The words are split as in a shell, but no shell runs; `${cmd:sh -c 'pass show github | head -1'}` starts one. Each
command runs once, while the configuration is read. Its output, stdout and stderr, is never shown.
"""

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress

TIMEOUT_S = 20.0
"""Long enough for a password manager that requires a fingerprint."""

MAX_BYTES = 64_000


class CommandFailedError(Exception):
    """A command gave no usable output. The message names the program and the reason, never the output."""


class CommandRunner:
    """Runs each command once, with the environment `environ`."""

    def __init__(self, environ: Mapping[str, str], timeout_s: float = TIMEOUT_S) -> None:
        self._environ = dict(environ)
        self._timeout_s = timeout_s
        self._outputs: dict[str, str] = {}

    def output_of(self, command: str) -> str:
        """Return the stdout of `command` without the final line break. Raises `CommandFailedError`."""
        if command not in self._outputs:
            self._outputs[command] = self._run(command)
        return self._outputs[command]

    def _run(self, command: str) -> str:
        try:
            words = shlex.split(command)
        except ValueError as exc:
            raise CommandFailedError("the command has an unclosed quote") from exc
        if not words:
            raise CommandFailedError("${cmd:} contains no command")
        program = words[0]
        try:
            process = subprocess.Popen(
                words,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # its own process group, so that its children are killed with it
            )
        except (OSError, ValueError) as exc:
            reason = exc.strerror if isinstance(exc, OSError) and exc.strerror else "it cannot be started"
            raise CommandFailedError(f"the command {program!r}: {reason.lower()}") from exc
        with process:
            try:
                output, _ = process.communicate(timeout=self._timeout_s)
            except subprocess.TimeoutExpired:
                raise CommandFailedError(
                    f"the command {program!r} did not finish within {self._timeout_s:g} s"
                ) from None
            finally:
                _kill(process)
        if process.returncode != 0:
            raise CommandFailedError(f"the command {program!r} failed with exit code {process.returncode}")
        try:
            text = output.decode().rstrip("\r\n")
        except UnicodeDecodeError:
            raise CommandFailedError(f"the output of the command {program!r} is not UTF-8 text") from None
        if not text:
            raise CommandFailedError(f"the command {program!r} printed nothing")
        if len(output) > MAX_BYTES or "\0" in text:
            raise CommandFailedError(
                f"the output of the command {program!r} is over {MAX_BYTES:,} bytes or contains a NUL"
            )
        return text


def _kill(process: "subprocess.Popen[bytes]") -> None:
    if sys.platform == "win32":
        process.kill()
    else:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    if process.stdout is not None:
        process.stdout.close()  # a process that left the group may still hold the other end
