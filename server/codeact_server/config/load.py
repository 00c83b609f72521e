"""Load the configuration: one file, read once at start and checked as a whole.

    [mcpServers.git]                          # the downstream servers, as in any MCP client's file
    command = "uvx"
    args = ["mcp-server-git", "--repository", "${HOME}/src/app"]

    [codeact]                                 # the settings of codeact-mcp
    engine = "auto"
    limits = { deadline_s = 30 }
    servers.git = { call_timeout_s = 10 }

A client's own file works unchanged: its other keys are ignored, and so is its entry for codeact-mcp.
"""

import difflib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from codeact_bridges.approval.policy import Policy
from codeact_bridges.files.mounts import BadMount, Mount, check
from codeact_bridges.files.spec import FolderSpec
from codeact_bridges.limits import Limits
from codeact_bridges.names import folded, has_wildcard
from codeact_bridges.network.rules import HostRule, HostRules
from codeact_bridges.network.spec import RuleSpec, useless
from codeact_bridges.text import escaped
from codeact_bridges.tools.spec import StdioServer
from codeact_server.config import dialects
from codeact_server.config.command_line import MAX_NAME_LENGTH, is_ourselves, name_of
from codeact_server.config.command_output import CommandRunner
from codeact_server.config.document import ConfigError, Key, Node, key_text, read
from codeact_server.config.expansion import ExpansionContext, ExpansionError
from codeact_server.config.messages import nearest_name, sentence
from codeact_server.config.model import NO_FILE, Config, Settings, SharedSettings
from codeact_server.config.server_settings import given_settings

__all__ = ["ConfigError", "for_command", "load"]

T = TypeVar("T")

_SETTINGS = TypeAdapter(Settings)


def load(path: Path, environ: Mapping[str, str]) -> Config:
    """Load the configuration file at `path`, or raise `ConfigError`. `environ` supplies `${VAR}` and, as HOME, `~`."""
    shown = escaped(str(path))
    path = ExpansionContext(environ, Path()).path(str(path)) if str(path).startswith("~") else path
    try:
        return _build(read(path, shown), ExpansionContext(environ, _folder_of(path)))
    except RecursionError:
        raise ConfigError(shown, "", "is nested too deeply") from None


def for_command(argv: Sequence[str]) -> Config:
    """Return the defaults and the one stdio server that `argv` starts (`codeact-mcp serve -- COMMAND ARG …`)."""
    if not argv or not argv[0]:
        raise ConfigError("command line", "", "a command is missing after --")
    if is_ourselves(argv):
        raise ConfigError("command line", "", "codeact-mcp cannot be its own server: it would start itself endlessly")
    if any("\0" in word for word in argv):
        raise ConfigError("command line", "", "contains a NUL, which no program can be given")
    limits = Limits()
    server = StdioServer(
        name=name_of(argv)[:MAX_NAME_LENGTH],
        command=argv[0],
        args=tuple(argv[1:]),
        start_timeout_s=limits.start_timeout_s,
        call_timeout_s=limits.call_timeout_s,
    )
    return Config(servers=(server,), limits=limits)


def _folder_of(path: Path) -> Path:
    """Return the base of relative paths: the file's folder, or for a client's folder like `.vscode` its project."""
    folder = path.absolute().parent
    return folder.parent if folder.name in {".vscode", ".cursor", ".gemini", ".codex", ".zed"} else folder


def _build(root: Node, context: ExpansionContext) -> Config:
    top = root.table()
    settings = _settings(top.get("codeact", root.child("codeact", {})))
    limits = settings.limits
    if settings.allow_commands:
        context = replace(context, commands=CommandRunner(context.environ))
    found = dialects.servers(root, context, _given_settings(root, settings, context), limits)
    names = [*(server.name for server in found.servers), *found.skipped]
    _check_names(root, settings, names)
    tools = _tools_of_rules(root, settings.policy, names)
    remarks = [*found.notes, *_probable_typos(top)]
    notes = [f"{root.file}: {remark}" for remark in remarks]
    if not found.servers:
        notes = ["; ".join([_no_servers(root.file), *remarks])]
    return Config(
        **_shared(root, settings, context),
        servers=tuple(replace(server, policy_tools=tools.get(folded(server.name), ())) for server in found.servers),
        files=_mounts(root, settings.files, context),
        network=_network_rules(root, settings.network, context),
        notes=tuple(notes),
        source=root.file,
        no_servers=NO_FILE if found.servers else notes[0],
    )


def _no_servers(file: str) -> str:
    first, *others = dialects.SECTIONS
    return f"{file} contains no servers: write them under {first} (or {', '.join(others)})"


def _given_settings(root: Node, settings: Settings, context: ExpansionContext) -> dict[str, dialects.GivenSettings]:
    """Return the settings of `codeact.servers`, by the servers' `identity`."""
    if not settings.servers:
        return {}
    nodes = root.table()["codeact"].table()["servers"].table()
    return {
        dialects.identity(name): given_settings(own, nodes[name], context) for name, own in settings.servers.items()
    }


