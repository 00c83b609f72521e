"""Who may import whom: DESIGN's rules, read from every import statement."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = {"codeact_server": ROOT / "server", "codeact_bridges": ROOT / "bridges"}
RUNTIME = ROOT / "bridges" / "codeact_bridges" / "guest" / "runtime"
LEAVES = ("codeact_bridges.errors", "codeact_bridges.values", "codeact_bridges.limits")
LIGHT = (
    "codeact_bridges.sandbox.worker.main",
    "codeact_bridges.sandbox.worker.component_compiler",
    "codeact_bridges",
    "codeact_server",
)
"""What a worker process starts with, and what everything starts with."""
HEAVY = ("mcp", "mcp_types", "pydantic", "pydantic_core", "anyio", "httpx2", "starlette", "uvicorn", "typer", "rich")
OURS = ("codeact_server", "codeact_bridges")


def under(name: str, packages: tuple[str, ...] | str) -> bool:
    packages = (packages,) if isinstance(packages, str) else packages
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def sources(folder: Path) -> Iterator[Path]:
    skipped = {"built", "__pycache__"}
    return (path for path in sorted(folder.rglob("*.py")) if not skipped & set(path.parts))


def host_modules() -> dict[str, Path]:
    """Every module of both packages, without the guest's, by its name."""
    found: dict[str, Path] = {}
    for package, folder in FOLDERS.items():
        for path in sources(folder / package):
            if RUNTIME not in path.parents:
                parts = path.relative_to(folder).with_suffix("").parts
                found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = host_modules()


def imports(path: Path, *, while_running: bool = False) -> set[str]:
    """The modules that a file imports, in functions too; `while_running`, without those for type checkers alone."""
    found: set[str] = set()
    nodes: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while nodes:
        node = nodes.pop()
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING")) if while_running:
                nodes.extend(node.orelse)
                continue
            case ast.Import():
                found.update(alias.name for alias in node.names)
            case ast.ImportFrom(level=0, module=str(module)):
                # `from package import module` imports both.
                whole = (f"{module}.{alias.name}" for alias in node.names)
                found.update([module, *(name for name in whole if name in MODULES)])
            case ast.ImportFrom():
                raise AssertionError(f"{path}: a relative import")
            case _:
                pass
        nodes.extend(ast.iter_child_nodes(node))
    return found


def reached(start: str) -> set[str]:
    """`start` and all of ours that it brings in when it runs, with everything that those import."""
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if name in MODULES:
            parents = [name.rpartition(".")[0]] if "." in name else []
            waiting.extend(parents + list(imports(MODULES[name], while_running=True)))
    return seen


def test_there_are_modules_to_look_at() -> None:
    assert {"codeact_server.cli.main", "codeact_bridges.runs.execute", "codeact_bridges.sandbox.worker.main"} <= set(
        MODULES
    )


@pytest.mark.parametrize("name", [name for name in MODULES if under(name, "codeact_bridges")])
def test_bridges_import_nothing_of_the_server(name: str) -> None:
    assert not [found for found in imports(MODULES[name]) if under(found, "codeact_server")]


@pytest.mark.parametrize("name", LEAVES)
def test_leaves_import_nothing_of_ours(name: str) -> None:
    assert not [found for found in imports(MODULES[name]) if under(found, OURS)]


@pytest.mark.parametrize("name", LIGHT)
def test_a_worker_and_the_packages_themselves_stay_light(name: str) -> None:
    assert not [found for found in reached(name) if under(found, HEAVY)]


def test_only_the_tools_bridge_speaks_to_downstream_servers() -> None:
    """`mcp` is a server's and a client's library; of its client only the tools bridge makes use."""
    strangers: dict[str, list[str]] = {}
    for name, path in MODULES.items():
        if under(name, "codeact_bridges.tools"):
            continue
        text = ast.parse(path.read_text(encoding="utf-8"))
        direct = [
            node
            for node in ast.walk(text)
            if isinstance(node, ast.ImportFrom)
            and node.module == "mcp"
            and any(alias.name.startswith(("Client", "Stdio", "stdio_client")) for alias in node.names)
        ]
        client = [found for found in imports(path) if under(found, "mcp.client")]
        if direct or client:
            strangers[name] = client or ["mcp.Client"]
    assert not strangers


def test_bridges_outside_of_tools_do_without_mcp() -> None:
    users = [
        name
        for name, path in MODULES.items()
        if under(name, "codeact_bridges")
        and not under(name, "codeact_bridges.tools")
        and [found for found in imports(path) if under(found, ("mcp", "mcp_types"))]
    ]
    assert not users


@pytest.mark.parametrize("folder", ["server", "bridges", "tests", "examples"])
def test_nobody_imports_a_folder_as_if_it_were_a_package(folder: str) -> None:
    guilty = [
        str(path)
        for path in sources(ROOT / folder)
        if "programs" not in path.parts and any(under(name, ("server", "bridges")) for name in imports(path))
    ]
    assert not guilty


@pytest.mark.parametrize("name", MODULES)
def test_the_hosts_code_imports_nothing_of_the_guests(name: str) -> None:
    """The guest's source is data to the host."""
    guest = ("codeact_guest", "codeact_bridges.guest.runtime", "wit_world", "componentize_py")
    allowed = name == "codeact_bridges.guest.build"  # which runs before there is a host
    assert allowed or not [found for found in imports(MODULES[name]) if under(found, guest)]


def test_the_guests_code_imports_nothing_of_the_hosts() -> None:
    guilty = [str(path) for path in sources(RUNTIME) if any(under(name, OURS) for name in imports(path))]
    assert not guilty


@pytest.mark.parametrize("name", MODULES)
def test_no_product_code_imports_the_doubles_for_tests(name: str) -> None:
    if name == "codeact_bridges.testing":
        return
    assert not [found for found in imports(MODULES[name]) if under(found, "codeact_bridges.testing")]
