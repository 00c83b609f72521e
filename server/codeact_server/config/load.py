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
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import ValidationError

from codeact_bridges.approval.policy import Policy
from codeact_bridges.files.mounts import BadMount, Mount, check
from codeact_bridges.files.spec import FolderSpec
from codeact_bridges.limits import Limits
from codeact_bridges.network.rules import HostRule, HostRules
from codeact_bridges.network.spec import RuleSpec, useless
from codeact_bridges.tools.spec import StdioServer
from codeact_server.config import command_line as commands
from codeact_server.config import dialects
from codeact_server.config import document as documents
from codeact_server.config.command_output import Commands
from codeact_server.config.document import ConfigError, Node
from codeact_server.config.expansion import ExpansionContext, ExpansionError
from codeact_server.config.messages import nearest_name, sentence
from codeact_server.config.model import Config, EngineName, LogLevel, Settings
from codeact_server.config.server_settings import ServerSettings

__all__ = [
    "Config",
    "ConfigError",
    "EngineName",
    "LogLevel",
    "ServerSettings",
    "Settings",
    "for_command",
    "load",
]


def load(path: Path, environ: Mapping[str, str]) -> Config:
    """The configuration in the file at `path`, or `ConfigError`. `environ` gives `${VAR}` and, as HOME, `~`."""
    shown = documents.one_line(str(path))
    path = ExpansionContext(environ, Path()).path(str(path)) if str(path).startswith("~") else path
    try:
        return _understood(documents.read(path, shown), ExpansionContext(environ, _folder_of(path)))
    except RecursionError:
        raise ConfigError(shown, "", "nested too deeply") from None


