"""Runs the MCP server for a client, and stores every message that passes: `python tee.py FOLDER`.

FOLDER/server.json says what to start and which variables to add to the client's. The messages go unchanged, and to
FOLDER/wire.jsonl; what the server writes to stderr goes to FOLDER/server.log. Standard library only, and little of it:
a client waits for the first answer.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import IO


def main(folder: Path) -> int:
    """Returns the server's exit code."""
    order = json.loads((folder / "server.json").read_text())
    environment = {**os.environ, **order["environment"]}
    with (folder / "server.log").open("ab") as log, (folder / "wire.jsonl").open("ab", buffering=0) as wire:
        child = subprocess.Popen(
            order["command"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, bufsize=0, env=environment
        )

        def pass_signal_on(number: int, _: FrameType | None) -> None:
            child.send_signal(number)

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, pass_signal_on)
        assert child.stdin is not None
        assert child.stdout is not None
        threading.Thread(target=pump, args=(sys.stdin.buffer, child.stdin, wire, b"client"), daemon=True).start()
        pump(child.stdout, sys.stdout.buffer, wire, b"server")
        return child.wait()


def pump(source: IO[bytes], target: IO[bytes], wire: IO[bytes], sender: bytes) -> None:
    """Pass lines on until `source` or `target` ends. One write a line, so that the other direction's stay whole."""
    try:
        for line in iter(source.readline, b""):
            wire.write(b'{"from": "%b", "message": %b}\n' % (sender, line.strip() or b"null"))
            target.write(line)
            target.flush()
    except OSError:
        pass
    if sender == b"client":
        target.close()


if __name__ == "__main__":
    code = main(Path(sys.argv[1]))
    # The thread may be inside a read, and closing stdin would wait for it.
    os._exit(code & 0xFF)
