"""A server that answers when it is told to, and costs next to nothing itself. By hand, in the handshake era."""

import json
import sys
import threading
import time
from typing import Any

LOCK = threading.Lock()
SCHEMA = {"type": "object", "properties": {"seconds": {"type": "number"}}, "required": ["seconds"]}


def say(number: int, result: dict[str, Any]) -> None:
    with LOCK:
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", "id": number, "result": result}) + "\n")
        sys.stdout.flush()


def answer(number: int, seconds: float) -> None:
    time.sleep(seconds)
    say(number, {"content": [{"type": "text", "text": "slept"}]})


for line in sys.stdin:
    message = json.loads(line)
    if "id" not in message:
        continue
    match message["method"]:
        case "initialize":
            info = {"name": "sleeper", "version": "0"}
            say(message["id"], {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": info})
        case "tools/list":
            say(message["id"], {"tools": [{"name": "sleep", "inputSchema": SCHEMA}]})
        case "tools/call" if (seconds := message["params"]["arguments"]["seconds"]) > 0:
            threading.Thread(target=answer, args=(message["id"], seconds), daemon=True).start()
        case "tools/call":
            answer(message["id"], 0)
        case _:
            error = {"code": -32601, "message": "no such method"}
            sys.stdout.write(json.dumps({"jsonrpc": "2.0", "id": message["id"], "error": error}) + "\n")
            sys.stdout.flush()
