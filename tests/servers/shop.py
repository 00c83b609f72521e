"""A downstream server whose tools have annotations. Written without the SDK, so that it starts quickly.

    python shop.py

`hang` creates the file `path` and never responds; when its call is cancelled it creates `path.cancelled`.
"""

import json
import sys
from pathlib import Path
from typing import Any

ANY: dict[str, Any] = {"type": "object", "properties": {"item": {}, "password": {}, "path": {"type": "string"}}}
SIZE: dict[str, Any] = {"type": "object", "properties": {"size": {"type": "integer"}}, "required": ["size"]}
READS: dict[str, Any] = {"readOnlyHint": True, "openWorldHint": False}
TOOLS: list[dict[str, Any]] = [
    {"name": "look", "description": "Looks.", "inputSchema": ANY, "annotations": READS},
    {"name": "buy", "description": "Buys.", "inputSchema": ANY, "annotations": {"openWorldHint": False}},
    {"name": "drop", "description": "Drops.", "inputSchema": ANY, "annotations": {"destructiveHint": True}},
    {"name": "fail", "description": "Fails.", "inputSchema": ANY, "annotations": {"openWorldHint": False}},
    {"name": "hang", "description": "Hangs.", "inputSchema": ANY, "annotations": {"openWorldHint": False}},
    {"name": "text", "description": "A text.", "inputSchema": SIZE, "annotations": READS},
]


def say(text: str, *, failed: bool = False) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": text}], "isError": failed}


def main() -> None:
    hanging: dict[Any, Path] = {}
    for line in sys.stdin:
        message = json.loads(line)
        params: dict[str, Any] = message.get("params") or {}
        result: dict[str, Any] | None = {}
        match message["method"]:
            case "initialize":
                info = {"name": "shop", "version": "0"}
                version = params["protocolVersion"]
                result = {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info}
            case "tools/list":
                result = {"tools": TOOLS}
            case "notifications/cancelled":
                if (path := hanging.pop(params["requestId"], None)) is not None:
                    path.with_suffix(".cancelled").write_text("")
            case "tools/call":
                arguments = params["arguments"]
                match params["name"]:
                    case "hang":
                        hanging[message["id"]] = path = Path(arguments["path"])
                        path.write_text("")
                        result = None
                    case "fail":
                        result = say("the shop is closed", failed=True)
                    case "text":
                        result = say("x" * arguments["size"])
                    case name:
                        result = say(f"{name}: {arguments.get('item')}")
            case _:
                pass
        if "id" in message and result is not None:
            sys.stdout.write(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
