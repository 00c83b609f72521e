"""A downstream server that misbehaves on request. Written without the SDK, which would prevent most of it.

    python hostile.py [--start hang|exit|exit-at-discover|mute-discover|garbage|cry] [--state FILE] [--stubborn]
                      [--child]

It speaks the handshake era over stdio. FILE stores its state across restarts. The tool `pid` returns its process id.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

Arguments = dict[str, Any]

ANY_OBJECT: dict[str, Any] = {"type": "object"}
GOOD_TOOLS: list[dict[str, Any]] = [
    {
        "name": "echo",
        "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
    },
    {"name": "hang", "inputSchema": ANY_OBJECT},
    {"name": "wait_until_hanging", "inputSchema": ANY_OBJECT},
    {"name": "wait_until_cancelled", "inputSchema": ANY_OBJECT},
    {"name": "die", "inputSchema": ANY_OBJECT},
    {"name": "die_once", "inputSchema": ANY_OBJECT, "annotations": {"idempotentHint": True}},
    {"name": "die_once_read_only", "inputSchema": ANY_OBJECT, "annotations": {"readOnlyHint": True}},
    {"name": "flood", "inputSchema": ANY_OBJECT},
    {"name": "endless_line", "inputSchema": ANY_OBJECT},
    {"name": "grow", "inputSchema": ANY_OBJECT},
    {"name": "deafen", "inputSchema": ANY_OBJECT},
    {"name": "pid", "inputSchema": ANY_OBJECT},
    {"name": "answer", "inputSchema": ANY_OBJECT},
    {"name": "answer_raw", "inputSchema": ANY_OBJECT},
    {"name": "refuse", "inputSchema": ANY_OBJECT},
    {"name": "lie_about_id", "inputSchema": ANY_OBJECT},
    {
        "name": "wrong_structure",
        "inputSchema": ANY_OBJECT,
        "outputSchema": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]},
    },
]
BAD_TOOLS: list[Any] = [
    {"name": "no_type", "inputSchema": {}},
    {"name": "no_schema"},
    {"name": "true_property", "inputSchema": {"type": "object", "properties": {"x": True}}},
    {"name": "not_an_object", "inputSchema": {"type": "string"}},
    {"name": "schema_is_text", "inputSchema": "nope"},
    {"name": "unknown_type", "inputSchema": {"type": "object", "properties": {"x": {"type": "strnig"}}}},
    {"inputSchema": ANY_OBJECT},
    "not even an object",
]


class HostileServer:
    def __init__(self, options: argparse.Namespace) -> None:
        self.start: str = options.start
        self.state: Path | None = options.state
        self.started: subprocess.Popen[bytes] | None = options.started
        self.hanging: list[int] = []
        self.cancelled: list[int] = []
        self.waiting_for_hang: list[int] = []
        self.waiting_for_cancel: list[int] = []
        self.grown = False

    def serve(self) -> None:
        for line in sys.stdin:
            message = json.loads(line)
            method: str = message.get("method", "")
            if method == "notifications/cancelled":
                self.cancelled.append(message["params"]["requestId"])
                while self.waiting_for_cancel:
                    self.say(self.waiting_for_cancel.pop(), self.cancelled)
            elif "id" in message:
                self.request(message["id"], method, message.get("params") or {})

    def request(self, number: int, method: str, params: dict[str, Any]) -> None:
        if method == "server/discover" and self.start == "exit-at-discover":
            sys.exit(3)
        if method == "server/discover" and self.start == "mute-discover":
            return
        if method == "initialize":
            capabilities = {"tools": {"listChanged": True}}
            info = {"name": "hostile", "version": "0"}
            version: str = params["protocolVersion"]
            self.result(number, {"protocolVersion": version, "capabilities": capabilities, "serverInfo": info})
        elif method == "tools/list":
            self.list_page(number, params.get("cursor"))
        elif method == "tools/call":
            tool: Callable[[int, Arguments], None] | None = getattr(self, f"tool_{params['name']}", None)
            if tool is None:
                self.say(number, "called")
            else:
                tool(number, params.get("arguments") or {})
        else:
            self.error(number, -32601, f"no method {method}")

    def list_page(self, number: int, cursor: str | None) -> None:
        """Two pages of tools."""
        if cursor is None:
            self.result(number, {"tools": GOOD_TOOLS, "nextCursor": "2"})
        else:
            grown = [{"name": "grown", "inputSchema": ANY_OBJECT}] if self.grown else []
            self.result(number, {"tools": BAD_TOOLS + grown})

    def tool_echo(self, number: int, arguments: Arguments) -> None:
        self.say(number, arguments["text"])

    def tool_hang(self, number: int, _: Arguments) -> None:
        self.hanging.append(number)
        while self.waiting_for_hang:
            self.say(self.waiting_for_hang.pop(), "hanging")

    def tool_wait_until_hanging(self, number: int, _: Arguments) -> None:
        if self.hanging:
            self.say(number, "hanging")
        else:
            self.waiting_for_hang.append(number)

    def tool_wait_until_cancelled(self, number: int, _: Arguments) -> None:
        if self.cancelled:
            self.say(number, self.cancelled)
        else:
            self.waiting_for_cancel.append(number)

    def tool_die(self, _: int, __: Arguments) -> NoReturn:
        sys.stderr.write("Traceback: the disk is on fire\n")
        sys.stderr.flush()
        os._exit(7)

    def tool_die_once(self, number: int, _: Arguments) -> None:
        if self.state is not None and not self.state.exists():
            self.state.write_text("died")
            os._exit(7)
        self.say(number, "survived")

    tool_die_once_read_only = tool_die_once

    def tool_flood(self, number: int, _: Arguments) -> NoReturn:
        note = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "x" * 200}}
        lines = (json.dumps(note) + "\nthis is not JSON\n") * 50
        while True:
            write(lines)

    def tool_endless_line(self, number: int, _: Arguments) -> NoReturn:
        while True:
            write("x" * 1_000_000)

    def tool_grow(self, number: int, _: Arguments) -> None:
        self.grown = True
        for _times in range(5):
            send({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"})
        self.say(number, "grown")

    def tool_deafen(self, _: int, __: Arguments) -> NoReturn:
        while True:
            signal.pause()

    def tool_pid(self, number: int, _: Arguments) -> None:
        self.say(number, {"pid": os.getpid(), "child": self.started.pid if self.started else None})

    def tool_answer(self, number: int, arguments: Arguments) -> None:
        """Respond with the result in the arguments."""
        self.result(number, arguments["result"])

    def tool_answer_raw(self, number: int, arguments: Arguments) -> None:
        """Write the text in the arguments in place of a response. `ID` in it becomes the request's id."""
        write(arguments["line"].replace("ID", str(number)) + "\n")

    def tool_refuse(self, number: int, _: Arguments) -> None:
        self.error(number, -32602, "I would rather not")

    def tool_lie_about_id(self, number: int, _: Arguments) -> None:
        self.say(number + 1_000_000, "not yours")
        self.say(number, "yours")

    def tool_wrong_structure(self, number: int, _: Arguments) -> None:
        self.result(number, {"content": [], "structuredContent": {"n": "not an integer", "more": [1]}})

    def say(self, number: int, value: Any) -> None:
        text = value if isinstance(value, str) else json.dumps(value)
        self.result(number, {"content": [{"type": "text", "text": text}]})

    def result(self, number: int, result: Any) -> None:
        send({"jsonrpc": "2.0", "id": number, "result": result})

    def error(self, number: int, code: int, text: str) -> None:
        send({"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": text}})


def send(message: dict[str, Any]) -> None:
    write(json.dumps(message) + "\n")


def write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def sleep_for_ever() -> NoReturn:
    while True:
        signal.pause()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--start", default="well")
    parser.add_argument("--state", type=Path)
    parser.add_argument("--stubborn", action="store_true", help="survive the end of stdin, and SIGTERM")
    parser.add_argument("--child", action="store_true", help="start a child process that outlives the server")
    options = parser.parse_args()
    options.started = None
    if options.stubborn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if options.child:
        options.started = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    match options.start:
        case "hang":
            sleep_for_ever()
        case "exit":
            sys.exit("ModuleNotFoundError: no module named 'hostility'")
        case "garbage":
            write("Starting up, please wait ...\n\x00\xff\n{}\n[]\nnull\n")
        case "cry":
            sys.stderr.write("x" * 3_000_000)
            sys.stderr.flush()
        case _:
            pass
    HostileServer(options).serve()
    if options.stubborn:
        sleep_for_ever()


if __name__ == "__main__":
    main()
