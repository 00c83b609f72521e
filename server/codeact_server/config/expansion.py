"""`${VAR}` and `~` in the text of a configuration file.

Knows the forms of Claude Code and Gemini (`${VAR}`, `${VAR:-default}`) and of VS Code, Cursor and Windsurf
(`${env:VAR}`, `${userHome}`, `${workspaceFolder}`). `$VAR` stays as it is, and `$${VAR}` stands for the text `${VAR}`.
`${cmd:…}` is what a command prints, where the operator allows commands.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from codeact_server.config.command_output import CommandFailedError, Commands

_REFERENCE = re.compile(r"\$(\$\{)|\$\{([^}]*)\}")
_VARIABLE = re.compile(r"(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)


class ExpansionError(ValueError):
    """A reference that has no value; says which and what to do, and nothing of the text around it."""


@dataclass(frozen=True, slots=True)
class ExpansionContext:
    """What the text of a configuration file may refer to."""

    environ: Mapping[str, str] = field(repr=False)
    folder: Path
    """Where relative paths start."""
    commands: Commands | None = field(default=None, repr=False)
    """Runs the commands of `${cmd:…}`, if they are allowed (`codeact.allow_commands`)."""

    def expand(self, text: str) -> str:
        """`text` with its variables put in, once: what a variable holds is not expanded again."""
        return _REFERENCE.sub(self._value, text)

    def path(self, text: str) -> Path:
        """`text` as a path: variables and `~` expanded, a relative one taken from `folder`."""
        return self.folder / self.home(self.expand(text))

    def command(self, text: str) -> str:
        """`text` as a program: a bare name is left to the search path, anything with a slash is a path."""
        expanded = self.home(self.expand(text))
        has_folder = "/" in expanded or (os.sep in expanded)
        return str(self.folder / expanded) if has_folder else expanded

    def home(self, text: str) -> str:
        """`text` with a leading `~` put in. `~user` stays: only a shell knows other people's homes."""
        home = self.environ.get("HOME") or self.environ.get("USERPROFILE")
        if home and (text == "~" or text.startswith(("~/", "~" + os.sep))):
            return home + text[1:]
        return text

    def variable(self, name: str) -> str:
        try:
            return self.environ[name]
        except KeyError:
            raise ExpansionError(f"the environment variable {name} is not set") from None

    def _value(self, match: re.Match[str]) -> str:
        if match.group(1):
            return match.group(1)
        inner: str = match.group(2)
        if inner.startswith("cmd:"):
            return self._printed(inner.removeprefix("cmd:"))
        if (known := _VARIABLE.fullmatch(inner)) is None:
            raise ExpansionError(_why_not(inner))
        name, default = known.groups()
        if name not in self.environ and not inner.startswith("env:"):
            if name == "userHome":
                return self.home("~")
            if name == "workspaceFolder":
                return str(self.folder)
        if default is None:
            return self.variable(name)
        if "${" in default:
            raise ExpansionError(f"the default of ${{{name}:-…}} refers to another variable, which is not supported")
        return self.environ.get(name) or default  # as in a shell, an empty variable counts as unset

    def _printed(self, command: str) -> str:
        if self.commands is None:
            raise ExpansionError("${cmd:…} runs a program, which is off until codeact.allow_commands = true")
        try:
            return self.commands.output_of(command)
        except CommandFailedError as exc:
            raise ExpansionError(str(exc)) from exc


def _why_not(inner: str) -> str:
    """Why `${inner}` has no value. Shows of it only what cannot be part of a secret."""
    kind, _, name = inner.partition(":")
    if kind == "input" and re.fullmatch(r"[\w.-]{1,64}", name):
        variable = re.sub(r"\W", "_", name).upper()
        return (
            f"${{input:{name}}} is a question that only VS Code asks; "
            f"put the value in an environment variable and write ${{env:{variable}}}"
        )
    if kind in {"file", "command", "config"}:
        return f"${{{kind}:…}} is not supported; put the value in an environment variable and write ${{VARIABLE}}"
    return "holds a ${…} that is not ${VAR}, ${VAR:-default} or ${env:VAR}; write $${…} for the text itself"
