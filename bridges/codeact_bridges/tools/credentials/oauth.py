"""OAuth for remote servers: `mcp`'s own providers, with persistent state that survives a restart.

The providers store the tokens and the client's registration, but not when a token expires nor where to renew it: after
a restart an expired token would require a new login. Here all of it is stored as one secret.
"""

import logging
import time
from collections.abc import Awaitable, Callable
from typing import cast

import httpx2
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider, OAuthFlowError
from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider
from mcp.client.auth.oauth2 import OAuthContext
from mcp.shared.auth import (
    OAuthClientInformationFull,
    OAuthClientMetadata,
    OAuthMetadata,
    OAuthToken,
    ProtectedResourceMetadata,
)
from pydantic import AnyUrl, BaseModel, ValidationError

from codeact_bridges.tools.credentials.secret_store import MemorySecretStore, SecretStore, name_for
from codeact_bridges.tools.spec import HttpServer, OAuth

# It logs each failure with its traceback. We log the reason once, as the server's failure.
logging.getLogger("mcp.client.auth.oauth2").setLevel(logging.CRITICAL)

PLACEHOLDER_REDIRECT = "http://127.0.0.1/callback"
"""Redirect address in a client's metadata while no login is under way."""


class LoginNeededError(Exception):
    """No user has logged in to this server, or the login has expired."""

    def __init__(self, server: str) -> None:
        super().__init__(f"it needs a login: run `codeact-mcp login {server}` with the same --config")


class _Record(BaseModel, frozen=True):
    """Everything that is stored for one server."""

    tokens: OAuthToken
    expires_at: float | None = None
    client: OAuthClientInformationFull | None = None
    authorization_server: OAuthMetadata | None = None
    resource: ProtectedResourceMetadata | None = None


class TokenStore:
    """The stored tokens of one server. Implements `mcp`'s `TokenStorage`."""

    def __init__(self, spec: HttpServer, secret_store: SecretStore) -> None:
        self.name = name_for(spec.name, spec.url)
        self._secret_store = secret_store
        self._client: OAuthClientInformationFull | None = _registered_client(spec.oauth) if spec.oauth else None
        self.context: OAuthContext | None = None
        """The context of the provider that uses this store."""

    async def record(self) -> _Record | None:
        """The stored record, or None if there is none that can be read."""
        text = await self._secret_store.load(self.name)
        try:
            return _Record.model_validate_json(text) if text else None
        except ValidationError:
            return None

    async def get_tokens(self) -> OAuthToken | None:
        record = await self.record()
        if record is None:
            return None
        left_s = None if record.expires_at is None else int(record.expires_at - time.time())
        return record.tokens.model_copy(update={"expires_in": left_s})

    async def set_tokens(self, tokens: OAuthToken) -> None:
        context = self.context
        record = _Record(
            tokens=tokens,
            expires_at=None if tokens.expires_in is None else time.time() + tokens.expires_in,
            client=context.client_info if context else self._client,
            authorization_server=context.oauth_metadata if context else None,
            resource=context.protected_resource_metadata if context else None,
        )
        await self._secret_store.save(self.name, record.model_dump_json(exclude_none=True))

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        if self._client is not None:
            return self._client
        record = await self.record()
        return record.client if record else None

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self._client = client_info  # stored by `set_tokens`, with the tokens


class _Provider(OAuthClientProvider):
    """Authorization code with PKCE, which can renew a token after a restart."""

    async def _initialize(self) -> None:
        await super()._initialize()
        token_store = cast(TokenStore, self.context.storage)
        if (record := await token_store.record()) is None or self.context.current_tokens is None:
            return
        self.context.update_token_expiry(self.context.current_tokens)
        self.context.oauth_metadata = self.context.oauth_metadata or record.authorization_server
        self.context.protected_resource_metadata = self.context.protected_resource_metadata or record.resource


def provider(
    spec: HttpServer,
    token_store: TokenStore,
    *,
    redirect_uri: str = PLACEHOLDER_REDIRECT,
    show: Callable[[str], Awaitable[None]] | None = None,
    wait_for_redirect: Callable[[], Awaitable[AuthorizationCodeResult]] | None = None,
) -> httpx2.Auth:
    """The authentication of requests to `spec`.

    Args:
        show: shows the user the address to open.
        wait_for_redirect: waits until the browser is redirected back. Without these two a needed login raises
            `LoginNeededError`.
    """
    oauth = spec.oauth
    assert oauth is not None
    if oauth.grant == "client_credentials":
        return ClientCredentialsOAuthProvider(
            server_url=spec.url,
            storage=token_store,
            client_id=oauth.client_id or "",
            client_secret=oauth.client_secret or "",
            scope=oauth.scope,
            issuer=oauth.issuer,
        )

    async def no_browser(_: str) -> None:
        raise LoginNeededError(spec.name)

    async def no_redirect() -> AuthorizationCodeResult:
        raise LoginNeededError(spec.name)

    created = _Provider(
        spec.url,
        OAuthClientMetadata(
            client_name="codeact-mcp",
            redirect_uris=[AnyUrl(redirect_uri)],
            grant_types=["authorization_code", "refresh_token"],
            response_types=["code"],
            token_endpoint_auth_method="client_secret_post" if oauth.client_secret else "none",
            scope=oauth.scope,
        ),
        token_store,
        redirect_handler=show or no_browser,
        callback_handler=wait_for_redirect or no_redirect,
    )
    token_store.context = created.context
    return created


class Credentials:
    """The authentication for all servers that require OAuth, shared by all connections of this process."""

    def __init__(self, secret_store: SecretStore | None = None) -> None:
        self._secret_store = secret_store or MemorySecretStore()
        self._not_persisted = MemorySecretStore()
        """Tokens of the client credentials grant: requested again after a restart, never persisted."""

    async def auth(self, spec: HttpServer) -> httpx2.Auth | None:
        """The authentication for a new connection to `spec`; None if it needs none. Raises `LoginNeededError`."""
        if spec.oauth is None:
            return None
        if spec.oauth.grant == "client_credentials":
            return provider(spec, TokenStore(spec, self._not_persisted))
        token_store = TokenStore(spec, self._secret_store)
        if await token_store.get_tokens() is None:
            # Check before anything is sent: `mcp` would register a new client at every attempt.
            raise LoginNeededError(spec.name)
        return provider(spec, token_store)


def _registered_client(oauth: OAuth) -> OAuthClientInformationFull | None:
    """Our client registration, if the operator registered the client by hand."""
    if oauth.client_id is None:
        return None
    return OAuthClientInformationFull(
        client_id=oauth.client_id,
        client_secret=oauth.client_secret,
        redirect_uris=[AnyUrl(PLACEHOLDER_REDIRECT)],
        grant_types=["authorization_code", "refresh_token"],
        token_endpoint_auth_method="client_secret_post" if oauth.client_secret else "none",
        scope=oauth.scope,
        issuer=oauth.issuer,
    )


__all__ = ["PLACEHOLDER_REDIRECT", "Credentials", "LoginNeededError", "OAuthFlowError", "TokenStore", "provider"]
