"""Who may import whom, read from every import statement: those inside functions and for type checkers alone too."""

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

LAYERS = """
codeact_bridges: errors values limits names text system
codeact_bridges: bridge guest approval
codeact_bridges: sandbox tools files network modules
codeact_bridges: runs
codeact_bridges: testing
codeact_server: observability front
codeact_server: config
codeact_server: app
codeact_server: protocol
codeact_server: transports
codeact_server: cli
codeact_server: __main__
"""
"""The rooms, lowest layer first. An import stays in its room or goes to a layer above it here, never to a room of the
same line. A new file at a package's root, or a new folder there, needs its place in this table."""

LAYERS_IN_TOOLS = """
codeact_bridges.tools: spec
codeact_bridges.tools: catalog credentials
codeact_bridges.tools: port transports
codeact_bridges.tools: downstream
codeact_bridges.tools: bridge
"""

LAYERS_IN_SANDBOX = """
codeact_bridges.sandbox: port preparation worker
codeact_bridges.sandbox: worker_process pool
codeact_bridges.sandbox: hypervisor component_cache
codeact_bridges.sandbox: engine_selection
"""

MODULES_OF_A_WORKER = """
codeact_bridges
codeact_bridges.guest
codeact_bridges.guest.images
codeact_bridges.sandbox
codeact_bridges.sandbox.worker
codeact_bridges.sandbox.worker.engine
codeact_bridges.sandbox.worker.frames
codeact_bridges.sandbox.worker.hardening
codeact_bridges.sandbox.worker.hyperlight_engine
codeact_bridges.sandbox.worker.landlock
codeact_bridges.sandbox.worker.main
codeact_bridges.sandbox.worker.seccomp
codeact_bridges.sandbox.worker.wasmtime_engine
"""
"""All of ours that a worker process loads: each costs start-up time, and is code beside the guest."""

MOST_MODULES_AT_A_ROOT = 8
"""Files beside a package's `__init__` and `__main__`: more than a reader takes in at a glance belongs into rooms."""

ROOT = Path(__file__).parents[1]
FOLDERS = {"codeact_server": ROOT / "server", "codeact_bridges": ROOT / "bridges"}
RUNTIME = ROOT / "bridges" / "codeact_bridges" / "guest" / "runtime"
WORKER = "codeact_bridges.sandbox.worker"
FRONT = "codeact_server.front"
"""Answers before the heavy libraries are imported."""

LEAVES = ("codeact_bridges.errors", "codeact_bridges.values", "codeact_bridges.limits")
HEAVY = (
    "mcp",
    "mcp_types",
    "pydantic",
    "pydantic_core",
    "anyio",
    "httpx2",
    "httpcore2",
    "starlette",
    "uvicorn",
    "typer",
    "rich",
    "jsonschema",
)
OURS = ("codeact_server", "codeact_bridges")

Import = tuple[str, str]
"""The module that imports, and the module that it imports."""


def under(name: str, packages: Iterable[str] | str) -> bool:
    packages = (packages,) if isinstance(packages, str) else packages
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def sources(folder: Path) -> Iterator[Path]:
    skipped = {"built", "__pycache__"}
    return (path for path in sorted(folder.rglob("*.py")) if not skipped & set(path.parts))


def modules_in(folder: Path) -> dict[str, Path]:
    """The files of every module below `folder`, by the module's name."""
    found: dict[str, Path] = {}
    for path in sources(folder):
        parts = path.relative_to(folder).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = {
    name: path
    for folder in FOLDERS.values()
    for name, path in modules_in(folder).items()
    if RUNTIME not in path.parents and under(name, OURS)
}
GUEST_MODULES = modules_in(RUNTIME)


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(path: Path, modules: Iterable[str] = MODULES, *, while_running: bool = False) -> set[str]:
    """The modules that a file imports, in functions too; `while_running`, without those for type checkers alone."""
    found: set[str] = set()
    nodes: list[ast.AST] = [parsed(path)]
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
                found.update([module, *(name for name in whole if name in modules)])
            case ast.ImportFrom():
                raise AssertionError(f"{path}: a relative import")
            case _:
                pass
        nodes.extend(ast.iter_child_nodes(node))
    return found


def imports_between(modules: Mapping[str, Path]) -> set[Import]:
    """The imports of these modules from one another. Packages are no end of one: `__init__` files are empty."""
    files = {name for name, path in modules.items() if path.name != "__init__.py"}
    return {(name, found) for name in files for found in imports(modules[name], modules) if found in files - {name}}


IMPORTS = imports_between(MODULES)
GUEST_IMPORTS = imports_between(GUEST_MODULES)


def arrows(edges: Iterable[Import]) -> list[str]:
    return [f"{importing} -> {imported}" for importing, imported in sorted(edges)]


def layers(table: str) -> dict[str, int]:
    """The number of the layer of every room in a table, lowest first."""
    lines = [line.split() for line in table.strip().splitlines()]
    return {f"{parent[:-1]}.{room}": layer for layer, (parent, *rooms) in enumerate(lines) for room in rooms}


def room_of(name: str, rooms: Iterable[str]) -> str | None:
    return next((room for room in rooms if under(name, room)), None)


def reachable(start: str) -> set[str]:
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


