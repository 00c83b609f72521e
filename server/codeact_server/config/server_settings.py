"""What the configuration says of one downstream server beyond its entry: `codeact.servers.NAME`."""

from collections.abc import Mapping
from typing import Annotated, Literal, TypeAlias, cast

from pydantic import BaseModel, Field, model_validator
from pydantic import JsonValue as AnyJson

from codeact_bridges.tools.spec import Era, OAuth, Start, ToolFilter
from codeact_bridges.values import JsonValue
from codeact_server.config.dialects import Overrides
from codeact_server.config.document import Node
from codeact_server.config.expansion import ExpansionContext, ExpansionError

Pattern: TypeAlias = Annotated[str, Field(min_length=1, max_length=200)]
Seconds: TypeAlias = Annotated[float, Field(gt=0, le=86_400)]
ToolName: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,128}$")]


class ToolChoice(BaseModel, extra="forbid", frozen=True):
    """Which of the server's tools programs get (`codeact.servers.NAME.tools`). Patterns are over the server's own
    names: `*`, `?`, `[…]`; a hyphen and an underscore are the same."""

    allow: tuple[Pattern, ...] = Field(default=(), max_length=1_000)
    """Where there are any, only tools that fit one of them."""

    deny: tuple[Pattern, ...] = Field(default=(), max_length=1_000)
    """Never those."""

    read_only: bool = False
    """Only tools that say of themselves that they only read (`readOnlyHint`)."""


class OAuthSettings(BaseModel, extra="forbid", frozen=True):
    """How to come by access to a remote server (`codeact.servers.NAME.oauth`)."""

    grant: Literal["authorization_code", "client_credentials"] = "authorization_code"
    """A person logs in once with `codeact-mcp login NAME`; or we have an id and a secret of our own."""

    client_id: str | None = None
    client_secret: str | None = Field(default=None, repr=False)
    """`${VAR}` and `${cmd:…}` are put in."""

    scope: str | None = None
    """Scopes, separated by blanks. Without it, those that the server asks for."""

    issuer: str | None = Field(default=None, pattern=r"^https?://\S+$")
    """The address of the authorization server that knows `client_id`. The secret is sent to no other."""

    redirect_port: int = Field(default=0, ge=0, le=65_535)
    """The port on 127.0.0.1 that a login comes back to; 0 takes a free one. For authorization servers that were told
    of `http://127.0.0.1:PORT/callback` by hand."""

    @model_validator(mode="after")
    def _is_complete(self) -> "OAuthSettings":
        if self.grant == "client_credentials" and not (self.client_id and self.client_secret and self.issuer):
            raise ValueError("grant client_credentials needs a client_id, a client_secret and an issuer")
        if self.client_secret and not self.client_id:
            raise ValueError("a client_secret needs the client_id that it belongs to")
        return self


class ServerSettings(BaseModel, extra="forbid", frozen=True):
    """What we need to know of one downstream server beyond its entry (`codeact.servers.NAME`)."""

    start: Start = "eager"
    """`lazy`: started when a program first asks for it, by a call, a search or a list."""

    era: Era = "auto"
    """`handshake`: begin with the handshake of the older protocol. For servers that do not answer what they do not
    know, where finding that out takes the start timeout once."""

    start_timeout_s: Seconds | None = None
    """Seconds this server may take to start and list its tools. Ahead of Codex's `startup_timeout_sec` in its entry
    and of `limits.start_timeout_s`."""

    call_timeout_s: Seconds | None = None
    """Seconds one call to this server may take. Ahead of Codex's `tool_timeout_sec` in its entry and of
    `limits.call_timeout_s`. Other clients' `timeout` is not read: one means milliseconds, the next one seconds."""

    tool_timeouts_s: dict[Pattern, Seconds] = Field(default={}, max_length=1_000)
    """By pattern, seconds a call to these tools may take. The first that fits counts."""

    concurrent_calls: int | None = Field(default=None, ge=1, le=10_000)
    """Calls to this server under way at once, of all runs together; further ones wait. Without it, no limit but each
    run's `limits.concurrent_calls`."""

    transport: Literal["http", "sse"] | None = None
    """How to speak to the server's address, where its entry does not say or says it for another client."""

    tools: ToolChoice = ToolChoice()
    """Which tools there are for programs. Ahead of the lists in its entry (Codex, Gemini); what either denies is not
    there."""

    rename: dict[Pattern, ToolName] = Field(default={}, max_length=1_000)
    """Another name for a tool, by its own: `{ "search_repositories_v2" = "search" }`."""

    fixed: dict[Pattern, dict[str, AnyJson]] = Field(default={}, max_length=1_000, repr=False)
    """By pattern, arguments that are put into every call, which programs neither see nor change:
    `{ "*" = { repo = "me/app" } }`. `${VAR}` and `${cmd:…}` are put in."""

    literal: bool = False
    """The server writes its results as Python does (`{'id': 1}`): read them so."""

    oauth: OAuthSettings | None = None
    """For a remote server that asks for OAuth."""

    @model_validator(mode="after")
    def _names_differ(self) -> "ServerSettings":
        names = [name.replace("-", "_") for name in self.rename.values()]
        if len(names) != len(set(names)):
            raise ValueError("rename gives two tools the same name (a hyphen and an underscore are the same)")
        return self

    def overrides(self, node: Node, around: ExpansionContext) -> Overrides:
        """What `dialects` makes a server with. `node` is where all this stands."""
        fixed = {
            pattern: {name: _filled(node, value, around) for name, value in arguments.items()}
            for pattern, arguments in self.fixed.items()
        }
        offer = ToolFilter(
            allow=self.tools.allow,
            deny=self.tools.deny,
            read_only=self.tools.read_only,
            rename=self.rename,
            fixed=cast("Mapping[str, Mapping[str, JsonValue]]", fixed),
            timeouts_s=self.tool_timeouts_s,
            literal=self.literal,
        )
        return Overrides(
            start_timeout_s=self.start_timeout_s,
            call_timeout_s=self.call_timeout_s,
            transport=self.transport,
            start=self.start,
            era=self.era,
            concurrent_calls=self.concurrent_calls,
            offer=offer,
            oauth=None if self.oauth is None else _oauth(self.oauth, node, around),
        )


def _oauth(settings: OAuthSettings, node: Node, around: ExpansionContext) -> OAuth:
    place = node.child("oauth", None)
    return OAuth(
        grant=settings.grant,
        client_id=_text(place.child("client_id", None), settings.client_id, around),
        client_secret=_text(place.child("client_secret", None), settings.client_secret, around),
        scope=settings.scope,
        issuer=settings.issuer,
        redirect_port=settings.redirect_port,
    )


def _text(place: Node, text: str | None, around: ExpansionContext) -> str | None:
    try:
        return None if text is None else around.expand(text)
    except ExpansionError as exc:
        raise place.error(str(exc)) from exc


def _filled(node: Node, value: AnyJson, around: ExpansionContext) -> AnyJson:
    """`value` with its variables put in, wherever a text stands in it."""
    match value:
        case str():
            return _text(node.child("fixed", None), value, around)
        case list():
            return [_filled(node, item, around) for item in value]
        case dict():
            return {key: _filled(node, item, around) for key, item in value.items()}
        case _:
            return value
