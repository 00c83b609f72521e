"""A downstream server whose tools only read. Written without the SDK, so that it starts quickly.

    python orders.py LOG

`customer_addresses` adds a line to LOG when it is called.
"""

import json
import sys
from pathlib import Path
from typing import Any

READS = {"readOnlyHint": True, "openWorldHint": False}
NOTHING: dict[str, Any] = {"type": "object", "properties": {}}
NUMBER: dict[str, Any] = {"type": "object", "properties": {"order_id": {"type": "integer"}}, "required": ["order_id"]}
TOOLS: list[dict[str, Any]] = [
    {"name": "list_orders", "description": "All orders.", "inputSchema": NOTHING, "annotations": READS},
    {"name": "get_order", "description": "One order.", "inputSchema": NUMBER, "annotations": READS},
    {
        "name": "customer_addresses",
        "description": "Where customers live.",
        "inputSchema": NOTHING,
        "annotations": READS,
    },
]
ORDERS = [
    {"order_id": 1001, "city": "Lisbon", "product": "widget", "qty": 3, "unit_price": 9.99},
    {"order_id": 1002, "city": "Oslo", "product": "gadget", "qty": 1, "unit_price": 19.99},
    {"order_id": 1003, "city": "Nairobi", "product": "sprocket", "qty": 10, "unit_price": 4.5},
]


def call(name: str, arguments: dict[str, Any]) -> tuple[str, bool]:
    """The text of a result, and whether it is an error."""
    match name:
        case "list_orders":
            return json.dumps(ORDERS), False
        case "get_order":
            wanted = arguments["order_id"]
            found = [order for order in ORDERS if order["order_id"] == wanted]
            return (json.dumps(found[0]), False) if found else (f"there is no order {wanted}", True)
        case _:
            with Path(sys.argv[1]).open("a") as log:
                log.write(f"{name}\n")
            return "[]", False


def main() -> None:
    for line in sys.stdin:
        message = json.loads(line)
        params: dict[str, Any] = message.get("params") or {}
        result: dict[str, Any] = {}
        match message["method"]:
            case "initialize":
                info = {"name": "orders", "version": "1"}
                version = params["protocolVersion"]
                result = {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info}
            case "tools/list":
                result = {"tools": TOOLS}
            case "tools/call":
                text, failed = call(params["name"], params["arguments"])
                result = {"content": [{"type": "text", "text": text}], "isError": failed}
            case _:
                pass
        if "id" in message:
            sys.stdout.write(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
