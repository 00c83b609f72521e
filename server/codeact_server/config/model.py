"""The shape of the configuration: the key `codeact` as written, and the whole configuration as the process uses it."""

from dataclasses import dataclass, field
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field, with_config

from codeact_bridges.approval.policy import Policy, RuleFormat
from codeact_bridges.files.mounts import Mount
from codeact_bridges.files.spec import MAX_MOUNTS, FolderSpec
from codeact_bridges.limits import Limits
from codeact_bridges.network.rules import HostRules
from codeact_bridges.network.spec import MAX_RULES, RuleSpec
from codeact_bridges.runs.sessions import SessionLimits
from codeact_bridges.sandbox.pool import PoolSize
from codeact_bridges.tools.spec import ServerSettings, ServerSpec
from codeact_server.observability.audit_log import AuditSettings

EngineName: TypeAlias = Literal["auto", "hyperlight", "wasmtime"]


LogLevel: TypeAlias = Literal["debug", "info", "warning", "error"]


PackageName: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$", max_length=100)]


def _deadlines_agree(limits: Limits) -> Limits:
    if limits.deadline_s > limits.max_deadline_s:
        raise ValueError(f"deadline_s ({limits.deadline_s:g}) is more than max_deadline_s ({limits.max_deadline_s:g})")
    return limits


@dataclass(frozen=True, kw_only=True)
class SharedSettings:
    """The keys of `codeact` that hold as they are written."""

    engine: EngineName = "auto"
    """`auto`: Hyperlight if a micro-VM can really be started, else Wasmtime. The other values never fall back."""

    limits: Annotated[Limits, AfterValidator(_deadlines_agree)] = field(default_factory=Limits)
    """The limits of one run."""

    pool: PoolSize = field(default_factory=PoolSize)
    """The number of worker processes."""

    packages: Annotated[tuple[PackageName, ...], Field(max_length=200)] = ()
    """Names of installed pure-Python packages that programs may import, besides the standard library."""

    policy: Policy = field(default_factory=Policy)
    """Which tool calls are allowed, need a person's approval, or are denied."""

    sessions: SessionLimits = field(default_factory=SessionLimits)
    """Interpreters that stay alive between programs."""

    answer_after_s: Annotated[float, Field(gt=0, le=3_600)] = 45.0
    """Seconds after which an unfinished run answers with a handle, for clients whose own timeout is unknown: the
    shortest timeout seen is 60 s. Clients with a known timeout get the answer shortly before it."""

    audit: AuditSettings | None = None
    """Where each run is recorded as a line. Without it, nowhere."""

    log_level: LogLevel = "warning"
    """The least severe messages written to stderr, which clients store in their log of this server."""


@with_config(extra="forbid")
@dataclass(frozen=True, kw_only=True)
class Settings(SharedSettings):
    """The key `codeact`, as written."""

    servers: Annotated[dict[str, ServerSettings], Field(max_length=1_000)] = field(
        default_factory=dict[str, ServerSettings]
    )
    """Settings of downstream servers, by the server's name in the same file."""

    allow_commands: bool = False
    """Whether `${cmd:…}` runs a command and is replaced by its output."""

    files: Annotated[dict[str, FolderSpec], Field(max_length=MAX_MOUNTS)] = field(default_factory=dict[str, FolderSpec])
    """The folders that programs may use, by the path at which they see them. Without any, programs have no files."""

    network: Annotated[tuple[RuleSpec, ...], Field(max_length=MAX_RULES)] = field(default=(), repr=False)
    """The hosts that programs may contact, and how. Without any, programs have no network."""


NO_FILE = "no MCP server is configured: use --config FILE, with the servers under mcpServers, or -- COMMAND"


@dataclass(frozen=True, kw_only=True)
class Config(SharedSettings):
    """The whole configuration that the process runs with: checked, expanded, every default filled in."""

    servers: tuple[ServerSpec, ...] = field(default=(), repr=False)
    """In the order of the file. Not in the `repr`: arguments and addresses can hold secrets."""

    files: tuple[Mount, ...] = ()
    network: HostRules = field(default_factory=HostRules)

    notes: tuple[str, ...] = ()
    """Remarks for the operator that are not errors: one line each, for stderr."""

    source: str = ""
    """The file that was read, for messages. Empty without one."""

    no_servers: str = NO_FILE
    """If there are no servers: why, and where to write them. For clients and programs, who do not see `notes`."""

    @property
    def rules_in(self) -> RuleFormat:
        """The format in which a rule of the policy can be added to the file; without one, that of a new file."""
        return "toml" if not self.source or self.source.lower().endswith(".toml") else "json"

    @classmethod
    def default(cls) -> "Config":
        """The configuration without a file: every default, no servers."""
        return cls()