def imports_in_circles(edges: Iterable[Import]) -> set[Import]:
    """The imports that make siblings, be they files or folders, depend on each other, at whatever depth they lie."""
    between: dict[tuple[str, ...], dict[Import, set[Import]]] = defaultdict(lambda: defaultdict(set))
    for edge in edges:
        one, other = (name.split(".") for name in edge)
        depth = next(index for index, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
        between[tuple(one[:depth])][one[depth], other[depth]].add(edge)
    found: set[Import] = set()
    for siblings in between.values():
        for (importing, imported), reasons in siblings.items():
            if leads_to(imported, importing, siblings):
                found |= reasons
    return found


def leads_to(start: str, goal: str, edges: Iterable[Import]) -> bool:
    seen, waiting = {start}, [start]
    while waiting:
        name = waiting.pop()
        following = {imported for importing, imported in edges if importing == name} - seen
        seen |= following
        waiting.extend(following)
    return goal in seen


def test_there_are_modules_to_look_at() -> None:
    assert {"codeact_server.cli.main", "codeact_bridges.runs.execute", f"{WORKER}.main"} <= set(MODULES)
    assert {"codeact_guest.main", "codeact_guest.files.mounts", "component"} <= set(GUEST_MODULES)
    assert len(IMPORTS) > 300
    assert len(GUEST_IMPORTS) > 30


@pytest.mark.parametrize("table", [LAYERS, LAYERS_IN_TOOLS, LAYERS_IN_SANDBOX], ids=["house", "tools", "sandbox"])
def test_an_import_goes_to_a_lower_layer_or_stays_in_its_room(table: str) -> None:
    layer = layers(table)
    upwards: set[Import] = set()
    for importing, imported in IMPORTS:
        one, other = room_of(importing, layer), room_of(imported, layer)
        if one is not None and other is not None and one != other and layer[one] <= layer[other]:
            upwards.add((importing, imported))
    assert not arrows(upwards)


@pytest.mark.parametrize("table", [LAYERS, LAYERS_IN_TOOLS, LAYERS_IN_SANDBOX], ids=["house", "tools", "sandbox"])
def test_the_table_has_every_module_and_nothing_else(table: str) -> None:
    rooms = layers(table)
    parents = {room.rpartition(".")[0] for room in rooms}
    homeless = [name for name in MODULES if under(name, parents) and name not in parents and not room_of(name, rooms)]
    assert not homeless
    assert not [room for room in rooms if room not in MODULES]


def test_no_siblings_import_each_other_in_a_circle() -> None:
    assert not arrows(imports_in_circles(IMPORTS))


def test_no_siblings_of_the_guests_import_each_other_in_a_circle() -> None:
    assert not arrows(imports_in_circles(GUEST_IMPORTS))


@pytest.mark.parametrize("name", [name for name in MODULES if under(name, "codeact_bridges")])
def test_bridges_import_nothing_of_the_server(name: str) -> None:
    assert not [found for found in imports(MODULES[name]) if under(found, "codeact_server")]


@pytest.mark.parametrize("name", LEAVES)
def test_leaves_import_nothing_of_ours(name: str) -> None:
    assert not [found for found in imports(MODULES[name]) if under(found, OURS)]


def test_a_worker_loads_these_modules_of_ours_alone() -> None:
    assert {name for name in reachable(f"{WORKER}.main") if under(name, OURS)} == set(MODULES_OF_A_WORKER.split())


@pytest.mark.parametrize("name", [*(name for name in MODULES if under(name, (WORKER, FRONT))), *OURS])
def test_a_worker_the_front_and_the_packages_themselves_stay_light(name: str) -> None:
    heavy = {found for found in reachable(name) if under(found, HEAVY)}
    assert not arrows(
        (module, found) for module in reachable(name) & set(MODULES) for found in heavy & imports(MODULES[module])
    )


def test_the_host_imports_of_a_workers_modules_the_frames_alone() -> None:
    others = {
        (importing, imported)
        for importing, imported in IMPORTS
        if under(imported, WORKER) and not under(importing, WORKER) and imported != f"{WORKER}.frames"
    }
    assert not arrows(others)


@pytest.mark.parametrize("package", OURS)
def test_few_modules_lie_at_the_root_of_a_package(package: str) -> None:
    root = MODULES[package].parent
    loose = [path.name for path in root.glob("*.py") if path.stem not in ("__init__", "__main__")]
    assert len(loose) <= MOST_MODULES_AT_A_ROOT, loose


@pytest.mark.parametrize("name", [name for name, path in MODULES.items() if path.name == "__init__.py"])
def test_a_package_itself_holds_a_docstring_and_nothing_else(name: str) -> None:
    module = parsed(MODULES[name])
    assert ast.get_docstring(module)
    assert not [ast.unparse(statement) for statement in module.body[1:]]


def test_only_the_tools_bridge_speaks_to_downstream_servers() -> None:
    """`mcp` is a server's and a client's library; of its client only the tools bridge makes use."""
    strangers: dict[str, list[str]] = {}
    for name, path in MODULES.items():
        if under(name, "codeact_bridges.tools"):
            continue
        direct = [
            node
            for node in ast.walk(parsed(path))
            if isinstance(node, ast.ImportFrom)
            and node.module == "mcp"
            and any(alias.name.startswith(("Client", "Stdio", "stdio_client")) for alias in node.names)
        ]
        client = [found for found in imports(path) if under(found, "mcp.client")]
        if direct or client:
            strangers[name] = client or ["mcp.Client"]
    assert not strangers


def test_bridges_outside_of_tools_do_without_mcp() -> None:
    users = {
        (name, found)
        for name, path in MODULES.items()
        if under(name, "codeact_bridges") and not under(name, "codeact_bridges.tools")
        for found in imports(path)
        if under(found, ("mcp", "mcp_types"))
    }
    assert not arrows(users)


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
