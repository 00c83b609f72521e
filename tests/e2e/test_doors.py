"""Who gets in over HTTP, and what a stranger is told."""

import socket
from collections.abc import AsyncGenerator
from typing import Any

import anyio
import httpx2
import pytest
from served import Commands, Served, execute, server

PATHS = ["/mcp", "/sse", "/messages/?session_id=0", "/health"]
EVERYWHERE = "0.0.0.0"


@pytest.fixture(params=["127.0.0.1", "localhost", EVERYWHERE])
async def served(request: pytest.FixtureRequest, commands: Commands) -> AsyncGenerator[Served]:
    async with commands.serving("http", "--host", request.param) as served:
        served.address = served.address.replace(EVERYWHERE, "127.0.0.1")
        yield served


async def status(served: Served, path: str, **headers: str) -> int:
    """What the request gets, of which only the beginning is read: `/sse` has no end."""
    method = "POST" if path.startswith("/m") else "GET"
    async with (
        httpx2.AsyncClient() as client,
        client.stream(method, served.address + path, headers=headers) as response,
    ):
        return response.status_code


async def test_a_host_that_is_not_ours_gets_421_and_a_foreign_origin_403(served: Served) -> None:
    port = served.address.rpartition(":")[2]
    foreign = ["evil.example", f"evil.example:{port}", f"127.0.0.1.evil.example:{port}", "127.0.0.1:1", ""]
    with anyio.fail_after(20):
        for path in PATHS:
            for host in foreign:
                assert await status(served, path, Host=host) == 421, (path, host)
            for origin in ["http://evil.example", f"http://evil.example:{port}", "null"]:
                assert await status(served, path, Origin=origin) == 403, (path, origin)


async def test_loopback_gets_in_by_each_of_its_names_and_from_a_page_of_its_own(served: Served) -> None:
    port = served.address.rpartition(":")[2]
    with anyio.fail_after(20):
        for name in ["127.0.0.1", "localhost", "[::1]"]:
            assert await status(served, "/health", Host=f"{name}:{port}", Origin=f"http://{name}:9999") == 200


async def test_bound_to_every_address_it_is_found_under_this_machines_name_and_no_other(commands: Commands) -> None:
    with anyio.fail_after(20):
        async with commands.serving("http", "--host", EVERYWHERE) as served:
            port = served.address.rpartition(":")[2]
            served.address = f"http://127.0.0.1:{port}"

            assert await status(served, "/health", Host=f"{socket.gethostname()}:{port}") == 200
            assert await status(served, "/health", Host=f"{EVERYWHERE}:{port}") == 421


@pytest.mark.parametrize("transport", ["http", "sse"])
async def test_a_name_that_is_allowed_gets_in_with_a_proxys_port_or_none(commands: Commands, transport: Any) -> None:
    with anyio.fail_after(20):
        async with commands.serving(
            transport, "--allow-host", "code.example", "--allow-host", "other.example"
        ) as served:
            for host in ["code.example", "code.example:8443", "other.example"]:
                assert await status(served, "/health", Host=host, Origin=f"https://{host}") == 200
            assert await status(served, "/sse", Host="code.example") == 200
            assert await status(served, "/sse", Host="code.example.evil.example") == 421


async def test_what_a_stranger_sends_leaves_no_traceback_in_the_log(commands: Commands) -> None:
    with anyio.fail_after(20):
        async with commands.serving("http") as served:
            for path in [*PATHS, "/", "/nothing"]:
                await status(served, path, Host="evil.example")
                await status(served, path)
            served.process.terminate()
            await served.ended()

    assert "Traceback" not in served.stderr
    assert "refused a request with Host 'evil.example'" in served.stderr
    assert "start with --allow-host NAME" in served.stderr


async def test_health_names_the_servers_their_state_and_the_workers(commands: Commands) -> None:
    config = commands.config({"marker": server("marker.py"), "broken": server("hostile.py", "--start", "exit")})
    with anyio.fail_after(20):
        async with commands.serving("http", "--config", config) as served, served.client("auto") as client:
            failed, text = await execute(client, "list_tools('broken')")
            assert failed
            assert "broken" in text
            # It is tried again now and then.
            while (health := await served.health())["servers"] != {"marker": "ready", "broken": "failed"}:  # noqa: ASYNC110
                await anyio.sleep(0.02)

    assert health["status"] == "ok"
    assert health["workers"] >= 1


async def test_sse_alone_has_no_streamable_http(commands: Commands) -> None:
    with anyio.fail_after(20):
        async with commands.serving("sse") as served:
            assert await status(served, "/mcp") == 404


def test_a_port_in_use_is_one_line_and_exit_1(commands: Commands) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        config = commands.config({"marker": server("marker.py")})
        done = commands.run("serve", "--config", config, "--transport", "http", "--port", str(port))

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"codeact-mcp: cannot listen on 127.0.0.1:{port}: Address already in use\n"


def test_a_host_that_does_not_exist_is_one_line_and_exit_1(commands: Commands) -> None:
    config = commands.config({"marker": server("marker.py")})
    done = commands.run("serve", "--config", config, "--transport", "http", "--host", "no.such.host.invalid")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("codeact-mcp: cannot listen on no.such.host.invalid:8765: ")
    assert done.stderr.count("\n") == 1
