"""Whether a package works without its compiled extensions. Decided from its imports; its code is not run.

An extension is optional if every import of it is in a `try` that handles the failure: PyYAML's `yaml._yaml`,
MarkupSafe's `_speedups`. A module that imports a missing one without such a `try` counts as missing too, and so on.
"""

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.util import decode_source
from pathlib import Path, PurePosixPath

SUFFIXES = (".so", ".pyd", ".dylib", ".dll")

_CATCHING = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}
_OTHER_ENVIRONMENTS = {"TYPE_CHECKING", "platform", "name"}
"""`if TYPE_CHECKING:`, `if sys.platform == …:`, `if os.name == …:`: imports in their bodies are not needed here."""


@dataclass(frozen=True, slots=True)
class _Import:
    targets: frozenset[str]
    """The modules that it loads, of those in the package."""
    guarded: bool
    in_function: bool


def needed_extension(files: Mapping[str, Path]) -> str | None:
    """The compiled module without which the distribution with these files cannot work, or None.

    Args:
        files: the installed files, by path under `site-packages`.
    """
    pure = {
        _module(PurePosixPath(name)): path
        for name, path in files.items()
        if name.endswith(".py") and not _is_test(name)
    }
    compiled = {_module(PurePosixPath(name)) for name in files if name.endswith(SUFFIXES) and ".libs/" not in name}
    compiled = {name for name in compiled if name not in pure and not name.endswith("__mypyc")}
    if not compiled:
        return None
    known = {*pure, *compiled}
    imports = {name: [*_imports(name, path, known)] for name, path in pure.items()}
    missing = _missing(compiled, imports)
    present = [each for name, found in imports.items() if name not in missing for each in found]
    optional = {target for each in present if each.guarded for target in each.targets & missing}
    for name in sorted(compiled):
        if any(name in each.targets and each.in_function and not each.guarded for each in present):
            return name
        wrapped = any(other in optional and _loads(other, name, imports) for other in missing)
        if not _is_private(name) and name not in optional and not wrapped:
            return name
    public = (name for name in sorted(missing) if "." not in name and not _is_private(name))
    return next(public, None) and min(compiled)


def _missing(compiled: set[str], imports: Mapping[str, list[_Import]]) -> set[str]:
    missing = set(compiled)
    before = 0
    while len(missing) != before:
        before = len(missing)
        for name, found in imports.items():
            parent = name.rpartition(".")[0]
            needed = (each.targets for each in found if not each.guarded and not each.in_function)
            if parent in missing or any(targets & missing for targets in needed):
                missing.add(name)
    return missing


def _loads(name: str, target: str, imports: Mapping[str, list[_Import]]) -> bool:
    return any(target in each.targets for each in imports.get(name, ()))


def _imports(name: str, path: Path, known: set[str]) -> Iterable[_Import]:
    try:
        source = decode_source(path.read_bytes())
        tree = ast.parse(source)
    except (SyntaxError, ValueError, OSError):
        return []
    reader = _Reader(name if path.name == "__init__.py" else name.rpartition(".")[0], known)
    reader.visit(tree)
    return [each for each in reader.found if name not in each.targets or len(each.targets) > 1]


class _Reader(ast.NodeVisitor):
    """Collects the imports of one module."""

    def __init__(self, package: str, known: set[str]) -> None:
        self.found: list[_Import] = []
        self._package, self._known = package, known
        self._guarded: bool = False
        self._in_function: bool = False

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._add(alias.name)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        base = node.module or ""
        if node.level:
            parts = self._package.split(".")
            base = ".".join([*parts[: len(parts) - node.level + 1], *([base] if base else [])])
        for alias in node.names:
            self._add(base, f"{base}.{alias.name}")

    def visit_Try(self, node: ast.Try) -> None:
        with_guard = self._guarded or any(_handles_failure(handler) for handler in node.handlers)
        self._inside(node.body, guarded=with_guard)
        self._inside([*node.handlers, *node.orelse, *node.finalbody])

    def visit_With(self, node: ast.With) -> None:
        suppressing = any("suppress(" in ast.unparse(item.context_expr) for item in node.items)
        self._inside(node.body, guarded=self._guarded or suppressing)

    def visit_If(self, node: ast.If) -> None:
        tested = {each.attr for each in ast.walk(node.test) if isinstance(each, ast.Attribute)}
        tested |= {each.id for each in ast.walk(node.test) if isinstance(each, ast.Name)}
        self._inside(node.body, guarded=self._guarded or bool(tested & _OTHER_ENVIRONMENTS))
        self._inside(node.orelse)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._inside(node.body, in_function=True)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._inside(node.body, in_function=True)

    def _inside(
        self, nodes: Iterable[ast.AST], *, guarded: bool | None = None, in_function: bool | None = None
    ) -> None:
        before = self._guarded, self._in_function
        self._guarded = before[0] if guarded is None else guarded
        self._in_function = before[1] if in_function is None else in_function
        for node in nodes:
            self.visit(node)
        self._guarded, self._in_function = before

    def _add(self, *names: str) -> None:
        loaded = {
            ".".join(parts[: end + 1]) for parts in (name.split(".") for name in names) for end in range(len(parts))
        }
        targets = frozenset(loaded & self._known)
        if targets:
            self.found.append(_Import(targets, self._guarded, self._in_function))


def _handles_failure(handler: ast.ExceptHandler) -> bool:
    """Whether it catches a failed import and does not raise."""
    caught = (
        {"BaseException"}
        if handler.type is None
        else {each.id for each in ast.walk(handler.type) if isinstance(each, ast.Name)}
    )
    return bool(caught & _CATCHING) and not isinstance(handler.body[-1], ast.Raise)


def _module(path: PurePosixPath) -> str:
    stem = path.name.partition(".")[0]
    return ".".join([*path.parent.parts, *([] if stem == "__init__" else [stem])])


def _is_private(module: str) -> bool:
    return module.rpartition(".")[2].startswith("_")


def _is_test(name: str) -> bool:
    return bool({"test", "tests", "testing", "conftest.py"} & set(PurePosixPath(name).parts))
