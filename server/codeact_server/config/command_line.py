"""Find the program that a command line starts behind launchers such as `npx`, `uvx`, `python -m` or `docker run`.

A guess from the words alone, good enough for a name and for recognising codeact-mcp itself. Nothing is looked up or
run.
"""

import re
import shlex
import unicodedata
from collections.abc import Sequence
from pathlib import PurePosixPath

MAX_NAME_LENGTH = 64
"""Characters of a server's name, the prefix of each of its tools' names: `server.tool`."""

_LAUNCHERS = {
    **dict.fromkeys(["npx", "uvx", "bunx", "pnpx", "node", "tsx", "env", "sudo", "wsl", "py", "cmd"], frozenset[str]()),
    **dict.fromkeys(["uv", "pipx", "bun", "deno"], frozenset({"tool", "run", "x"})),
    **dict.fromkeys(["npm", "pnpm", "yarn"], frozenset({"exec", "dlx", "x"})),
    **dict.fromkeys(["docker", "podman"], frozenset({"run", "container"})),
    **dict.fromkeys(["mcp", "fastmcp"], frozenset({"run", "dev"})),
}
"""Programs that start another program, with their subcommands that may precede it."""

_TAKE_A_VALUE = re.compile(
    r"--(from|with|with-editable|with-requirements|python|package|spec|directory|project|prefix|index|index-url"
    r"|extra-index-url|env-file|env|volume|mount|name|network|workdir|user|entrypoint|platform|require|import|loader"
    r"|distribution)|-[pevwurmd]"
)
"""Launcher options whose value is the next word."""

_PYTHON_TAKES_A_VALUE = re.compile("-[XW]")

_GENERIC_NAMES = frozenset({"index", "main", "server", "__main__", "cli", "app", "run", "start"})
_GENERIC_FOLDERS = frozenset({"build", "dist", "src", "lib", "bin", "out", ".", "..", "/"})


def is_ourselves(argv: Sequence[str]) -> bool:
    """Whether this command line starts codeact-mcp, which would then start itself endlessly."""
    program = program_of(argv)
    return _bare(program).replace("_", "-") == "codeact-mcp" or program.split(".")[0] == "codeact_server"


def name_of(argv: Sequence[str]) -> str:
    """Return a short name for the server that this command line starts: `npx -y @acme/server-foo@2` gives `foo`."""
    program = program_of(argv)
    name = _bare(program)
    if name in _GENERIC_NAMES:
        folders = PurePosixPath(program.replace("\\", "/")).parent.parts
        name = next((part for part in reversed(folders) if part not in _GENERIC_FOLDERS), name)
    shorter = re.sub(r"^(mcp[-_.]server[-_.]|server[-_.]|mcp[-_.])", "", name)
    shorter = re.sub(r"([-_.]mcp[-_.]server|[-_.]server[-_.]mcp|[-_.]server|[-_.]mcp)$", "", shorter)
    return usable_name(shorter) or "server"


def usable_name(name: str) -> str:
    """Return `name` reduced to letters, digits, `-` and `_`, fit to precede a tool's name. May be empty."""
    return re.sub(r"[^\w-]+", "_", unicodedata.normalize("NFKC", name)).strip("_-")


def program_of(argv: Sequence[str]) -> str:
    """Return the first word that is not a launcher: a path, a package, an image or a module."""
    words = list(argv)
    while words:
        program, rest = words[0], words[1:]
        name = _bare(program).lower()
        if name in {"sh", "bash", "zsh", "dash"}:
            rest = _shell_words(rest)
        elif re.fullmatch(r"python[\d.]*w?|pypy[\d.]*", name):
            rest = _behind_options(rest, module=True, valued=_PYTHON_TAKES_A_VALUE)
        elif name in _LAUNCHERS:
            rest = _behind_options(rest, _LAUNCHERS[name], module=name in {"uv", "py"})
        else:
            return program
        if not rest:
            return program
        words = rest
    return ""


def _behind_options(
    words: list[str],
    own: frozenset[str] = frozenset(),
    *,
    module: bool = False,
    valued: re.Pattern[str] = _TAKE_A_VALUE,
) -> list[str]:
    """Return `words` from the first that is no option, option value, assignment or launcher subcommand (`own`)."""
    position = 0
    while position < len(words):
        word = words[position]
        if word == "--" or (module and word == "-m"):
            return words[position + 1 :]
        if valued.fullmatch(word):
            position += 2
        elif word.startswith("-") or word in own or word.lower() in {"/c", "/k"} or re.match(r"[A-Za-z_]\w*=", word):
            position += 1
        else:
            return words[position:]
    return []


def _shell_words(words: list[str]) -> list[str]:
    """Return the last command in a shell's `-c` argument, or the script that the shell runs."""
    for position, word in enumerate(words[:-1]):
        if re.fullmatch(r"-[a-z]*c", word):
            last = re.split(r"&&|\|\||;|\n", words[position + 1].strip(" ;\n"))[-1]
            try:
                split = shlex.split(last)
            except ValueError:  # an unclosed quote
                return []
            return _behind_options(split, frozenset({"exec"}))
    return _behind_options(words)


def _bare(program: str) -> str:
    """Return `program` without folder, scope, version, extras, tag and suffix."""
    name = re.split(r"[/\\]", program.rstrip("/\\"))[-1]
    name = re.split(r"(?<=.)[@:\[=<>~!]", name)[0]
    return re.sub(r"\.(exe|cmd|bat|py|pyz|js|mjs|cjs|ts|mts|sh|jar|git)$", "", name, flags=re.IGNORECASE)
