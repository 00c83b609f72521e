"""Filter of a server's tools: selects those that the operator allows, renames them and adds fixed arguments.

Pure. Patterns match the server's own names, so that they do not depend on renaming.
"""

import difflib
import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from codeact_bridges.names import folded, matches
from codeact_bridges.text import one_line
from codeact_bridges.tools.catalog.argument_check import is_closed
from codeact_bridges.tools.catalog.catalog import CatalogTool
from codeact_bridges.tools.catalog.schema import Schema, mapping, properties, required, sequence
from codeact_bridges.tools.spec import ToolFilter
from codeact_bridges.values import JsonValue

log = logging.getLogger(__name__)

MAX_UNMATCHED = 20
"""Unmatched settings that are reported for one server."""


def filtered(tools: Iterable[CatalogTool], tool_filter: ToolFilter) -> tuple[CatalogTool, ...]:
    """The tools that programs may call, in the form in which they call them."""
    allowed = [tool for tool in tools if _is_allowed(tool, tool_filter)]
    taken = {tool.name for tool in allowed if tool.name not in tool_filter.rename}
    given: list[CatalogTool] = []
    for tool in allowed:
        name = tool_filter.rename.get(tool.name, tool.name)
        if name != tool.name:
            if name in taken:
                log.warning(
                    "server %r: %r cannot be renamed to %r, the name of another tool",
                    tool.server,
                    _shown(tool.name),
                    name,
                )
                name = tool.name
            taken.add(name)
        given.append(
            replace(
                _with_fixed_arguments(tool, _fixed_for(tool, tool_filter)),
                name=name,
                sent_as=tool.name,
                timeout_s=next(
                    (
                        seconds
                        for pattern, seconds in tool_filter.tool_timeouts_s.items()
                        if matches(pattern, tool.name)
                    ),
                    None,
                ),
                literal=tool_filter.literal,
            )
        )
    return tuple(given)


def unmatched(
    tools: Iterable[CatalogTool], tool_filter: ToolFilter, policy_tools: Iterable[str] = ()
) -> tuple[str, ...]:
    """The settings that match no tool of the server, each as a phrase. A typo in `deny` would otherwise allow a tool.

    `policy_tools` are the tools in rules of the policy, by the names that programs use.
    """
    tools = tuple(tools)
    found = list(dict.fromkeys(_each_unmatched(tools, tool_filter, policy_tools)))
    more = len(found) - MAX_UNMATCHED
    return (*found[:MAX_UNMATCHED], *([f"and {more} more"] if more > 0 else []))


def _each_unmatched(
    tools: Sequence[CatalogTool], tool_filter: ToolFilter, policy_tools: Iterable[str]
) -> Iterator[str]:
    own = [tool.name for tool in tools]
    patterns = {
        "allow": tool_filter.tools.allow,
        "deny": tool_filter.tools.deny,
        "fixed": tuple(tool_filter.fixed),
        "tool_timeouts_s": tuple(tool_filter.tool_timeouts_s),
    }
    for setting, written in patterns.items():
        for pattern in written:
            if not any(matches(pattern, name) for name in own):
                yield _matches_none(setting, pattern, own)
    for name in tool_filter.rename:
        if name not in own:
            yield _matches_none("rename", name, own)
    for pattern, arguments in tool_filter.fixed.items():
        meant = [tool for tool in tools if matches(pattern, tool.name)]
        for argument in arguments:
            if meant and not any(_may_take(tool, argument) for tool in meant):
                known = [name for tool in meant for name in properties(tool.input_schema)]
                hint = _did_you_mean(argument, known)
                yield f"fixed.{_quoted(pattern)}: no matching tool has an argument {_quoted(argument)}{hint}"
    # A rule for a tool that the filter removes is not a mistake: the tool exists.
    known = [tool_filter.rename.get(name, name) for name in own]
    for name in policy_tools:
        if not any(folded(name) == folded(other) for other in known):
            yield _matches_none("policy.rules", name, known)


def _matches_none(setting: str, name: str, known: Sequence[str]) -> str:
    return f"{setting}: {_quoted(name)} matches no tool{_did_you_mean(name, known)}"


def _did_you_mean(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name[:80], known, n=1, cutoff=0.6)
    return f" (did you mean {_quoted(near[0])}?)" if near else ""


def _may_take(tool: CatalogTool, argument: str) -> bool:
    """Whether the tool has this argument, or takes arguments that its schema does not name."""
    return argument in properties(tool.input_schema) or not is_closed(tool.input_schema)


def _quoted(name: str) -> str:
    return json.dumps(_shown(name), ensure_ascii=False)


def _is_allowed(tool: CatalogTool, tool_filter: ToolFilter) -> bool:
    if tool_filter.tools.read_only and not tool.read_only:
        return False
    if any(matches(pattern, tool.name) for pattern in tool_filter.tools.deny):
        return False
    return not tool_filter.tools.allow or any(matches(pattern, tool.name) for pattern in tool_filter.tools.allow)


def _fixed_for(tool: CatalogTool, tool_filter: ToolFilter) -> dict[str, JsonValue]:
    found: dict[str, JsonValue] = {}
    for pattern, arguments in tool_filter.fixed.items():
        if matches(pattern, tool.name):
            found = {**arguments, **found}  # the first pattern that names an argument decides
    return found


def _with_fixed_arguments(tool: CatalogTool, fixed: Mapping[str, JsonValue]) -> CatalogTool:
    if not fixed:
        return tool
    schema = tool.input_schema
    # A tool that takes only the arguments that it names would refuse another: send a fixed argument only to tools that
    # may take it. `withheld` still keeps programs from passing it.
    sent = {name: value for name, value in fixed.items() if _may_take(tool, name)}
    return replace(tool, input_schema=_without(schema, fixed), fixed=sent, withheld=frozenset(fixed))


def _without(schema: Schema, names: Iterable[str]) -> dict[str, Any]:
    """`schema` without the arguments `names`."""
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


def _shown(name: str) -> str:
    return one_line(name, 80)
