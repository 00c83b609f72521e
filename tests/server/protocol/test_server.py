"""The one tool, called in memory by clients of both protocol eras: its arguments, and every form of its result."""

import re
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import anyio
import pytest
from mcp import Client, ClientSession, MCPError, types
from mcp.server.mcpserver import MCPServer
from mcp.shared.memory import create_client_server_memory_streams
from mcp.types import BlobResourceContents, EmbeddedResource, ImageContent, TextContent
from mcp.types.version import HANDSHAKE_PROTOCOL_VERSIONS
from served import Era

from codeact_bridges.limits import Limits
from codeact_bridges.tools.spec import MemoryServer
from codeact_server.app import App, open_app
from codeact_server.config.model import Config
from codeact_server.protocol.client import KNOWN_CLIENTS
from codeact_server.protocol.results import META_KEY
from codeact_server.protocol.server import open_server

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def counter() -> MemoryServer:
    server = MCPServer("counter")

    @server.tool()
    async def double(n: int) -> int:  # pyright: ignore[reportUnusedFunction]
        """Twice the number."""
        return 2 * n

    @server.tool()
    async def refuse() -> int:  # pyright: ignore[reportUnusedFunction]
        """Never works."""
        raise ValueError("not today")

    return MemoryServer(name="counter", server=server)


CONFIG = Config(servers=(counter(),), engine="wasmtime", limits=Limits(code_bytes=1_000, output_bytes=2_000))


@pytest.fixture(scope="module")
async def app(guest_cache: Path, environment: object) -> AsyncGenerator[App]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(guest_cache.parent))
        async with open_app(CONFIG, lambda _: None) as app:
            yield app


@pytest.fixture(params=get_args(Era))
async def client(request: pytest.FixtureRequest, app: App) -> AsyncGenerator[Client]:
    with anyio.fail_after(30):
        async with open_server(app) as server, Client(server, mode=request.param) as client:
            yield client


async def texts(client: Client, code: str, **arguments: Any) -> tuple[bool, list[str]]:
    result = await client.call_tool("execute_code", {"code": code, **arguments})
    return result.is_error, [part.text for part in result.content if isinstance(part, TextContent)]


@pytest.mark.parametrize(
    ("program", "parts"),
    [
        ("6 * 7", ["[result]\n42\n"]),
        ("'a line'", ['[result]\n"a line"\n']),
        ("'two\\nlines'", ["[result]\ntwo\nlines\n"]),
        ("{'a': [1, None, True, 0.5]}", ['[result]\n{"a": [1, null, true, 0.5]}\n']),
        ("object", ["[result]\n<class 'object'>\n"]),
        ("x = 1", ["(no output, and the last line has no value)\n"]),
        ("", ["(no output, and the last line has no value)\n"]),
        ("None", ["(no output, and the last line has no value)\n"]),
        ("print('hello')", ["hello\n"]),
        ("print('hello')\n7", ["hello\n", "[result]\n7\n"]),
        ("print('ÄÖ€😀')", ["ÄÖ€😀\n"]),
        (
            "import sys\nprint('one')\nprint('two', file=sys.stderr)\nprint('three')",
            ["one\n[stderr]\ntwo\n[stdout]\nthree\n"],
        ),
        ("import sys\nprint('bye')\nsys.exit()", ["bye\n"]),
        ("await call_tool_async('counter.double', n=4)", ["[result]\n8\n"]),
    ],
)
async def test_the_result_has_the_programs_output_and_its_value(client: Client, program: str, parts: list[str]) -> None:
    assert await texts(client, program) == (False, parts)


async def test_a_program_that_raises_is_an_error_with_its_traceback_output_and_calls(client: Client) -> None:
    failed, parts = await texts(client, "print('before')\ncall_tool('counter.double', n=1)\n\n1 / 0")

    assert failed
    assert parts[0] == "before\n"
    assert parts[1].startswith("[failed] Traceback")
    assert "line 4" in parts[1]
    assert "ZeroDivisionError: division by zero\n" in parts[1]
    assert re.search(r"\n- counter\.double.*: done", parts[1])


