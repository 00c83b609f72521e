"""Every module of CPython's library is there and can be imported, but for those in this table, which bridges/programs.md repeats."""

import json
import zipfile
from pathlib import PurePosixPath

from lab import Lab

from codeact_bridges.guest.images import STANDARD_LIBRARY

NO_SCREEN = "this sandbox has no screen and no keyboard"
NO_THREADS = "this sandbox has no threads"
NO_PROCESSES = "this sandbox has no processes"
NO_SOCKETS = "this sandbox has no sockets"
NO_SYSTEM = "it needs an operating system, and this sandbox has none"
NO_LIBRARY = "this Python was built without"
NO_COMPILED = "this sandbox cannot load compiled code"
NO_INSTALLS = "a program cannot install packages"

ABSENT = {
    NO_SCREEN: ["curses", "idlelib", "readline", "tkinter", "turtle", "turtledemo"],
    NO_PROCESSES: ["multiprocessing"],
    NO_SOCKETS: ["ssl"],
    NO_SYSTEM: [
        "fcntl",
        "grp",
        "mmap",
        "msvcrt",
        "pty",
        "pwd",
        "resource",
        "syslog",
        "termios",
        "tty",
        "winreg",
        "winsound",
    ],
    NO_LIBRARY: ["bz2", "lzma"],
    NO_COMPILED: ["ctypes"],
    NO_INSTALLS: ["ensurepip", "venv"],
}
"""By the reason that their import gives."""

ABSENT_INSIDE = {
    NO_LIBRARY: ["compression.bz2", "compression.lzma", "compression.zstd", "dbm.gnu", "dbm.ndbm"],
    NO_PROCESSES: ["concurrent.futures.process"],
    NO_THREADS: ["concurrent.futures.interpreter", "concurrent.interpreters"],
}

NOT_MODULES = {"nt", "antigravity", "this"}
"""Windows's `posix`; one opens a browser, one prints a poem."""


async def test_every_public_module_of_the_library_is_there_but_for_those_in_the_table(lab: Lab) -> None:
    refused: dict[str, str] = await lab.value(f"""
        import importlib, sys
        refused = {{}}
        for name in sorted(sys.stdlib_module_names - {NOT_MODULES!r}):
            if not name.startswith("_"):
                try:
                    importlib.import_module(name)
                except ImportError as exc:
                    refused[name] = str(exc)
        refused
    """)
    table = {
        name: f"{name} is not available in this sandbox: {reason}" for reason, names in ABSENT.items() for name in names
    }
    assert refused.keys() == table.keys()
    assert [refused[name] for name in table if not refused[name].startswith(table[name])] == []


async def test_modules_inside_packages_that_are_absent_say_why(lab: Lab) -> None:
    names = {name: reason for reason, names in ABSENT_INSIDE.items() for name in names}
    said: dict[str, str] = await lab.value(f"""
        import importlib
        said = {{}}
        for name in {sorted(names)!r}:
            try:
                importlib.import_module(name)
            except ImportError as exc:
                said[name] = str(exc)
        said
    """)
    assert {name: names[name] in said[name] for name in said} == dict.fromkeys(sorted(names), True)


async def test_every_module_in_the_archive_can_be_imported(lab: Lab) -> None:
    with zipfile.ZipFile(STANDARD_LIBRARY) as archive:
        paths = [PurePosixPath(name) for name in archive.namelist() if name.endswith(".py")]
    files = [".".join(path.with_suffix("").parts[1:]) for path in paths if path.parts[0] == "python"]
    names = sorted(name.removesuffix(".__init__") for name in files if not name.endswith("__main__"))
    failed = await lab.value(f"""
        import contextlib, importlib, io, json
        failed = []
        with contextlib.redirect_stdout(io.StringIO()):
            for name in json.loads({json.dumps(names)!r}):
                if name not in ("antigravity", "this"):
                    try:
                        importlib.import_module(name)
                    except BaseException as exc:
                        failed.append(f"{{name}}: {{exc!r}}")
        failed
    """)
    assert len(names) > 450
    assert failed == []


async def test_find_spec_answers_none_for_what_is_not_there(lab: Lab) -> None:
    program = "import importlib.util as u; [u.find_spec(n) is None for n in ('ssl', 'numpy', 'json', 'xml.dom')]"
    assert await lab.value(program) == [True, True, False, False]


async def test_time_zones_have_their_data(lab: Lab) -> None:
    assert await lab.value("""
        import importlib.resources, zoneinfo
        from datetime import datetime
        berlin = datetime(2026, 7, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin"))
        version = importlib.resources.files("tzdata").joinpath("zones").read_text().splitlines()[0]
        [berlin.isoformat(), len(zoneinfo.available_timezones()) > 500, version]
    """) == ["2026-07-01T00:00:00+02:00", True, "Africa/Abidjan"]


async def test_a_program_is_the_main_module(lab: Lab) -> None:
    assert await lab.value("""
        import inspect, pickle, copy, sys, typing
        class Thing:
            def __init__(self, n): self.n = n
        def f(a: "Thing") -> int:
            return a.n
        [__name__, __file__, sys.argv, pickle.loads(pickle.dumps(Thing(3))).n, copy.deepcopy(Thing(4)).n, inspect.getsource(f),
         typing.get_type_hints(f)["return"] is int, sys.modules["__main__"].Thing is Thing]
    """) == [
        "__main__", "program.py", ["program.py"], 3, 4, 'def f(a: "Thing") -> int:\n    return a.n\n', True, True,
    ]  # fmt: skip


async def test_what_the_stock_guest_has_exists_here_too(lab: Lab) -> None:
    error = await lab.error("http_get('http://example.com/')")
    assert "PermissionError" in error or "ToolDenied" in error
    assert await lab.value("[callable(call_tool), callable(http_get), callable(http_post)]") == [True, True, True]
