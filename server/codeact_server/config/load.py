"""The configuration: one file, parsed once and whole at start-up.

    [mcpServers.git]                          # the downstream servers, as any MCP client writes them
    command = "uvx"
    args = ["mcp-server-git", "--repository", "${HOME}/src/app"]

    [codeact]                                 # everything of ours
    engine = "auto"
    limits = { deadline_s = 30 }
    servers.git = { call_timeout_s = 10 }

A client's own file works as it is: its other keys are ignored, and so is the entry that starts us.
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
from codeact_server.config.command_output import Commands
from codeact_server.config.document import ConfigError, Key, Node, read, written
from codeact_server.config.expansion import ExpansionContext, ExpansionError
from codeact_server.config.messages import nearest_name, sentence
from codeact_server.config.model import Config, Settings, SharedSettings
from codeact_server.config.server_settings import given_settings

__all__ = ["ConfigError", "for_command", "load"]

T = TypeVar("T")

_SETTINGS = TypeAdapter(Settings)


def load(path: Path, environ: Mapping[str, str]) -> Config:
    """The configuration in the file at `path`, or `ConfigError`. `environ` gives `${VAR}` and, as HOME, `~`."""
    shown = escaped(str(path))
    path = ExpansionContext(environ, Path()).path(str(path)) if str(path).startswith("~") else path
    try:
        return _understood(read(path, shown), ExpansionContext(environ, _folder_of(path)))
    except RecursionError:
        raise ConfigError(shown, "", "nested too deeply") from None


def for_command(argv: Sequence[str]) -> Config:
    """Every default in front of the one stdio server that `argv` starts (`codeact-mcp serve -- COMMAND ARG …`)."""
    if not argv or not argv[0]:
        raise ConfigError("command line", "", "a command is missing after --")
    if is_ourselves(argv):
        raise ConfigError("command line", "", "codeact-mcp in front of itself would start itself for ever")
    if any("\0" in word for word in argv):
        raise ConfigError("command line", "", "holds a NUL, which no program can be given")
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
    """Where relative paths in the file start: beside it, or beside the folder that a client keeps it in."""
    folder = path.absolute().parent
    return folder.parent if folder.name in {".vscode", ".cursor", ".gemini", ".codex", ".zed"} else folder


def _understood(root: Node, around: ExpansionContext) -> Config:
    top = root.table()
    settings = _settings(top.get("codeact", root.child("codeact", {})))
    limits = settings.limits
    if settings.allow_commands:
        around = replace(around, commands=Commands(around.environ))
    found = dialects.servers(root, around, _given_settings(root, settings, around), limits)
    names = [*(server.name for server in found.servers), *found.left_out]
    _check_names(root, settings, names)
    tools = _tools_of_rules(root, settings.policy, names)
    notes = [*found.notes, *_likely_slips(top)]
    if not found.servers:
        notes.append(f"no servers in it: looked under {', '.join(dialects.SECTIONS)}")
    return Config(
        **_shared(root, settings, around),
        servers=tuple(replace(server, policy_tools=tools.get(folded(server.name), ())) for server in found.servers),
        files=_mounts(root, settings.files, around),
        network=_network_rules(root, settings.network, around),
        notes=tuple(f"{root.file}: {note}" for note in notes),
        source=root.file,
    )


def _given_settings(root: Node, settings: Settings, around: ExpansionContext) -> dict[str, dialects.GivenSettings]:
    """The settings of `codeact.servers`, by the servers' `identity`."""
    if not settings.servers:
        return {}
    nodes = root.table()["codeact"].table()["servers"].table()
    return {dialects.identity(name): given_settings(own, nodes[name], around) for name, own in settings.servers.items()}


def _shared(root: Node, settings: Settings, around: ExpansionContext) -> dict[str, Any]:
    """The settings that hold as they are written, by name. The path of `audit` is expanded."""
    shared = {each.name: getattr(settings, each.name) for each in fields(SharedSettings)}
    if (audit := settings.audit) is not None:
        path = _expanded(root, ("codeact", "audit", "path"), audit.path, around.path)
        shared["audit"] = audit.model_copy(update={"path": str(path)})
    return shared


