"""The answers that this server last gave to a client's first requests, in a file that only its owner can read.

They belong to one command line, configuration and state of our code. A file that is damaged, or written for anything
else, is ignored.
"""

import hashlib
import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, cast

import codeact_bridges
from codeact_bridges.system.private_files import keep_newest, read_small, write_private

Answers: TypeAlias = Mapping[str, Mapping[str, Any]]
"""Results by request: `initialize 2025-11-25`, `tools/list 2026-07-28`, `initialize other` for unknown versions."""

MAX_FILE_BYTES = 1_000_000
MAX_CONFIG_BYTES = 16_000_000
MAX_FILES = 200
"""Recordings of one user; the most recently written ones stay."""

FORMAT = 1

_VARIABLES = re.compile(rb"\$\{?(?:env:)?([A-Za-z_][A-Za-z0-9_]*)")


class Recording:
    """The recorded answers for one way of starting this server."""

    def __init__(self, path: str) -> None:
        self.path = path

    @classmethod
    def of(cls, arguments: Sequence[str], environ: Mapping[str, str]) -> "Recording | None":
        """Return the recording for a command line (without the program's name).

        None: this is not `serve`, or a file that it names cannot be read.
        """
        if list(arguments[:1]) != ["serve"]:
            return None
        digest = hashlib.sha256()
        try:
            for part in _identity(arguments, environ):
                digest.update(hashlib.sha256(part).digest())
        except (OSError, ValueError):
            return None
        return cls(os.path.join(_state_folder(environ), "openings", f"{digest.hexdigest()}.json"))

    def read(self) -> Answers | None:
        """Return the recorded answers; None without a valid recording."""
        digest, _, body = (read_small(self.path, MAX_FILE_BYTES) or "").partition("\n")
        if digest != self._digest(body):
            return None
        try:
            answers: Any = json.loads(body)
        except (ValueError, RecursionError):
            return None
        whole = type(answers) is dict and all(type(each) is dict for each in cast("dict[str, Any]", answers).values())
        return cast("Answers", answers) if whole else None

    def write(self, answers: Answers) -> None:
        """Replace the recording. Raises `OSError`."""
        body = json.dumps(answers, ensure_ascii=True)
        if len(body) < MAX_FILE_BYTES - 100:
            write_private(self.path, f"{self._digest(body)}\n{body}")
            keep_newest(os.path.dirname(self.path), MAX_FILES)

    def _digest(self, body: str) -> str:
        """The digest of a recording. With the file's name: a copy of another recording is not this one."""
        return hashlib.sha256(f"{os.path.basename(self.path)} {FORMAT}\n{body}".encode()).hexdigest()


def _identity(arguments: Sequence[str], environ: Mapping[str, str]) -> list[bytes]:
    """Everything on which the answers depend, as far as it can be known before the configuration is parsed."""
    parts = [_code(), *(os.fsencode(word) for word in arguments)]
    for place, word in enumerate(arguments):
        if word == "--":
            parts.append(os.fsencode(os.getcwd()))  # a command's relative paths start here
            break
        name, equals, value = word.partition("=")
        if name == "--config":
            path = value if equals else arguments[place + 1] if place + 1 < len(arguments) else ""
            parts += _configuration(os.path.expanduser(path), environ)
    return parts


def _configuration(path: str, environ: Mapping[str, str]) -> list[bytes]:
    """The path, the text, and the variables that the text refers to."""
    if not os.path.isfile(path):
        raise ValueError(path)  # a pipe can be read only once, and that is not here
    with open(path, "rb") as file:
        text = file.read(MAX_CONFIG_BYTES + 1)
    if len(text) > MAX_CONFIG_BYTES:
        raise ValueError(path)
    names = sorted({name.decode() for name in _VARIABLES.findall(text)})
    variables = [os.fsencode(f"{name}={environ.get(name)}") for name in names]
    return [os.fsencode(os.path.abspath(path)), text, *variables]


def _code() -> bytes:
    """The state of our own code. The version alone does not change with each commit that somebody installs."""
    front = os.path.dirname(os.path.abspath(__file__))
    waiting = [os.path.dirname(front), os.path.dirname(os.path.abspath(codeact_bridges.__file__))]
    files: list[str] = []
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir():
                    waiting.append(entry.path)
                elif entry.name.endswith(".py"):
                    found = entry.stat()
                    files.append(f"{entry.path} {found.st_mtime_ns} {found.st_size}")
    return os.fsencode("\n".join(sorted(files)))


def _state_folder(environ: Mapping[str, str]) -> str:
    """The same folder as `platformdirs.user_state_path`, whose import takes as long as all of the front."""
    home = os.path.expanduser("~")
    usual = ("Library", "Application Support") if sys.platform == "darwin" else (".local", "state")
    return os.path.join(environ.get("XDG_STATE_HOME", "").strip() or os.path.join(home, *usual), "codeact-mcp")
