"""The question to a person about one tool call: what it shows, and the possible answers. Pure."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from itertools import islice
from typing import Literal, Protocol, TypeAlias

from codeact_bridges.approval.redaction import MASKED, is_secret, without_secrets
from codeact_bridges.text import cut_text, one_line
from codeact_bridges.values import JsonValue

ApprovalChoice: TypeAlias = Literal["once", "run", "session"]
"""Yes to this call, to this tool for the rest of the run, or to this tool until the client closes."""


class NoApproval(Enum):
    """Why there is no yes."""

    DECLINED = auto()
    """A person said no."""
    DISMISSED = auto()
    """The question was closed without an answer."""
    AUTOMATIC = auto()
    """The client answered by itself, without asking a person."""
    TIMED_OUT = auto()
    """No answer came in time."""
    CANNOT_ASK = auto()
    """The client does not declare that it can ask its user."""
    FAILED = auto()
    """The client answered with an error or with something else than an answer, or it has gone."""


MAX_ARGUMENTS_BYTES = 2_000
MAX_VALUE_BYTES = 300
MAX_VALUE_CHARS = 12_000
"""The beginning of one text that is searched for secrets."""
MAX_KEY_BYTES = 100
MAX_LINE_BYTES = 200
MAX_DEPTH = 6
MAX_KEYS = 50
MAX_ITEMS = 20
MAX_DIGITS = 40
MAX_EXAMINED = 20_000
"""Characters and values of all arguments that are examined, to show `MAX_ARGUMENTS_BYTES` of them."""
MAX_NAME = 200


@dataclass(frozen=True, slots=True)
class ApprovalRequest:
    """Asks whether a call may be made."""

    server: str
    tool: str
    arguments: str
    """JSON text, bounded; values that look like secrets are masked."""
    line: str
    """The program's line that makes the call, as `12: call_tool(…)`; empty if it is not known."""
    reason: str
    """Why the call needs approval."""

    @property
    def full_name(self) -> str:
        return f"{self.server}.{self.tool}"

    def text(self) -> str:
        """Return the whole question, for a person."""
        lines = [f"A program wants to call {one_line(self.full_name, MAX_NAME)} with", self.arguments]
        if self.line:
            lines.append(f"in its line {self.line}")
        return "\n".join([*lines, f"({self.reason})"])


class Approver(Protocol):
    """Asks the person behind a run."""

    async def ask(self, request: ApprovalRequest) -> ApprovalChoice | NoApproval:
        """Return the person's answer, or why there is none."""
        ...


def approval_request(
    server: str, tool: str, arguments: Mapping[str, JsonValue], *, code: str, line: int | None, reason: str
) -> ApprovalRequest:
    """Return the question about a call. The guest claims `line`, so it only selects a line of the code that we hold."""
    # In ASCII, so that no character can turn the text around or look like another.
    shown = json.dumps(_Preview().of(dict(arguments), 0), ensure_ascii=True, indent=1)
    return ApprovalRequest(server, tool, _bounded(shown, MAX_ARGUMENTS_BYTES), _line(code, line), reason)


class _Preview:
    """Shortens arguments, and masks their secrets."""

    def __init__(self) -> None:
        self._left = MAX_EXAMINED

    def of(self, value: JsonValue, depth: int) -> JsonValue:
        """Return as much of `value` as there is room for. What is left out is marked with an ellipsis."""
        self._left -= 1
        if self._left <= 0:
            return "…"
        match value:
            case dict() | list() if depth > MAX_DEPTH and value:
                return "…"
            case dict():
                first = list(islice(value.items(), MAX_KEYS))
                shown = {
                    _bounded(key[:MAX_VALUE_CHARS], MAX_KEY_BYTES, len(key)): (
                        MASKED if is_secret(key, item) else self.of(item, depth + 1)
                    )
                    for key, item in first
                }
                return shown | ({"…": f"{len(value) - MAX_KEYS:,} more"} if len(value) > MAX_KEYS else {})
            case list():
                more: list[JsonValue] = [f"… {len(value) - MAX_ITEMS:,} more"] if len(value) > MAX_ITEMS else []
                return [self.of(item, depth + 1) for item in value[:MAX_ITEMS]] + more
            case str():
                examined = value[: min(MAX_VALUE_CHARS, self._left)]
                self._left -= len(examined)
                # Mask first, then cut: half a secret would not be recognised, and be shown.
                return _bounded(without_secrets(examined), MAX_VALUE_BYTES, len(value))
            case int() if abs(value) >= 10**MAX_DIGITS:
                return f"… a number of about {value.bit_length() * 3 // 10:,} digits"
            case _:
                return value


def _bounded(text: str, limit_bytes: int, whole: int | None = None) -> str:
    """Return the beginning of `text`, and the length of the whole if that is longer."""
    short, _ = cut_text(text, limit_bytes)
    whole = len(text) if whole is None else whole
    return short if len(short) == len(text) else f"{short}… ({whole:,} characters in all)"


def _line(code: str, line: int | None) -> str:
    lines = code.splitlines()
    if line is None or not 1 <= line <= len(lines):
        return ""
    plain = "".join(char if char.isprintable() else " " for char in lines[line - 1].strip())
    return f"{line}: {_bounded(without_secrets(plain[:2_000]), MAX_LINE_BYTES)}"
