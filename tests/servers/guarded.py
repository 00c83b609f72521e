"""A downstream server behind OAuth, with its authorization server beside it. Prints its URL as the first line.

    python guarded.py PORT [--refuse]

Every authorization request is granted at once, without a page. It checks PKCE, the redirect address, the client's
secret, and that codes and refresh tokens are used once. Tokens are named after their grant.
"""

import argparse
import base64
import hashlib
import itertools
import socket
from urllib.parse import parse_qs, urlencode

import uvicorn
from mcp.server.mcpserver import Context, MCPServer
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

server = MCPServer("guarded")


@server.tool()
async def token(ctx: Context) -> dict[str, str | int]:
    """The token of this call."""
    request = ctx.request_context.request
    assert isinstance(request, Request)
    return {"token": request.headers["authorization"].removeprefix("Bearer "), "registered": len(Authorization.clients)}


class Authorization:
    """The authorization server."""

    clients: dict[str, str | None] = {"known": "hush"}  # noqa: RUF012  # one process, one server
    """Secrets by client id."""

    def __init__(self, url: str, options: argparse.Namespace) -> None:
        self.url = url
        self.refuse: bool = options.refuse
        self.codes: dict[str, tuple[str, str, str]] = {}
        """Client, challenge and redirect address by code."""
        self.refresh_tokens: set[str] = set()
        self.tokens: set[str] = set()
        self.numbers = itertools.count(1)

    def routes(self) -> list[Route]:
        return [
            Route("/.well-known/oauth-protected-resource/mcp", self.resource),
            Route("/.well-known/oauth-authorization-server", self.metadata),
            Route("/register", self.register, methods=["POST"]),
            Route("/authorize", self.authorize),
            Route("/tokens", self.give_token, methods=["POST"]),
        ]

    async def resource(self, _: Request) -> Response:
        return JSONResponse({"resource": f"{self.url}/mcp", "authorization_servers": [self.url]})

    async def metadata(self, _: Request) -> Response:
        return JSONResponse(
            {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/tokens",
                "registration_endpoint": f"{self.url}/register",
                "response_types_supported": ["code"],
                "code_challenge_methods_supported": ["S256"],
            }
        )

    async def register(self, request: Request) -> Response:
        registration = await request.json()
        name = f"client-{len(self.clients)}"
        self.clients[name] = None
        return JSONResponse({**registration, "client_id": name}, status_code=201)

    async def authorize(self, request: Request) -> Response:
        query = request.query_params
        assert query["client_id"] in self.clients
        assert query["code_challenge_method"] == "S256"
        back = {"state": query["state"]}
        if self.refuse:
            return RedirectResponse(f"{query['redirect_uri']}?{urlencode({**back, 'error': 'access_denied'})}")
        code = f"code-{next(self.numbers)}"
        self.codes[code] = query["client_id"], query["code_challenge"], query["redirect_uri"]
        return RedirectResponse(f"{query['redirect_uri']}?{urlencode({**back, 'code': code, 'iss': self.url})}")

    async def give_token(self, request: Request) -> Response:
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        grant = form["grant_type"]
        if grant == "client_credentials":
            expected = base64.b64encode(b"known:hush").decode()
            allowed = request.headers.get("authorization") == f"Basic {expected}"
        elif grant == "refresh_token":
            allowed = form["refresh_token"] in self.refresh_tokens
            self.refresh_tokens.discard(form["refresh_token"])
        else:
            client, challenge, redirect = self.codes.pop(form["code"])
            digest = hashlib.sha256(form["code_verifier"].encode()).digest()
            proof = base64.urlsafe_b64encode(digest).decode().rstrip("=")
            allowed = (form["client_id"], proof, form["redirect_uri"]) == (client, challenge, redirect)
            allowed = allowed and self.clients[client] == form.get("client_secret")
        if not allowed:
            return JSONResponse({"error": "invalid_grant"}, status_code=400)
        given = f"{grant}-{next(self.numbers)}"
        self.tokens.add(given)
        answer: dict[str, str | int] = {"access_token": given, "token_type": "Bearer", "expires_in": 3_600}
        if grant != "client_credentials":
            self.refresh_tokens.add(again := f"again-{given}")
            answer["refresh_token"] = again
        return JSONResponse(answer)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--refuse", action="store_true")
    options = parser.parse_args()
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", options.port))
    listener.listen()
    authorization = Authorization(f"http://127.0.0.1:{listener.getsockname()[1]}", options)
    app: Starlette = server.streamable_http_app()
    app.router.routes.extend(authorization.routes())

    async def guard(request: Request, call_next: RequestResponseEndpoint) -> Response:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if request.url.path != "/mcp" or given in authorization.tokens:
            return await call_next(request)
        where = f'Bearer resource_metadata="{authorization.url}/.well-known/oauth-protected-resource/mcp"'
        return Response("no", 401, {"WWW-Authenticate": where})

    app.add_middleware(BaseHTTPMiddleware, dispatch=guard)
    print(f"{authorization.url}/mcp", flush=True)  # noqa: T201
    config = uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
