"""What docstrings and comments call by name exists: files, modules, and what is in a module or class of ours.

A plain file name is looked for beside the file that mentions it, in the folders above and in those below; a name with
folders anywhere, by its end.
"""

import ast
import io
import re
import sys
import tokenize
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOPS = [ROOT / name for name in ("bridges", "server", "tests", "examples")]
SKIPPED = {"built", "programs", "__pycache__"}
FILES = [path for top in TOPS for path in sorted(top.rglob("*.py")) if not SKIPPED & set(path.parts)]

ELSEWHERE = {"python/json/__init__.py"}
"""Files that exist for a guest, or in another project."""

OTHERS = {*sys.stdlib_module_names, "JSONEncoder", "mcp", "codeact"}
"""Where a dotted name begins that is none of ours: other packages, and the settings."""

FILE = re.compile(r"(?<![\w/.<*-])((?:[\w.-]+/)*\w[\w-]*\.py)\b")
DOTTED = re.compile(r"`(?:\w+\.)*?(\w+)\.([A-Z]*[a-z]\w*)(?:\(.*?\))?`")
OUR_MODULE = re.compile(r"\b(codeact_(?:bridges|server)(?:\.\w+)+)")


def prose(path: Path) -> Iterator[str]:
    """The docstrings and comments of a file."""
    text = path.read_text(encoding="utf-8")
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.string
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.value.value


def names_in(body: list[ast.stmt]) -> set[str]:
    """What the statements of a module or class define, attributes of `self` included."""
    found: set[str] = set()
    for node in (each for statement in body for each in ast.walk(statement)):
        match node:
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
                found.add(node.name)
            case ast.Name(ctx=ast.Store()):
                found.add(node.id)
            case ast.Attribute(ctx=ast.Store()):
                found.add(node.attr)
            case _:
                pass
    return found


def members() -> dict[str, set[str]]:
    """What each module and class of ours has in it, by the last part of its name: many modules are called `bridge`."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in FILES:
        module = ast.parse(path.read_text(encoding="utf-8"))
        found[path.parent.name if path.stem == "__init__" else path.stem] |= names_in(module.body)
        found[path.parent.name].add(path.stem)
        for node in ast.walk(module):
            if isinstance(node, ast.ClassDef):
                found[node.name] |= names_in(node.body)
    return found


MEMBERS = members()


def file_exists(name: str, mentioned_in: Path) -> bool:
    if "/" in name:
        return any(f"/{path.relative_to(ROOT).as_posix()}".endswith(f"/{name}") for path in FILES) or name in ELSEWHERE
    folder = mentioned_in.parent
    above = [parent for parent in (folder, *folder.parents) if parent.is_relative_to(ROOT)]
    return any((parent / name).exists() for parent in above) or any(folder.rglob(name))


def module_exists(name: str) -> bool:
    """Whether `name` is a module, a package, or something in one."""
    found = ROOT / {"codeact_bridges": "bridges", "codeact_server": "server"}[name.partition(".")[0]]
    for part in name.split("."):
        if found.is_dir() and ((found / part).is_dir() or (found / f"{part}.py").exists()):
            found = found / part if (found / part).is_dir() else found / f"{part}.py"
        else:
            return found.is_file() and part in MEMBERS[found.stem]
    return True


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_is_mentioned_exists(path: Path) -> None:
    stale: set[str] = set()
    for text in prose(path):
        stale |= {name for name in FILE.findall(text) if not file_exists(name, path)}
        stale |= {name for name in OUR_MODULE.findall(text) if not module_exists(name)}
        for found in DOTTED.finditer(text):
            owner, name = found.groups()
            begins = found[0].strip("`").partition(".")[0]
            if begins in OTHERS or (
                name.islower() and owner.islower()
            ):  # a method of the guest's messages: `tools.call`
                continue
            if name not in MEMBERS.get(owner, ()):
                stale.add(found[0])
    assert not stale
