"""The settings that the operator wrote for one server (`codeact.servers.NAME`), ready to be applied to it.

`tools.spec` declares them. This module expands their variables.
"""

from dataclasses import replace

from pydantic import JsonValue as AnyJson

from codeact_bridges.tools.spec import OAuth, ServerSettings
from codeact_server.config.dialects import GivenSettings
from codeact_server.config.document import Node
from codeact_server.config.expansion import ExpansionContext, ExpansionError


def given_settings(settings: ServerSettings, node: Node, around: ExpansionContext) -> GivenSettings:
    """The settings that are written at `node`, from their validated form `settings`. Raises `ConfigError`."""
    given = {name: getattr(settings, name) for name in node.table()}
    if settings.fixed:
        given["fixed"] = {
            pattern: {name: _filled(node, value, around) for name, value in arguments.items()}
            for pattern, arguments in settings.fixed.items()
        }
    if settings.oauth is not None:
        given["oauth"] = _oauth(settings.oauth, node.child("oauth", None), around)
    return given


def _oauth(settings: OAuth, node: Node, around: ExpansionContext) -> OAuth:
    return replace(
        settings,
        client_id=_text(node.child("client_id", None), settings.client_id, around),
        client_secret=_text(node.child("client_secret", None), settings.client_secret, around),
    )


def _text(place: Node, text: str | None, around: ExpansionContext) -> str | None:
    try:
        return None if text is None else around.expand(text)
    except ExpansionError as exc:
        raise place.error(str(exc)) from exc


def _filled(node: Node, value: AnyJson, around: ExpansionContext) -> AnyJson:
    """`value` with the variables expanded in every text it contains."""
    match value:
        case str():
            return _text(node.child("fixed", None), value, around)
        case list():
            return [_filled(node, item, around) for item in value]
        case dict():
            return {key: _filled(node, item, around) for key, item in value.items()}
        case _:
            return value
