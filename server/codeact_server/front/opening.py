"""The beginning of a stdio connection: answers from a recording while the SDK is imported, which takes a second.

Nothing is invented. The answers are what this server last said for the same command line, configuration and version.
All that the client sends is replayed to the SDK's server, so that the session is initialised by the real `initialize`.
The SDK's answer to a request that has been answered is compared and dropped; if the tool list differs, the client is
notified that it has changed. Every request that the recording does not cover waits for the SDK.

A thread answers, because importing blocks the main one. Needs descriptors that `poll` can wait for: pipes or sockets.
"""

import json
import os
import select
import stat
import sys
import threading
from collections.abc import Mapping
from typing import Any

from codeact_server.front.recording import Answers
from codeact_server.front.requests import Id, Request, request_on

HANDSHAKE_VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
"""Protocol versions that begin with `initialize`."""

MODERN_VERSIONS = ("2026-07-28",)
"""Protocol versions that begin with any request, which names its version itself."""

LISTS = ("tools/list", "resources/list", "resources/templates/list")
"""What clients list before they show their model any tool: Claude Code waits for all of them."""

READ_BYTES = 1 << 16
HELD_BYTES = 1 << 20
"""Bytes that are read before the SDK is there. A client that sends more waits."""

ANSWER_BYTES = 16_000
"""Bytes of all recorded answers that are sent: less than a pipe holds, so that no write blocks."""

SWITCH_INTERVAL_S = 0.000_5
"""How long an import may go on before the answering thread gets its turn. Python's default is 5 ms."""

_LIST_CHANGED = '{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}\n'


def claim(fd: int) -> int:
    """Move a standard stream to a private descriptor, so that no print and no child process disturbs the protocol."""
    private = os.dup(fd)
    if fd == 0:
        replacement = os.open(os.devnull, os.O_RDONLY)
        os.dup2(replacement, fd)
        os.close(replacement)
    else:
        os.dup2(2, fd)
    return private


def is_pollable(fd: int) -> bool:
    """Whether one can wait until the descriptor is readable or writable."""
    kind = os.fstat(fd).st_mode
    return sys.platform != "win32" and (stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind))


class Opening:
    """Reads a client's first messages and answers those that the recording covers, until `hand_over`."""

    def __init__(self, stdin: int, stdout: int, answers: Answers) -> None:
        """Takes over both descriptors, and starts to answer."""
        self.stdin, self.stdout = stdin, stdout
        self._answers = answers
        self._read = bytearray()
        self._parsed = 0
        """Bytes of `_read` whose lines have been looked at."""
        self._ids: set[Id] = set()
        """Of all requests read."""
        self._answered: dict[Id, tuple[str, Mapping[str, Any]]] = {}
        """Request id to method and result, until the SDK has answered the same request."""
        self._modern: bool | None = None
        """Whether requests name their version themselves: the first one decides, as with the SDK's server."""
        self._sent_bytes = 0
        self._version: str | None = None
        """Of the handshake, once answered."""
        self._stopped, self._stop = os.pipe()
        self._switch_interval = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        self._thread = threading.Thread(target=self._run, name="opening", daemon=True)
        self._thread.start()

    def hand_over(self) -> bytes:
        """Stop answering, and return everything that was read, for the SDK's server."""
        os.write(self._stop, b"x")
        self._thread.join()
        os.close(self._stopped)
        os.close(self._stop)
        sys.setswitchinterval(self._switch_interval)
        return bytes(self._read)

    def corrected(self, line: str) -> str:
        """Return what to send of a line that the SDK's server sends: nothing if it repeats a recorded answer."""
        if not self._answered:
            return line
        message = json.loads(line)
        if "method" in message or message.get("id") not in self._answered:
            return line
        method, result = self._answered.pop(message["id"])
        if message.get("result") == result or method != "tools/list" or self._version is None:
            return ""
        return _LIST_CHANGED

    def _run(self) -> None:
        ready = select.poll()
        ready.register(self._stopped, select.POLLIN)
        ready.register(self.stdin, select.POLLIN)
        try:
            while len(self._read) < HELD_BYTES and not any(fd == self._stopped for fd, _ in ready.poll()):
                if not (data := os.read(self.stdin, READ_BYTES)):
                    return
                self._read += data
                self._answer_lines()
        except OSError:
            return  # the client has gone, which the SDK's server will find out, too

    def _answer_lines(self) -> None:
        while self._sent_bytes <= ANSWER_BYTES and (end := self._read.find(b"\n", self._parsed)) >= 0:
            line, self._parsed = self._read[self._parsed : end], end + 1
            request = request_on(bytes(line))
            if request is None or request.id in self._ids:
                continue  # of an id used twice, nobody can tell which answer is whose
            self._ids.add(request.id)
            if self._modern is None:
                self._modern = request.opens_modern
            if (result := self._result(request)) is None:
                continue
            message = {"jsonrpc": "2.0", "id": request.id, "result": result}
            text = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode(errors="replace") + b"\n"
            self._sent_bytes += len(text)
            if self._sent_bytes > ANSWER_BYTES:
                return
            self._answered[request.id] = (request.method, result)
            while text:
                text = text[os.write(self.stdout, text) :]

    def _result(self, request: Request) -> Mapping[str, Any] | None:
        """Return the recorded answer. None: the recording does not cover the request, or its parameters are odd."""
        if not request.usual:
            return None
        if request.method == "initialize":
            return self._initialized(request.params["protocolVersion"])
        version = request.version if self._modern else self._version
        if (request.version is not None) is not self._modern or (self._modern and version not in MODERN_VERSIONS):
            return None  # no version, or two: refused in the SDK's own words
        if request.method == "ping" and self._version:
            return {}
        covered = request.method in ("server/discover", *LISTS) and request.params.get("cursor") is None
        return self._answers.get(f"{request.method} {version}") if covered else None

    def _initialized(self, version: str) -> Mapping[str, Any] | None:
        if self._version or self._modern:
            return None
        result = self._answers.get(f"initialize {version if version in HANDSHAKE_VERSIONS else 'other'}")
        self._version = result.get("protocolVersion") if result is not None else None
        return result
