"""Remote servers that require OAuth, with an authorization server on loopback that checks every request."""

import json
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from subprocess import PIPE

import anyio
import httpx2
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream
from tool_calls import call

from codeact_bridges.errors import DownstreamFailed
from codeact_bridges.tools.bridge import ToolsBridge
from codeact_bridges.tools.credentials.secret_store import FileSecretStore, MemorySecretStore, name_for
from codeact_bridges.tools.downstream.login import LoginFailedError, log_in
from codeact_bridges.tools.spec import HttpServer, OAuth
from codeact_bridges.values import Data, ToolValue

GUARDED = Path(__file__).parents[3] / "servers" / "guarded.py"


@asynccontextmanager
async def guarded(*options: str, port: int = 0) -> AsyncGenerator[HttpServer]:
    async with await anyio.open_process([sys.executable, str(GUARDED), str(port), *options], stdout=PIPE) as process:
        assert process.stdout is not None
        try:
            with anyio.fail_after(20):
                url = await BufferedByteReceiveStream(process.stdout).receive_until(b"\n", 200)
            yield HttpServer(name="guarded", url=url.decode().strip(), oauth=OAuth())
        finally:
            process.kill()


async def browser(url: str) -> None:
    """A person who agrees: opens the address and follows its redirects."""
    async with httpx2.AsyncClient() as client:
        response = await client.get(url, follow_redirects=True)
    assert "login was refused" in response.text or "You are logged in" in response.text


def files_in(folder: Path) -> dict[str, int]:
    return {one.name: one.stat().st_mode for one in folder.iterdir()}


def token(value: ToolValue) -> str:
    assert isinstance(value, Data)
    assert isinstance(value.value, dict)
    return str(value.value["token"])


async def test_a_later_process_uses_the_tokens_of_a_login(tmp_path: Path) -> None:
    with anyio.fail_after(40):
        async with guarded() as spec:
            assert await log_in(spec, FileSecretStore(tmp_path), browser) == 1
            async with ToolsBridge([spec], secret_store=FileSecretStore(tmp_path)) as tools:
                assert token(await call(tools, "token", {})).startswith("authorization_code")
    assert {name: mode & 0o777 for name, mode in files_in(tmp_path).items()} == {
        f"{name_for('guarded', spec.url)}.json": 0o600
    }


async def test_a_token_that_has_expired_is_renewed_after_a_restart_without_a_new_registration() -> None:
    secret_store = MemorySecretStore()
    with anyio.fail_after(40):
        async with guarded() as spec:
            await log_in(spec, secret_store, browser)
            (name,) = secret_store.texts
            secret_store.texts[name] = json.dumps({**json.loads(secret_store.texts[name]), "expires_at": 1})
            async with ToolsBridge([spec], secret_store=secret_store) as tools:
                value = await call(tools, "token", {})
    assert token(value).startswith("refresh_token")
    assert isinstance(value, Data)
    assert isinstance(value.value, dict)
    assert value.value["registered"] == 2  # the one known by hand, and ours


async def test_without_a_login_a_server_fails_with_the_command_to_run_and_receives_nothing() -> None:
    with anyio.fail_after(10):
        spec = HttpServer(name="guarded", url="http://127.0.0.1:9/mcp", oauth=OAuth())
        async with ToolsBridge([spec], secret_store=MemorySecretStore()) as tools:
            with pytest.raises(DownstreamFailed, match=r"needs a login: run `codeact-mcp login guarded`"):
                await call(tools, "guarded.token", {})


async def test_revoked_tokens_require_a_new_login() -> None:
    secret_store = MemorySecretStore()
    with anyio.fail_after(40):
        async with guarded() as spec:
            await log_in(spec, secret_store, browser)
        async with (
            guarded(port=httpx2.URL(spec.url).port or 0),
            ToolsBridge([spec], secret_store=secret_store) as tools,
        ):
            with pytest.raises(DownstreamFailed, match="needs a login"):
                await call(tools, "guarded.token", {})


async def test_a_refused_login_leaves_the_stored_tokens() -> None:
    secret_store = MemorySecretStore()
    with anyio.fail_after(40):
        async with guarded("--refuse") as spec:
            with pytest.raises(LoginFailedError, match="the authorization server refused: access_denied"):
                await log_in(spec, secret_store, browser)
    assert secret_store.texts == {}


async def test_only_a_redirect_with_the_right_state_completes_a_login() -> None:
    async def browser_and_a_stranger(url: str) -> None:
        back = httpx2.URL(url).params["redirect_uri"]
        async with httpx2.AsyncClient() as client:
            for query in ("", "?code=stolen&state=guessed", "?error=x"):
                assert (await client.get(back + query)).status_code == 404
        await browser(url)

    with anyio.fail_after(40):
        async with guarded() as spec:
            assert await log_in(spec, MemorySecretStore(), browser_and_a_stranger) == 1


async def test_a_client_registered_by_hand_logs_in_with_its_secret() -> None:
    secret_store = MemorySecretStore()
    with anyio.fail_after(40):
        async with guarded() as spec:
            known = replace(spec, oauth=OAuth(client_id="known", client_secret="hush"))
            await log_in(known, secret_store, browser)
            async with ToolsBridge([known], secret_store=secret_store) as tools:
                value = await call(tools, "token", {})
    assert isinstance(value, Data)
    assert isinstance(value.value, dict)
    assert value.value["registered"] == 1


async def test_client_credentials_need_no_person_and_are_not_persisted(tmp_path: Path) -> None:
    with anyio.fail_after(40):
        async with guarded() as spec:
            issuer = spec.url.removesuffix("/mcp")
            oauth = OAuth(grant="client_credentials", client_id="known", client_secret="hush", issuer=issuer)
            async with ToolsBridge([replace(spec, oauth=oauth)], secret_store=FileSecretStore(tmp_path)) as tools:
                assert token(await call(tools, "token", {})).startswith("client_credentials")
    assert files_in(tmp_path) == {}


async def test_the_secret_is_not_given_to_an_authorization_server_that_the_operator_did_not_name() -> None:
    with anyio.fail_after(40):
        async with guarded() as spec:
            oauth = OAuth(
                grant="client_credentials", client_id="known", client_secret="hush", issuer="https://example.com"
            )
            async with ToolsBridge([replace(spec, oauth=oauth)]) as tools:
                with pytest.raises(DownstreamFailed, match="issuer") as caught:
                    await call(tools, "guarded.token", {})
    assert "hush" not in str(caught.value)


async def test_a_server_without_oauth_requires_no_login() -> None:
    from raw_http import raw_server

    async def never(_: str) -> None:
        pytest.fail("nothing to show")

    with anyio.fail_after(10):
        async with raw_server() as server:
            assert (
                await log_in(HttpServer(name="open", url=server.url, oauth=OAuth()), MemorySecretStore(), never) is None
            )