def for_command(argv: Sequence[str]) -> Config:
    """Every default in front of the one stdio server that `argv` starts (`codeact-mcp serve -- COMMAND ARG …`)."""
    if not argv or not argv[0]:
        raise ConfigError("command line", "", "a command is missing after --")
    if commands.is_ourselves(argv):
        raise ConfigError("command line", "", "codeact-mcp in front of itself would start itself for ever")
    if any("\0" in word for word in argv):
        raise ConfigError("command line", "", "holds a NUL, which no program can be given")
    limits = Limits()
    server = StdioServer(
        name=commands.name_of(argv)[: commands.MAX_NAME_LENGTH],
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
    ours = Node(root.file, ("codeact", "servers"), None)
    overrides = {
        dialects.identity(name): own.overrides(ours.child(name, None), around) for name, own in settings.servers.items()
    }
    found = dialects.servers(root, around, overrides, limits.start_timeout_s, limits.call_timeout_s)
    names = [*(server.name for server in found.servers), *found.left_out]
    _check_names(root, settings, names)
    ruled = _tools_of_rules(root, settings.policy, names)
    notes = [*found.notes, *_likely_slips(top)]
    if not found.servers:
        notes.append(f"no servers in it: looked under {', '.join(dialects.SECTIONS)}")
    return Config(
        servers=tuple(replace(server, ruled=ruled.get(_folded(server.name), ())) for server in found.servers),
        engine=settings.engine,
        limits=limits,
        pool=settings.pool,
        packages=settings.packages,
        policy=settings.policy,
        sessions=settings.sessions,
        answer_after_s=settings.answer_after_s,
        audit=settings.audit and settings.audit.model_copy(update={"path": str(around.path(settings.audit.path))}),
        files=_mounts(root, settings.files, around),
        network=_network_rules(root, settings.network, around),
        log_level=settings.log_level,
        notes=tuple(f"{root.file}: {note}" for note in notes),
        source=root.file,
    )


def _mounts(root: Node, specs: Mapping[str, FolderSpec], around: ExpansionContext) -> tuple[Mount, ...]:
    """The folders of `codeact.files`, each of which is there."""
    try:
        mounts = [spec.mount(guest, _path(root, guest, spec, around)) for guest, spec in specs.items()]
        check(mounts)
    except BadMount as exc:
        place = ("codeact", "files", exc.guest, exc.field)
        raise ConfigError(root.file, documents.written(tuple(part for part in place if part)), exc.reason) from None
    return tuple(mounts)


def _path(root: Node, guest: str, spec: FolderSpec, around: ExpansionContext) -> Path | None:
    try:
        return None if spec.path is None else around.path(spec.path)
    except ExpansionError as exc:
        key = documents.written(("codeact", "files", guest, "path"))
        raise ConfigError(root.file, key, str(exc)) from None


def _network_rules(root: Node, specs: Sequence[RuleSpec], around: ExpansionContext) -> HostRules:
    """The rules of `[[codeact.network]]`, with the variables of injected headers put in."""
    rules: list[HostRule] = []
    for index, spec in enumerate(specs):
        place = ("codeact", "network", index)
        injected: dict[str, str] = {}
        for name, value in spec.headers.items():
            try:
                injected[name] = around.expand(value)
            except ExpansionError as exc:
                raise ConfigError(root.file, documents.written((*place, "headers", name)), str(exc)) from None
        try:
            rules.append(spec.rule(injected))
        except ValueError as exc:
            raise ConfigError(root.file, documents.written((*place, "headers")), str(exc)) from None
    if (never_used := useless(rules)) is not None:
        index, why = never_used
        raise ConfigError(root.file, documents.written(("codeact", "network", index)), why)
    return HostRules(tuple(rules))


def _settings(node: Node) -> Settings:
    # As JSON, because there pydantic can be strict ("5" is no number) and still take a list for a tuple.
    node.table()
    data = json.dumps(node.plain())
    try:
        return Settings.model_validate_json(data, strict=True)
    except ValidationError as exc:
        details = exc.errors(include_url=False, include_input=False)[0]
        place = tuple(part for part in details["loc"] if part != "[key]")
        key = documents.written((*node.key, *place))
        raise ConfigError(node.file, key, sentence(details, place)) from None  # pydantic's own text shows the value


def _check_names(root: Node, settings: Settings, names: Sequence[str]) -> None:
    known = {dialects.identity(name): name for name in names}
    seen: set[str] = set()
    for name in settings.servers:
        key = documents.written(("codeact", "servers", name))
        if (identity := dialects.identity(name)) not in known:
            hint = nearest_name(name, list(known.values()), "servers in this file")
            raise ConfigError(root.file, key, f"no server has this name{hint}")
        if identity in seen:
            raise ConfigError(root.file, key, "written twice (a hyphen and an underscore are the same)")
        seen.add(identity)


def _tools_of_rules(root: Node, policy: Policy, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The tools that rules name without a wildcard, by their server's folded name. Each rule's server is there."""
    known = {_folded(name) for name in names}
    found: dict[str, tuple[str, ...]] = {}
    for index, rule in enumerate(policy.rules):
        server, dot, tool = (rule.tool or "").partition(".")
        if not dot or _has_wildcard(server):
            continue
        if _folded(server) not in known:
            key = documents.written(("codeact", "policy", "rules", index, "tool"))
            hint = nearest_name(server, names, "servers in this file")
            raise ConfigError(root.file, key, f"no server has the name {server} before the dot{hint}")
        if not _has_wildcard(tool):
            found[_folded(server)] = (*found.get(_folded(server), ()), tool)
    return found


def _has_wildcard(pattern: str) -> bool:
    return any(char in pattern for char in "*?[")


def _folded(name: str) -> str:
    """As the policy compares names."""
    return name.replace("-", "_")


def _likely_slips(top: Mapping[str, Node]) -> list[str]:
    """Keys of ours or of a dialect that were probably meant. Only notes: they may belong to somebody else's program."""
    ours = {key.lower(): key for key in ("codeact", *dialects.SECTIONS)}
    return [
        f"{documents.written((key,))}: ignored; did you mean {ours[near[0]]}?"
        for key in top
        if key not in ours.values() and (near := difflib.get_close_matches(key.lower()[:40], ours, n=1, cutoff=0.85))
    ]