def _expanded(root: Node, key: Key, text: str, expand: Callable[[str], T]) -> T:
    """`text`, which stands at `key`, with its variables expanded."""
    try:
        return expand(text)
    except ExpansionError as exc:
        raise ConfigError(root.file, written(key), str(exc)) from None


def _mounts(root: Node, specs: Mapping[str, FolderSpec], around: ExpansionContext) -> tuple[Mount, ...]:
    """The folders of `codeact.files`, each of which is there."""
    try:
        mounts = [spec.mount(guest, _path(root, guest, spec, around)) for guest, spec in specs.items()]
        check(mounts)
    except BadMount as exc:
        place = ("codeact", "files", exc.guest, exc.field)
        raise ConfigError(root.file, written(tuple(part for part in place if part)), exc.reason) from None
    return tuple(mounts)


def _path(root: Node, guest: str, spec: FolderSpec, around: ExpansionContext) -> Path | None:
    if spec.path is None:
        return None
    return _expanded(root, ("codeact", "files", guest, "path"), spec.path, around.path)


def _network_rules(root: Node, specs: Sequence[RuleSpec], around: ExpansionContext) -> HostRules:
    """The rules of `[[codeact.network]]`, with the variables of injected headers put in."""
    rules: list[HostRule] = []
    for index, spec in enumerate(specs):
        place = ("codeact", "network", index)
        injected = {
            name: _expanded(root, (*place, "headers", name), value, around.expand)
            for name, value in spec.headers.items()
        }
        try:
            rules.append(spec.rule(injected))
        except ValueError as exc:
            raise ConfigError(root.file, written((*place, "headers")), str(exc)) from None
    if (never_used := useless(rules)) is not None:
        index, why = never_used
        raise ConfigError(root.file, written(("codeact", "network", index)), why)
    return HostRules(tuple(rules))


def _settings(node: Node) -> Settings:
    # As JSON, because there pydantic can be strict ("5" is no number) and still take a list for a tuple.
    node.table()
    data = json.dumps(node.plain())
    try:
        return _SETTINGS.validate_json(data, strict=True)
    except ValidationError as exc:
        details = exc.errors(include_url=False, include_input=False)[0]
        place = tuple(part for part in details["loc"] if part != "[key]")
        key = written((*node.key, *place))
        raise ConfigError(node.file, key, sentence(details, place)) from None  # pydantic's own text shows the value


def _check_names(root: Node, settings: Settings, names: Sequence[str]) -> None:
    known = {dialects.identity(name): name for name in names}
    seen: set[str] = set()
    for name in settings.servers:
        key = written(("codeact", "servers", name))
        if (identity := dialects.identity(name)) not in known:
            hint = nearest_name(name, list(known.values()), "servers in this file")
            raise ConfigError(root.file, key, f"no server has this name{hint}")
        if identity in seen:
            raise ConfigError(root.file, key, "written twice (a hyphen and an underscore are the same)")
        seen.add(identity)


def _tools_of_rules(root: Node, policy: Policy, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The tools that rules name without a wildcard, by their server's folded name. Each rule's server is there."""
    known = {folded(name) for name in names}
    found: dict[str, tuple[str, ...]] = {}
    for index, rule in enumerate(policy.rules):
        server, dot, tool = (rule.tool or "").partition(".")
        if not dot or has_wildcard(server):
            continue
        if folded(server) not in known:
            key = written(("codeact", "policy", "rules", index, "tool"))
            hint = nearest_name(server, names, "servers in this file")
            raise ConfigError(root.file, key, f"no server has the name {server} before the dot{hint}")
        if not has_wildcard(tool):
            found[folded(server)] = (*found.get(folded(server), ()), tool)
    return found


def _likely_slips(top: Mapping[str, Node]) -> list[str]:
    """Keys of ours or of a dialect that were probably meant. Only notes: they may belong to somebody else's program."""
    ours = {key.lower(): key for key in ("codeact", *dialects.SECTIONS)}
    return [
        f"{written((key,))}: ignored; did you mean {ours[near[0]]}?"
        for key in top
        if key not in ours.values() and (near := difflib.get_close_matches(key.lower()[:40], ours, n=1, cutoff=0.85))
    ]