async def test_a_tool_that_fails_raises_in_the_program_and_is_listed_when_it_is_not_caught(client: Client) -> None:
    assert await texts(client, "try:\n    call_tool('counter.refuse')\nexcept ToolError as e:\n    'caught'") == (
        False,
        ["(no output, and the last line has no value)\n"],
    )
    failed, parts = await texts(client, "call_tool('counter.refuse')")

    assert failed
    assert "ToolError: counter.refuse: " in parts[0]
    assert "- counter.refuse: failed" in parts[0]


async def test_a_syntax_error_shows_the_line(client: Client) -> None:
    failed, parts = await texts(client, "a = 1\nb = = 2")

    assert failed
    assert "b = = 2" in parts[0]
    assert "SyntaxError: invalid syntax" in parts[0]


async def test_an_exit_code_that_is_not_zero_is_an_error(client: Client) -> None:
    assert await texts(client, "import sys\nsys.exit(3)") == (True, ["[failed] the program ended with sys.exit(3)\n"])


async def test_a_program_that_runs_out_of_memory_is_an_error_and_the_next_one_runs(client: Client) -> None:
    failed, parts = await texts(client, "x = [bytes(1_000_000) for _ in range(1_000)]")

    assert failed
    assert "MemoryError" in parts[0] or "ran out of memory" in parts[0]
    assert await texts(client, "1") == (False, ["[result]\n1\n"])


async def test_an_endless_program_is_stopped_at_its_deadline_with_its_output(client: Client) -> None:
    failed, parts = await texts(client, "print('begun')\nwhile True: pass", timeout_s=0.3)

    assert failed
    assert parts[0] == "begun\n"
    assert parts[1].startswith("[failed] stopped after 0.3 s")


async def test_displayed_images_are_image_blocks_and_other_files_are_resources(client: Client) -> None:
    program = f"""
import base64
display(base64.b64decode('{PNG}'))
display(b'a,b', 'text/csv')
"""
    result = await client.call_tool("execute_code", {"code": program})

    assert not result.is_error, result.content
    image, file = result.content
    assert isinstance(image, ImageContent)
    assert (image.mime_type, image.data) == ("image/png", PNG)
    assert isinstance(file, EmbeddedResource)
    assert isinstance(file.resource, BlobResourceContents)
    assert (file.resource.mime_type, file.resource.blob) == ("text/csv", "YSxi")


@pytest.mark.parametrize("program", ["'x' * 5_000", "print('x' * 5_000)", "raise ValueError('x' * 5_000)"])
async def test_long_output_loses_its_middle_and_the_result_says_how_much_and_where_it_is(
    client: Client, program: str
) -> None:
    _, parts = await texts(client, program)

    whole = "".join(parts)
    assert len(whole) < 4_000
    assert re.search(r"xxx…\n\[3,[01]\d\d bytes left out here.*\]\n…xxx", whole)
    assert re.search(r"\[stored\] .*, 5,\d\d\d bytes: .* load_result\(", whole)


async def test_the_results_meta_has_engine_isolation_calls_and_duration(client: Client) -> None:
    result = await client.call_tool("execute_code", {"code": "call_tool('counter.double', n=1)"})

    assert result.meta is not None
    facts = result.meta[META_KEY]
    assert facts["engine"] == "wasmtime"
    assert "no hypervisor" in facts["isolation"]
    assert facts["tool_calls"] == 1
    assert facts["duration_ms"] > 0


async def test_a_result_has_no_structured_content(client: Client) -> None:
    """Given both, some clients show the model only the text, others only the structured content."""
    result = await client.call_tool("execute_code", {"code": "1"})

    assert result.structured_content is None


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({}, "'code' is missing"),
        ({"code": None}, "'code' is missing"),
        ({"code": 1}, "'code' must be a string"),
        ({"code": ["1"]}, "'code' must be a string"),
        ({"cod": "1"}, "'code' is missing; 'cod' is not an argument (the arguments are code, "),
        ({"code": "1", "language": "python"}, "'language' is not an argument (the arguments are code, "),
        ({"code": "1", "timeout_s": "5"}, "'timeout_s' must be a number of seconds over 0"),
        ({"code": "1", "timeout_s": True}, "'timeout_s' must be a number of seconds over 0"),
        ({"code": "1", "timeout_s": 0}, "'timeout_s' must be a number of seconds over 0"),
        ({"code": "1", "timeout_s": -1}, "'timeout_s' must be a number of seconds over 0"),
        ({"code": 1, "timeout_s": -1}, "'code' must be a string; 'timeout_s' must be a number of seconds over 0"),
        ({"code": "#" * 1_001}, "1,001 bytes long; 1,000 are allowed (setting codeact.limits.code_bytes)"),
        ({"code": "#" + "€" * 334}, "1,003 bytes long; 1,000 are allowed"),
    ],
)
async def test_a_wrong_argument_is_an_error_result_that_names_it(
    client: Client, arguments: dict[str, Any], named: str
) -> None:
    result = await client.call_tool("execute_code", arguments)

    assert result.is_error
    assert named in str(result.content)


