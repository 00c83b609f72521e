"""The shape of the configuration: `codeact` as written, and what the process runs with."""

from dataclasses import dataclass, field
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, Field, field_validator

from codeact_bridges.approval.policy import Policy
from codeact_bridges.files.mounts import Mount
from codeact_bridges.files.spec import MAX_MOUNTS, FolderSpec
from codeact_bridges.limits import Limits
from codeact_bridges.network.rules import HostRules
from codeact_bridges.network.spec import MAX_RULES, RuleSpec
from codeact_bridges.runs.sessions import SessionLimits
from codeact_bridges.sandbox.pool import PoolSize
from codeact_bridges.tools.spec import ServerSpec
from codeact_server.config.server_settings import ServerSettings
from codeact_server.observability.audit_log import AuditSettings

EngineName: TypeAlias = Literal["auto", "hyperlight", "wasmtime"]


LogLevel: TypeAlias = Literal["debug", "info", "warning", "error"]


PackageName: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$", max_length=100)]


class Settings(BaseModel, extra="forbid", frozen=True):
    """The shape of the key `codeact`."""

    engine: EngineName = "auto"
    """`auto` takes Hyperlight where a micro-VM really starts, else Wasmtime. The others never fall back."""

    limits: Limits = Limits()
    """What one run may use."""

    pool: PoolSize = PoolSize()
    """How many worker processes there are."""

    servers: dict[str, ServerSettings] = Field(default={}, max_length=1_000)
    """By the name of a server in the same file."""

    allow_commands: bool = False
    """Whether `${cmd:…}` runs a command and stands for what it prints."""

    packages: tuple[PackageName, ...] = Field(default=(), max_length=200)
    """Names of installed pure-Python packages that programs may import, besides the standard library."""

    policy: Policy = Policy()
    """Which tool calls are allowed, asked for or denied."""

    sessions: SessionLimits = SessionLimits()
    """Interpreters kept between programs."""

    answer_after_s: float = Field(default=45.0, gt=0, le=3_600)
    """Seconds after which a run that is still going answers with a handle, for clients whose own limit is not known:
    the shortest that was seen is 60 s. Known ones are answered a little before they give up."""

    audit: AuditSettings | None = None
    """Where each run leaves a line. Without it, nowhere."""

    files: dict[str, FolderSpec] = Field(default={}, max_length=MAX_MOUNTS)
    """The folders that programs may use, by the name they find them under. Without any they have no files."""

    network: tuple[RuleSpec, ...] = Field(default=(), max_length=MAX_RULES, repr=False)
    """The hosts that programs may speak to, and how. Without any they reach none."""

    log_level: LogLevel = "warning"
    """Least important message that goes to stderr, which clients keep in their log of this server."""

    @field_validator("limits")
    @classmethod
    def _deadlines_agree(cls, limits: Limits) -> Limits:
        if limits.deadline_s > limits.max_deadline_s:
            raise ValueError(
                f"deadline_s ({limits.deadline_s:g}) is more than max_deadline_s ({limits.max_deadline_s:g})"
            )
        return limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What the process runs with: `Settings` and servers, checked and expanded, every default filled in."""

    servers: tuple[ServerSpec, ...] = field(default=(), repr=False)
    """In the order of the file. Not in the `repr`: arguments and addresses can hold secrets."""

    engine: EngineName = "auto"
    limits: Limits = field(default_factory=Limits)
    pool: PoolSize = field(default_factory=PoolSize)
    packages: tuple[str, ...] = ()
    policy: Policy = field(default_factory=Policy)
    sessions: SessionLimits = field(default_factory=SessionLimits)
    answer_after_s: float = 45.0
    audit: AuditSettings | None = None
    files: tuple[Mount, ...] = ()
    network: HostRules = field(default_factory=HostRules)
    log_level: LogLevel = "warning"

    notes: tuple[str, ...] = ()
    """What the operator should know and is no error: one line each, for stderr."""

    source: str = ""
    """The file it came from, for messages. Empty without one."""

    @classmethod
    def default(cls) -> "Config":
        """The configuration of nobody: every default, no servers."""
        return cls()
