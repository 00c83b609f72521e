"""Expand `${VAR}` and `~` in the text of a configuration file.

Supports the forms of Claude Code and Gemini (`${VAR}`, `${VAR:-default}`) and of VS Code, Cursor and Windsurf
(`${env:VAR}`, `${userHome}`, `${workspaceFolder}`). `$VAR` is left unchanged, and `$${VAR}` gives the text `${VAR}`.
`${cmd:…}` gives the output of a command, if the operator allows commands.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from codeact_server.config.command_output import CommandFailedError, CommandRunner

_REFERENCE = re.compile(r"\$(\$\{)|\$\{([^}]*)\}")
_VARIABLE = re.compile(r"(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)


class ExpansionError(ValueError):
    """A reference has no value. The message says which and what to do, and shows nothing of the surrounding text."""


@dataclass(frozen=True, slots=True)
class ExpansionContext:
    """The values that references in a configuration file can have."""

    environ: Mapping[str, str] = field(repr=False)
    folder: Path
    """The base of relative paths."""
    commands: CommandRunner | None = field(default=None, repr=False)
    """Runs the commands of `${cmd:…}`; None unless `codeact.allow_commands` is true."""

    def expand(self, text: str) -> str:
        """Return `text` with its references expanded once: values are not expanded again. Raises `ExpansionError`."""
        return _REFERENCE.sub(self._value, text)

    def path(self, text: str) -> Path:
        """Return `text` as a path, with references and `~` expanded; a relative one is resolved against `folder`."""
        return self.folder / self.home(self.expand(text))

    def command(self, text: str) -> str:
        """Return `text` as a program: with a slash it is a path, else a name for the search path."""
        expanded = self.home(self.expand(text))
        has_folder = "/" in expanded or (os.sep in expanded)
        return str(self.folder / expanded) if has_folder else expanded

    def home(self, text: str) -> str:
        """Return `text` with a leading `~` expanded. `~user` is unchanged: only a shell knows other users' homes."""
        home = self.environ.get("HOME") or self.environ.get("USERPROFILE")
        if home and (text == "~" or text.startswith(("~/", "~" + os.sep))):
            return home + text[1:]
        return text

    def variable(self, name: str) -> str:
        """Return the environment variable `name`. Raises `ExpansionError` if it is not set."""
        try:
            return self.environ[name]
        except KeyError:
            raise ExpansionError(f"the environment variable {name} is not set") from None

    def _value(self, match: re.Match[str]) -> str:
        if match.group(1):
            return match.group(1)
        inner: str = match.group(2)
        if inner.startswith("cmd:"):
            return self._output(inner.removeprefix("cmd:"))
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
            raise ExpansionError(f"the default of ${{{name}:-…}} contains a variable, which is not supported")
        return self.environ.get(name) or default  # as in a shell, an empty variable counts as unset

    def _output(self, command: str) -> str:
        if self.commands is None:
            raise ExpansionError("${cmd:…} runs a command, which needs codeact.allow_commands = true")
        try:
            return self.commands.output_of(command)
        except CommandFailedError as exc:
            raise ExpansionError(str(exc)) from exc


def _why_not(inner: str) -> str:
    """Say why `${inner}` has no value, without repeating any part of it that could be a secret."""
    kind, _, name = inner.partition(":")
    if kind == "input" and re.fullmatch(r"[\w.-]{1,64}", name):
        variable = re.sub(r"\W", "_", name).upper()
        return (
            f"${{input:{name}}} is a prompt that only VS Code can show; "
            f"put the value in an environment variable and write ${{env:{variable}}}"
        )
    if kind in {"file", "command", "config"}:
        return f"${{{kind}:…}} is not supported; put the value in an environment variable and write ${{VARIABLE}}"
    return "contains a ${…} other than ${VAR}, ${VAR:-default} or ${env:VAR}; write $${…} for the literal text"
