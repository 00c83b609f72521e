"""A downstream server whose tools stand in a file. Written without the SDK, so that it starts quickly.

    python listing.py FILE [--gate FIFO]

Each line of FILE is the name of a tool; one that ends with `!` is destructive, every other is read-only. The tools
return their name. It reads FIFO to its end before it responds to anything.
"""

import json
import sys
from pathlib import Path
from typing import Any


def tools(file: Path) -> list[dict[str, Any]]:
    return [
        {
            "name": name.rstrip("!"),
            "description": "A tool.",
            "inputSchema": {"type": "object", "properties": {}},
            "annotations": {"readOnlyHint": "!" not in name, "destructiveHint": "!" in name, "openWorldHint": False},
        }
        for name in file.read_text().split()
    ]


def main(file: Path, gate: Path | None) -> None:
    if gate is not None:
        gate.read_bytes()
    for line in sys.stdin:
        message = json.loads(line)
        params: dict[str, Any] = message.get("params") or {}
        result: dict[str, Any] = {}
        match message["method"]:
            case "initialize":
                info = {"name": "listing", "version": "0"}
                version = params["protocolVersion"]
                result = {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info}
            case "tools/list":
                result = {"tools": tools(file)}
            case "tools/call":
                result = {"content": [{"type": "text", "text": params["name"]}], "isError": False}
            case _:
                pass
        if "id" in message:
            sys.stdout.write(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[3]) if sys.argv[2:3] == ["--gate"] else None)
