"""Logging in to a remote server: a person says yes in a browser, which then comes back to us on loopback."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import parse_qs, urlsplit

import anyio
from anyio.abc import SocketAttribute, SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream
from mcp import Client
from mcp.client.auth import AuthorizationCodeResult

from codeact_bridges.tools.credentials.oauth import OAuthFlowError, TokenStore, provider
from codeact_bridges.tools.credentials.secret_store import MemorySecretStore, SecretStore
from codeact_bridges.tools.downstream.failure_text import failure_text
from codeact_bridges.tools.downstream.tool_list import list_tools
from codeact_bridges.tools.spec import HttpServer
from codeact_bridges.tools.transports.server_log import ServerLog
from codeact_bridges.tools.transports.transport import Transport

LOGIN_TIMEOUT_S = 300.0
"""Time for a person to find a password, and a telephone."""

MAX_REQUEST_BYTES = 16_000

_PAGE: Final = "<!doctype html><meta charset=utf-8><title>codeact-mcp</title><p>{} You can close this window."


class LoginFailedError(Exception):
    """Nobody logged in, or the server did not accept it. Still usable: the token_store there was before."""


async def log_in(spec: HttpServer, secret_store: SecretStore, show: Callable[[str], Awaitable[None]]) -> int | None:
    """Log in to `spec` and keep the token_store. How many tools it has, or None if it does not ask for a login.

    `show` gets the address that a person must open.

    Raises:
        LoginFailedError: with the reason.
    """
    assert spec.oauth is not None
    # What there was stays until there is something new; and a new registration knows where we listen this time.
    tried = MemorySecretStore()
    token_store = TokenStore(spec, tried)
    try:
        with anyio.fail_after(LOGIN_TIMEOUT_S):
            async with _listening(spec.oauth.redirect_port) as browser:

                async def show_and_expect(url: str) -> None:
                    browser.expect(parse_qs(urlsplit(url).query).get("state", [""])[0])
                    await show(url)

                auth = provider(
                    spec,
                    token_store,
                    redirect_uri=browser.address,
                    show=show_and_expect,
                    wait_for_redirect=browser.result,
                )
                transport = Transport(spec, ServerLog(None), auth)
                async with Client(
                    transport.target, mode="legacy" if spec.era == "handshake" else "auto", cache=None
                ) as client:
                    tools = await list_tools(client, spec.name)
    except TimeoutError as exc:
        raise LoginFailedError(f"nobody logged in within {LOGIN_TIMEOUT_S:g} s") from exc
    # Whatever a transport, a server or the SDK may raise is why this login failed.
    except Exception as exc:
        raise LoginFailedError(failure_text(exc)) from exc
    text = tried.texts.get(token_store.name)
    if text is None:
        return None
    await secret_store.save(token_store.name, text)
    return len(tools)


class _CallbackServer:
    """Waits for the browser to come back."""

    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}/callback"
        self.expect("")

    def expect(self, state: str) -> None:
        """Wait for the end of the login that `state` belongs to, and of no other."""
        self.expected_state = state
        self._answer: dict[str, str] = {}
        self._came_back = anyio.Event()

    async def result(self) -> AuthorizationCodeResult:
        await self._came_back.wait()
        if error := self._answer.get("error"):
            raise OAuthFlowError(f"the authorization server said no: {self._answer.get('error_description') or error}")
        return AuthorizationCodeResult(
            code=self._answer.get("code", ""), state=self._answer.get("state"), iss=self._answer.get("iss")
        )

    async def answer(self, stream: SocketStream) -> None:
        """One HTTP request. Anybody on this machine can make one: only who knows the state is listened to."""
        async with stream:
            try:
                with anyio.fail_after(10):
                    head = await BufferedByteReceiveStream(stream).receive_until(b"\r\n\r\n", MAX_REQUEST_BYTES)
                    method, target = head.split(b"\r\n", 1)[0].decode("ascii").split(" ")[:2]
                    url = urlsplit(target)
                    found = {name: values[0] for name, values in parse_qs(url.query).items()}
                    is_ours = bool(self.expected_state) and found.get("state") == self.expected_state
                    if method != "GET" or url.path != "/callback" or not is_ours:
                        await _send_page(stream, "404 Not Found", "This is not the end of a login.")
                        return
                    self._answer = self._answer or found
                    said = "The login was refused." if "error" in found else "You are logged in."
                    await _send_page(stream, "200 OK", said)
                    self._came_back.set()
            except (OSError, ValueError, anyio.EndOfStream, anyio.BrokenResourceError, anyio.DelimiterNotFound):
                return


@asynccontextmanager
async def _listening(port: int) -> AsyncGenerator[_CallbackServer]:
    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=port) as listener,
        anyio.create_task_group() as tasks,
    ):
        browser = _CallbackServer(listener.extra(SocketAttribute.local_port))
        tasks.start_soon(listener.serve, browser.answer)
        yield browser
        tasks.cancel_scope.cancel()


async def _send_page(stream: SocketStream, status: str, said: str) -> None:
    page = _PAGE.format(said).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: {len(page)}\r\nConnection: close\r\n\r\n"
    await stream.send(head.encode() + page)
