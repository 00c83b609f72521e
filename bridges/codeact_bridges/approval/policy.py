"""Which tool calls are allowed, need approval, or are denied. Pure: rules in, a decision out.

The first rule that matches decides. If none does, the tool's own hints decide: destructive tools need approval,
read-only tools are allowed, and all others follow the default.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import translate
from functools import cached_property
from typing import Literal, Protocol, TypeAlias

from pydantic import BaseModel, Field, model_validator

from codeact_bridges.names import folded, folded_pattern

Action: TypeAlias = Literal["allow", "ask", "deny"]
Hint: TypeAlias = Literal["read_only", "destructive", "idempotent", "open_world"]
RuleFormat: TypeAlias = Literal["toml", "json"]
"""The formats of configuration files in which a rule can be shown."""

MAX_PATTERN = 500
"""Characters of a rule's pattern: a server's name of 64 and a tool's of 128, each of whose characters may need brackets
to stand for itself."""


class ToolFacts(Protocol):
    """The facts about a tool on which the policy decides."""

    @property
    def full_name(self) -> str: ...
    @property
    def read_only(self) -> bool: ...
    @property
    def destructive(self) -> bool:
        """True only if the server says so. By MCP's default of `destructiveHint`, every tool would be destructive."""
        ...

    @property
    def idempotent(self) -> bool: ...
    @property
    def open_world(self) -> bool: ...


class ToolRule(BaseModel, extra="forbid", frozen=True):
    """One rule (`[[codeact.policy.rules]]`). If it has a pattern and a hint, both must match."""

    tool: str | None = Field(default=None, min_length=1, max_length=MAX_PATTERN)
    """A pattern for `server.tool`: `*`, `?` and `[…]`; `-` and `_` are the same."""

    hint: Hint | None = None
    """A hint that the tool must have."""

    action: Action

    @model_validator(mode="after")
    def _has_a_condition(self) -> "ToolRule":
        if self.tool is None and self.hint is None:
            raise ValueError("a rule needs a tool pattern or a hint; for all tools set policy.default or tool = '*'")
        if self.tool is not None and "." not in self.tool and self.tool.strip("*"):
            raise ValueError(f"a tool pattern is over server.tool; for a tool of any server write '*.{self.tool}'")
        return self

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile(translate(folded_pattern(self.tool or "*")))

    def fits(self, tool: ToolFacts) -> bool:
        if self.hint is not None and not getattr(tool, self.hint):
            return False
        return self._pattern.match(folded(tool.full_name)) is not None

    def __str__(self) -> str:
        parts = {"tool": self.tool, "hint": self.hint, "action": self.action}
        return "{ " + ", ".join(f'{key} = "{value}"' for key, value in parts.items() if value) + " }"


def allow_rule(full_name: str, written_in: RuleFormat) -> str:
    """Return the rule that allows exactly this tool, to be pasted into a configuration file.

    ASCII alone, whatever the server has called its tool: a name cannot end the text, nor look like another one.
    """
    tool = _quoted(re.sub(r"[*?[]", r"[\g<0>]", full_name), written_in)
    if written_in == "json":
        return f'{{"tool": {tool}, "action": "allow"}}'
    return f'[[codeact.policy.rules]]\ntool = {tool}\naction = "allow"'


def _quoted(text: str, written_in: RuleFormat) -> str:
    """Return `text` as a string of the format, in ASCII."""
    if written_in == "json":
        return json.dumps(text)
    # TOML has the escapes of JSON, except that it has no surrogate pairs and no bare DEL.
    return '"' + "".join(json.dumps(char)[1:-1] if char < "\x7f" else f"\\U{ord(char):08X}" for char in text) + '"'


class Policy(BaseModel, extra="forbid", frozen=True):
    """The key `codeact.policy`."""

    rules: tuple[ToolRule, ...] = Field(default=(), max_length=1_000)

    default: Action = "allow"
    """For tools that no rule matches and that are neither marked read-only nor destructive."""

    unattended: Literal["allow", "deny"] = "deny"
    """What `ask` does if the client cannot ask its user."""

    ask_timeout_s: float = Field(default=300.0, gt=0, le=86_400)
    """Seconds a person has to answer; after that, the call is denied. The program's deadline is paused meanwhile."""

    def decide(self, tool: ToolFacts) -> "PolicyDecision":
        """Return the action for `tool`, and the rule or hint behind it."""
        for rule in self.rules:
            if rule.fits(tool):
                return PolicyDecision(rule.action, f"policy.rules: {rule}")
        if tool.destructive:
            return PolicyDecision("ask", "the tool says that it is destructive")
        if tool.read_only:
            return PolicyDecision("allow", "the tool says that it is read-only")
        return PolicyDecision(self.default, "policy.default")


@dataclass(frozen=True, slots=True)
class PolicyDecision:
    """The policy's decision about one tool."""

    action: Action
    reason: str


@dataclass(frozen=True, slots=True)
class Reach:
    """What programs can do under a policy. The annotations of `execute_code` follow from it."""

    read_only: bool
    """Every callable tool is marked read-only."""
    destructive: bool
    """Some tool that needs no approval may be destructive."""
    open_world: bool


def reach(policy: Policy, tools: Iterable[ToolFacts], *, writes: bool = False, network: bool = False) -> Reach:
    """Return the reach of programs that may call `tools`, write files (`writes`), or reach hosts (`network`)."""
    callable_: Sequence[tuple[ToolFacts, Action]] = [
        (tool, decision.action) for tool in tools if (decision := policy.decide(tool)).action != "deny"
    ]
    return Reach(
        read_only=not writes and all(tool.read_only for tool, _ in callable_),
        destructive=writes or any(tool.destructive and action == "allow" for tool, action in callable_),
        open_world=network or any(tool.open_world for tool, _ in callable_),
    )


@dataclass(slots=True)
class Grants:
    """The tools that a person has allowed for longer than one call."""

    _tools: set[str] = field(default_factory=set[str])

    def allow(self, full_name: str) -> None:
        self._tools.add(full_name)

    def covers(self, full_name: str) -> bool:
        return full_name in self._tools
