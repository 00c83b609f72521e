"""Records how this server answers a client's first requests, by asking it. `front.opening` repeats the answers."""

import json
import logging
from typing import Any

import anyio
from mcp.server.lowlevel.server import Server
from mcp.shared.message import SessionMessage
from mcp.types import JSONRPCMessage, jsonrpc_message_adapter

from codeact_server.app import App
from codeact_server.front.opening import HANDSHAKE_VERSIONS, LISTS, MODERN_VERSIONS
from codeact_server.front.recording import Answers, Recording
from codeact_server.front.requests import CAPABILITIES_KEY, CLIENT_KEY, VERSION_KEY

log = logging.getLogger(__name__)

PAUSE_S = 1.0
"""Between a change of the tools and the recording of it: servers change their tools one by one."""

ANSWER_TIMEOUT_S = 10.0
"""For one of our own answers, which takes milliseconds."""

_CLIENT = {"name": "recorder", "version": "0"}


async def record_answers(app: App, server: Server[Any], recording: Recording) -> None:
    """Write the recording when the tools of all servers are listed, and after each change; until cancelled."""
    changed = anyio.Event()
    unsubscribe = app.tools.subscribe(lambda: changed.set())  # noqa: PLW0108  # `changed` is replaced
    try:
        while True:
            await app.tools.wait_settled()
            try:
                answers = await first_answers(server)
                if answers != recording.read():
                    recording.write(answers)
            except (OSError, TimeoutError) as exc:
                log.warning("cannot record the first answers in %s: %s", recording.path, exc)
            await changed.wait()
            changed = anyio.Event()
            await anyio.sleep(PAUSE_S)
    finally:
        unsubscribe()


async def first_answers(server: Server[Any]) -> Answers:
    """Return the results of the requests with which a new process's client begins, in every protocol version."""
    answers: dict[str, dict[str, Any]] = {}
    for version in (*HANDSHAKE_VERSIONS, "other"):
        hello = {"protocolVersion": version, "capabilities": {}, "clientInfo": _CLIENT}
        lists = LISTS if version != "other" else ()
        answers |= await _asked(server, version, {"initialize": hello, **{method: {} for method in lists}})
    for version in MODERN_VERSIONS:
        about: dict[str, Any] = {VERSION_KEY: version, CLIENT_KEY: _CLIENT, CAPABILITIES_KEY: {}}
        methods = ("server/discover", *LISTS)
        answers |= await _asked(server, version, {method: {"_meta": about} for method in methods})
    for version in (*HANDSHAKE_VERSIONS, *MODERN_VERSIONS):
        answers[f"resources/list {version}"]["resources"] = []  # a new process has stored no results
    return answers


async def _asked(server: Server[Any], version: str, requests: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Send the requests over a connection of their own. Errors are left out: they cannot be repeated."""
    to_server, server_reads = anyio.create_memory_object_stream[SessionMessage | Exception](8)
    server_writes, from_server = anyio.create_memory_object_stream[SessionMessage](8)
    answers: dict[str, dict[str, Any]] = {}
    with anyio.fail_after(ANSWER_TIMEOUT_S), to_server, from_server:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.run, server_reads, server_writes, server.create_initialization_options())
            for number, (method, params) in enumerate(requests.items()):
                request = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
                await to_server.send(SessionMessage(jsonrpc_message_adapter.validate_python(request)))
                answer = _plain((await from_server.receive()).message)
                if "result" in answer:
                    answers[f"{method} {version}"] = answer["result"]
            tasks.cancel_scope.cancel()
    return answers


def _plain(message: JSONRPCMessage) -> dict[str, Any]:
    """The message as it is written to a client."""
    text = message.model_dump_json(by_alias=True, exclude_unset=True)
    plain: dict[str, Any] = json.loads(text)
    return plain