def _shared(root: Node, settings: Settings, context: ExpansionContext) -> dict[str, Any]:
    """Return the shared settings by name, with the path of `audit` expanded."""
    shared = {each.name: getattr(settings, each.name) for each in fields(SharedSettings)}
    if (audit := settings.audit) is not None:
        path = _expanded(root, ("codeact", "audit", "path"), audit.path, context.path)
        shared["audit"] = audit.model_copy(update={"path": str(path)})
    return shared


def _expanded(root: Node, key: Key, text: str, expand: Callable[[str], T]) -> T:
    """Return the `text` at `key`, expanded. Raises `ConfigError`."""
    try:
        return expand(text)
    except ExpansionError as exc:
        raise ConfigError(root.file, key_text(key), str(exc)) from None


def _mounts(root: Node, specs: Mapping[str, FolderSpec], context: ExpansionContext) -> tuple[Mount, ...]:
    """Return the folders of `codeact.files`. Each exists."""
    try:
        mounts = [spec.mount(guest, _path(root, guest, spec, context)) for guest, spec in specs.items()]
        check(mounts)
    except BadMount as exc:
        place = ("codeact", "files", exc.guest, exc.field)
        raise ConfigError(root.file, key_text(tuple(part for part in place if part)), exc.reason) from None
    return tuple(mounts)


def _path(root: Node, guest: str, spec: FolderSpec, context: ExpansionContext) -> Path | None:
    if spec.path is None:
        return None
    return _expanded(root, ("codeact", "files", guest, "path"), spec.path, context.path)


def _network_rules(root: Node, specs: Sequence[RuleSpec], context: ExpansionContext) -> HostRules:
    """Return the rules of `[[codeact.network]]`, with the variables of injected headers expanded."""
    rules: list[HostRule] = []
    for index, spec in enumerate(specs):
        place = ("codeact", "network", index)
        injected = {
            name: _expanded(root, (*place, "headers", name), value, context.expand)
            for name, value in spec.headers.items()
        }
        try:
            rules.append(spec.rule(injected))
        except ValueError as exc:
            raise ConfigError(root.file, key_text((*place, "headers")), str(exc)) from None
    if (never_used := useless(rules)) is not None:
        index, why = never_used
        raise ConfigError(root.file, key_text(("codeact", "network", index)), why)
    return HostRules(tuple(rules))


def _settings(node: Node) -> Settings:
    # As JSON: only there pydantic is strict ("5" is not a number) and still accepts a list for a tuple.
    node.table()
    data = json.dumps(node.plain())
    try:
        return _SETTINGS.validate_json(data, strict=True)
    except ValidationError as exc:
        details = exc.errors(include_url=False, include_input=False)[0]
        place = tuple(part for part in details["loc"] if part != "[key]")
        key = key_text((*node.key, *place))
        raise ConfigError(node.file, key, sentence(details, place)) from None  # pydantic's message shows the value


def _check_names(root: Node, settings: Settings, names: Sequence[str]) -> None:
    known = {dialects.identity(name): name for name in names}
    seen: set[str] = set()
    for name in settings.servers:
        key = key_text(("codeact", "servers", name))
        if (identity := dialects.identity(name)) not in known:
            hint = nearest_name(name, list(known.values()), "servers in this file")
            raise ConfigError(root.file, key, f"no server has this name{hint}")
        if identity in seen:
            raise ConfigError(root.file, key, "is defined twice (a hyphen and an underscore are the same)")
        seen.add(identity)


def _tools_of_rules(root: Node, policy: Policy, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the tools that rules name without a wildcard, by their server's folded name.

    Raises `ConfigError` if a rule names an unknown server.
    """
    known = {folded(name) for name in names}
    found: dict[str, tuple[str, ...]] = {}
    for index, rule in enumerate(policy.rules):
        server, dot, tool = (rule.tool or "").partition(".")
        if not dot or has_wildcard(server):
            continue
        if folded(server) not in known:
            key = key_text(("codeact", "policy", "rules", index, "tool"))
            hint = nearest_name(server, names, "servers in this file")
            raise ConfigError(root.file, key, f"no server is named {server}{hint}")
        if not has_wildcard(tool):
            found[folded(server)] = (*found.get(folded(server), ()), tool)
    return found


def _probable_typos(top: Mapping[str, Node]) -> list[str]:
    """Return notes about keys that resemble ours or a dialect's. No errors: they may belong to another program."""
    ours = {key.lower(): key for key in ("codeact", *dialects.SECTIONS)}
    return [
        f"{key_text((key,))}: ignored; did you mean {ours[near[0]]}?"
        for key in top
        if key not in ours.values() and (near := difflib.get_close_matches(key.lower()[:40], ours, n=1, cutoff=0.85))
    ]