async def test_a_deadline_over_the_maximum_becomes_the_maximum_and_null_the_default(client: Client) -> None:
    assert await texts(client, "1", timeout_s=10_000_000) == (False, ["[result]\n1\n"])
    assert await texts(client, "1", timeout_s=None) == (False, ["[result]\n1\n"])


async def test_the_schema_has_the_tools_arguments_and_no_others(client: Client) -> None:
    (tool,) = (await client.list_tools()).tools

    assert tool.name == "execute_code"
    assert tool.input_schema["properties"].keys() >= {"code", "timeout_s"}
    assert tool.input_schema["additionalProperties"] is False
    assert "counter.double(n: int) -> int" in str(tool.description)


async def test_the_tool_is_always_loaded_and_found_by_its_servers_and_their_tools(client: Client) -> None:
    (tool,) = (await client.list_tools()).tools

    assert tool.meta is not None
    assert tool.meta["anthropic/alwaysLoad"] is True
    assert tool.meta["anthropic/maxResultSizeChars"] >= 5 * KNOWN_CLIENTS["claude-code"].shown_bytes
    assert tool.meta["anthropic/searchHint"] == "counter double refuse"


async def test_the_instructions_name_the_servers(client: Client) -> None:
    assert client.instructions is not None
    assert "calls the tools of the MCP server counter. " in client.instructions


@pytest.mark.parametrize("version", HANDSHAKE_PROTOCOL_VERSIONS)
async def test_every_handshake_version_has_the_instructions(app: App, version: str) -> None:
    params = types.InitializeRequestParams(
        protocol_version=version,
        capabilities=types.ClientCapabilities(),
        client_info=types.Implementation(name="test", version="1"),
    )
    with anyio.fail_after(30):
        async with (
            open_server(app) as server,
            create_client_server_memory_streams() as (ours, theirs),
            anyio.create_task_group() as tasks,
            ClientSession(*ours) as session,
        ):
            tasks.start_soon(server.run, *theirs, server.create_initialization_options())
            answer = await session.send_request(types.InitializeRequest(params=params), types.InitializeResult)
            assert answer.protocol_version == version
            assert answer.instructions is not None
            assert "calls the tools of the MCP server counter. " in answer.instructions
            tasks.cancel_scope.cancel()


async def test_an_unknown_tool_is_a_protocol_error(client: Client) -> None:
    with pytest.raises(MCPError, match=r"Unknown tool: 'execute'. The only tool is 'execute_code'"):
        await client.call_tool("execute", {"code": "1"})


async def test_a_run_beyond_the_waiting_limit_is_refused_with_try_again_later(
    guest_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One worker, and room for one waiting run."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(guest_cache.parent))
    config = replace(CONFIG, pool=CONFIG.pool.model_copy(update={"max_workers": 1, "max_waiting": 1}))
    ends: list[tuple[bool, list[str]]] = []

    async def run(one: Client) -> None:
        ends.append(await texts(one, "import time\ntime.sleep(0.2)\n1"))

    with anyio.fail_after(30):
        async with open_app(config, lambda _: None) as app, open_server(app) as server, Client(server) as one:
            await texts(one, "'the worker is there'")
            async with anyio.create_task_group() as tasks:
                for _ in range(5):
                    tasks.start_soon(run, one)

    assert (False, ["[result]\n1\n"]) in ends
    refusals = [parts[0] for failed, parts in ends if failed]
    assert refusals
    assert all("try again later" in refusal for refusal in refusals)
