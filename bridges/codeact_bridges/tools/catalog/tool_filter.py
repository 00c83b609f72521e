"""What programs get of a server's tools: those that the operator lets through, renamed, with arguments put in.

Pure. Patterns are over the names that the server gives, so that a renamed tool stays the tool it was.
"""

import difflib
import json
import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import translate
from functools import lru_cache
from typing import Any

from codeact_bridges.text import one_line
from codeact_bridges.tools.catalog.argument_check import is_closed
from codeact_bridges.tools.catalog.catalog import CatalogTool
from codeact_bridges.tools.catalog.schema import Schema, mapping, properties, required, sequence
from codeact_bridges.tools.spec import ToolFilter
from codeact_bridges.values import JsonValue

log = logging.getLogger(__name__)

MAX_MISFITS = 20
"""Settings without a tool that are told of one server."""


def filtered(tools: Iterable[CatalogTool], offer: ToolFilter) -> tuple[CatalogTool, ...]:
    """The tools that programs get, in the form in which they get them."""
    if offer == ToolFilter():
        return tuple(tools)
    let_through = [tool for tool in tools if _is_let_through(tool, offer)]
    taken = {tool.name for tool in let_through if tool.name not in offer.rename}
    given: list[CatalogTool] = []
    for tool in let_through:
        name = offer.rename.get(tool.name, tool.name)
        if name != tool.name:
            if name in taken:
                log.warning("server %r: %r cannot be called %r: another tool is", tool.server, _shown(tool.name), name)
                name = tool.name
            taken.add(name)
        given.append(
            replace(
                _with_fixed_arguments(tool, _fixed_for(tool, offer)),
                name=name,
                sent_as=tool.name,
                timeout_s=next(
                    (seconds for pattern, seconds in offer.timeouts_s.items() if fits(pattern, tool.name)), None
                ),
                literal=offer.literal,
            )
        )
    return tuple(given)


def unmatched(tools: Iterable[CatalogTool], offer: ToolFilter, ruled: Iterable[str] = ()) -> tuple[str, ...]:
    """What the operator says of tools that the server does not have, each as a phrase: a slip of the pen in `deny`
    would allow.

    `ruled` are tools by the names that programs use: those that rules of the policy name.
    """
    tools = tuple(tools)
    found = list(dict.fromkeys(_misfits(tools, offer, ruled)))
    more = len(found) - MAX_MISFITS
    return (*found[:MAX_MISFITS], *([f"and {more} more"] if more > 0 else []))


def _misfits(tools: Sequence[CatalogTool], offer: ToolFilter, ruled: Iterable[str]) -> Iterator[str]:
    own = [tool.name for tool in tools]
    patterns = {
        "allow": offer.allow,
        "deny": offer.deny,
        "fixed": tuple(offer.fixed),
        "tool_timeouts_s": tuple(offer.timeouts_s),
    }
    for setting, written in patterns.items():
        for pattern in written:
            if not any(fits(pattern, name) for name in own):
                yield _misfit(setting, pattern, own)
    for name in offer.rename:
        if name not in own:
            yield _misfit("rename", name, own)
    for pattern, arguments in offer.fixed.items():
        meant = [tool for tool in tools if fits(pattern, tool.name)]
        for argument in arguments:
            if meant and not any(_may_take(tool, argument) for tool in meant):
                known = [name for tool in meant for name in properties(tool.input_schema)]
                hint = _did_you_mean(argument, known)
                yield f"fixed.{_quoted(pattern)}: no tool that it fits has an argument {_quoted(argument)}{hint}"
    # A tool that is kept from programs is there all the same: a rule for it is no mistake.
    known = [offer.rename.get(name, name) for name in own]
    for name in ruled:
        if not any(_folded(name) == _folded(other) for other in known):
            yield _misfit("policy.rules", name, known)


def _misfit(setting: str, name: str, known: Sequence[str]) -> str:
    return f"{setting}: {_quoted(name)} fits no tool{_did_you_mean(name, known)}"


def _did_you_mean(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name[:80], known, n=1, cutoff=0.6)
    return f" (did you mean {_quoted(near[0])}?)" if near else ""


def _may_take(tool: CatalogTool, argument: str) -> bool:
    """Whether the tool has this argument, or takes some that it does not name."""
    return argument in properties(tool.input_schema) or not is_closed(tool.input_schema)


def _quoted(name: str) -> str:
    return json.dumps(_shown(name), ensure_ascii=False)


def fits(pattern: str, name: str) -> bool:
    """Whether the tool `name` is meant by `pattern`."""
    # As it stands too: a hyphen inside brackets is a range.
    return bool(_compiled(pattern).match(name) or _compiled(_folded(pattern)).match(_folded(name)))


def _is_let_through(tool: CatalogTool, offer: ToolFilter) -> bool:
    if offer.read_only and not tool.read_only:
        return False
    if any(fits(pattern, tool.name) for pattern in offer.deny):
        return False
    return not offer.allow or any(fits(pattern, tool.name) for pattern in offer.allow)


def _fixed_for(tool: CatalogTool, offer: ToolFilter) -> dict[str, JsonValue]:
    found: dict[str, JsonValue] = {}
    for pattern, arguments in offer.fixed.items():
        if fits(pattern, tool.name):
            found = {**arguments, **found}  # the first pattern that names an argument decides
    return found


def _with_fixed_arguments(tool: CatalogTool, fixed: Mapping[str, JsonValue]) -> CatalogTool:
    if not fixed:
        return tool
    schema = tool.input_schema
    # A server that names its arguments and takes no others would refuse one that it does not know: a pattern over all
    # tools means those that have the argument. All the same no program can pass it (`withheld`).
    sent = {name: value for name, value in fixed.items() if _may_take(tool, name)}
    return replace(tool, input_schema=_without(schema, fixed), fixed=sent, withheld=frozenset(fixed))


def _without(schema: Schema, names: Iterable[str]) -> dict[str, Any]:
    """`schema` as if it had never heard of the arguments `names`."""
    hidden = frozenset(names)
    left = dict(schema)
    if "properties" in left:
        left["properties"] = {name: value for name, value in properties(schema).items() if name not in hidden}
    if isinstance(left.get("required"), list):
        left["required"] = sorted(required(schema) - hidden)
    for combined in ("allOf", "anyOf", "oneOf"):
        if parts := sequence(left.get(combined)):
            left[combined] = [_without(found, hidden) if (found := mapping(part)) else part for part in parts]
    return left


@lru_cache(maxsize=1_000)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(translate(pattern))


def _folded(name: str) -> str:
    return name.replace("-", "_")


def _shown(name: str) -> str:
    return one_line(name, 80)
