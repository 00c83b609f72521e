"""A downstream server through which tests observe runs. Written without the SDK, so that it starts quickly.

    python marker.py [--gate FIFO] [--stubborn]

It reads FIFO to its end before it responds. With `--stubborn` it survives the end of its stdin, and SIGTERM.
"""

import argparse
import json
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

PATH: dict[str, Any] = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
TOOLS: list[dict[str, Any]] = [
    {"name": "mark", "description": "Make the file `path`.", "inputSchema": PATH},
    {
        "name": "meet",
        "description": "Make the file `path`, or wait until it is gone if it is there.",
        "inputSchema": PATH,
    },
    {"name": "hang", "description": "Make the file `path`, and never answer.", "inputSchema": PATH},
]
PAUSE_S = 0.01
WRITING = threading.Lock()


def answer(message: dict[str, Any]) -> dict[str, Any] | None:
    params: dict[str, Any] = message.get("params") or {}
    match message["method"]:
        case "initialize":
            info = {"name": "marker", "version": "0"}
            return {"protocolVersion": params["protocolVersion"], "capabilities": {"tools": {}}, "serverInfo": info}
        case "tools/list":
            return {"tools": TOOLS}
        case "tools/call":
            path = Path(params["arguments"]["path"])
            try:
                path.touch(exist_ok=params["name"] != "meet")  # atomic: both calls may arrive at the same time
            except FileExistsError:
                path.unlink()
                return {"content": [{"type": "text", "text": "second"}]}
            if params["name"] == "hang":
                return None
            while params["name"] == "meet" and path.exists():
                time.sleep(PAUSE_S)
            return {"content": [{"type": "text", "text": "first"}]}
        case _:
            return {}


def serve(line: str) -> None:
    message = json.loads(line)
    if "id" in message and (result := answer(message)) is not None:
        line = json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}) + "\n"
        with WRITING:
            sys.stdout.write(line)
            sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--gate", type=Path)
    parser.add_argument("--stubborn", action="store_true")
    options = parser.parse_args()
    if options.stubborn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if options.gate:
        options.gate.read_text()
    for line in sys.stdin:
        threading.Thread(target=serve, args=(line,), daemon=True).start()
    while options.stubborn:
        signal.pause()


if __name__ == "__main__":
    main()
