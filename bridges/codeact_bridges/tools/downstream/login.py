"""Login to a remote server: the user authorizes us in a browser, which is then redirected to a loopback address."""

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
"""Enough for a person to look up a password, and to use a second factor."""

MAX_REQUEST_BYTES = 16_000

_PAGE: Final = "<!doctype html><meta charset=utf-8><title>codeact-mcp</title><p>{} You can close this window."


class LoginFailedError(Exception):
    """The user did not log in, or the server refused the login. Still usable: the tokens stored before."""


async def log_in(spec: HttpServer, secret_store: SecretStore, show: Callable[[str], Awaitable[None]]) -> int | None:
    """Log in to `spec` and store the tokens. Returns the number of its tools, or None if it requires no login.

    Args:
        show: shows the user the address to open.

    Raises:
        LoginFailedError: with the reason.
    """
    assert spec.oauth is not None
    # The stored tokens stay until there are new ones. A new registration contains the port of this login.
    tried = MemorySecretStore()
    token_store = TokenStore(spec, tried)
    try:
        with anyio.fail_after(LOGIN_TIMEOUT_S):
            async with _listening(spec.oauth.redirect_port) as callback:

                async def show_and_wait(url: str) -> None:
                    callback.expect(parse_qs(urlsplit(url).query).get("state", [""])[0])
                    await show(url)

                auth = provider(
                    spec,
                    token_store,
                    redirect_uri=callback.address,
                    show=show_and_wait,
                    wait_for_redirect=callback.result,
                )
                transport = Transport(spec, ServerLog(None), auth)
                async with Client(
                    transport.target, mode="legacy" if spec.era == "handshake" else "auto", cache=None
                ) as client:
                    tools = await list_tools(client, spec.name)
    except TimeoutError as exc:
        raise LoginFailedError(f"no login within {LOGIN_TIMEOUT_S:g} s") from exc
    # Any error of the transport, the server or the SDK is the reason why this login failed.
    except Exception as exc:
        raise LoginFailedError(failure_text(exc)) from exc
    text = tried.texts.get(token_store.name)
    if text is None:
        return None
    await secret_store.save(token_store.name, text)
    return len(tools)


class _CallbackServer:
    """Waits on loopback until the browser is redirected back."""

    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}/callback"
        self.expect("")

    def expect(self, state: str) -> None:
        """Accept the redirect of the login with this `state`, and no other."""
        self.expected_state = state
        self._parameters: dict[str, str] = {}
        self._redirected = anyio.Event()

    async def result(self) -> AuthorizationCodeResult:
        await self._redirected.wait()
        if error := self._parameters.get("error"):
            raise OAuthFlowError(
                f"the authorization server refused: {self._parameters.get('error_description') or error}"
            )
        return AuthorizationCodeResult(
            code=self._parameters.get("code", ""), state=self._parameters.get("state"), iss=self._parameters.get("iss")
        )

    async def answer(self, stream: SocketStream) -> None:
        """Handle one HTTP request. Any local process can send one: only one with the right `state` is accepted."""
        async with stream:
            try:
                with anyio.fail_after(10):
                    head = await BufferedByteReceiveStream(stream).receive_until(b"\r\n\r\n", MAX_REQUEST_BYTES)
                    method, target = head.split(b"\r\n", 1)[0].decode("ascii").split(" ")[:2]
                    url = urlsplit(target)
                    found = {name: values[0] for name, values in parse_qs(url.query).items()}
                    is_ours = bool(self.expected_state) and found.get("state") == self.expected_state
                    if method != "GET" or url.path != "/callback" or not is_ours:
                        await _send_page(stream, "404 Not Found", "This page belongs to no login.")
                        return
                    self._parameters = self._parameters or found
                    text = "The login was refused." if "error" in found else "You are logged in."
                    await _send_page(stream, "200 OK", text)
                    self._redirected.set()
            except (OSError, ValueError, anyio.EndOfStream, anyio.BrokenResourceError, anyio.DelimiterNotFound):
                return


@asynccontextmanager
async def _listening(port: int) -> AsyncGenerator[_CallbackServer]:
    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=port) as listener,
        anyio.create_task_group() as tasks,
    ):
        callback = _CallbackServer(listener.extra(SocketAttribute.local_port))
        tasks.start_soon(listener.serve, callback.answer)
        yield callback
        tasks.cancel_scope.cancel()


async def _send_page(stream: SocketStream, status: str, text: str) -> None:
    page = _PAGE.format(text).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: {len(page)}\r\nConnection: close\r\n\r\n"
    await stream.send(head.encode() + page)
