"""Expand the settings that the operator wrote for one server (`codeact.servers.NAME`). `tools.spec` declares them."""

from dataclasses import replace

from pydantic import JsonValue as AnyJson

from codeact_bridges.tools.spec import OAuth, ServerSettings
from codeact_server.config.dialects import GivenSettings
from codeact_server.config.document import Node
from codeact_server.config.expansion import ExpansionContext, ExpansionError


def given_settings(settings: ServerSettings, node: Node, context: ExpansionContext) -> GivenSettings:
    """Return the settings that are present at `node`, expanded, or raise `ConfigError`.

    `settings` is their validated form.
    """
    given = {name: getattr(settings, name) for name in node.table()}
    if settings.fixed:
        given["fixed"] = {
            pattern: {name: _expanded(node, value, context) for name, value in arguments.items()}
            for pattern, arguments in settings.fixed.items()
        }
    if settings.oauth is not None:
        given["oauth"] = _oauth(settings.oauth, node.child("oauth", None), context)
    return given


def _oauth(settings: OAuth, node: Node, context: ExpansionContext) -> OAuth:
    return replace(
        settings,
        client_id=_expanded_text(node.child("client_id", None), settings.client_id, context),
        client_secret=_expanded_text(node.child("client_secret", None), settings.client_secret, context),
    )


def _expanded_text(place: Node, text: str | None, context: ExpansionContext) -> str | None:
    try:
        return None if text is None else context.expand(text)
    except ExpansionError as exc:
        raise place.error(str(exc)) from exc


def _expanded(node: Node, value: AnyJson, context: ExpansionContext) -> AnyJson:
    """Return `value` with the variables expanded in every text that it contains."""
    match value:
        case str():
            return _expanded_text(node.child("fixed", None), value, context)
        case list():
            return [_expanded(node, item, context) for item in value]
        case dict():
            return {key: _expanded(node, item, context) for key, item in value.items()}
        case _:
            return value
