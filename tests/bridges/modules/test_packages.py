"""Which installed packages, and which of their files, can be served to a guest."""

import sys
from base64 import b64decode
from importlib import invalidate_caches
from pathlib import Path

import pytest

from codeact_bridges.modules import packages
from codeact_bridges.modules.extension_check import needed_extension
from codeact_bridges.modules.packages import PackageRefused, find_packages


def installed(site: Path, name: str, files: dict[str, str], requires: tuple[str, ...] = ()) -> None:
    """Install a distribution as an installer would."""
    metadata = f"{name.replace('-', '_')}-1.0.dist-info"
    lines = ["Metadata-Version: 2.1", f"Name: {name}", "Version: 1.0", *(f"Requires-Dist: {each}" for each in requires)]
    everything = {**files, f"{metadata}/METADATA": "\n".join(lines) + "\n", f"{metadata}/INSTALLER": "pip\n"}
    for path, text in everything.items():
        target = site / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    (site / metadata / "RECORD").write_text(
        "".join(f"{path},,\n" for path in [*everything, f"{metadata}/RECORD"]), encoding="utf-8"
    )


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    invalidate_caches()
    return tmp_path


@pytest.mark.parametrize("name", ["PyYAML", "python-dateutil", "jinja2", "markupsafe", "typing_extensions"])
def test_packages_in_pure_python_and_those_with_optional_compiled_parts_are_served(name: str) -> None:
    find_packages([name])


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("numpy", "needs its compiled part numpy."),
        ("orjson", "needs its compiled part orjson.orjson; only pure Python can run in the guest"),
        ("pydantic", "needs pydantic-core, which needs its compiled part pydantic_core._pydantic_core"),
        (
            "no-such-package",
            "is not installed beside codeact-mcp; install it there (`pip install no-such-package`) or remove it",
        ),
    ],
)
def test_a_package_that_cannot_work_is_refused_by_name(name: str, reason: str) -> None:
    with pytest.raises(PackageRefused) as refused:
        find_packages(["PyYAML", name])
    assert str(refused.value).startswith(f"codeact.packages: {name!r} {reason}")


async def test_modules_data_and_listings_are_served_from_the_record(site: Path) -> None:
    installed(
        site,
        "Some-Lib",
        {
            "somelib/__init__.py": "x = 1\n",
            "somelib/sub/mod.py": "# -*- coding: utf-8 -*-\ny = 'ü'\n",
            "somelib/data.txt": "d",
        },
    )
    served = find_packages(["some_lib"])
    assert await served.get("somelib", "") == {
        "path": "/packages/somelib/__init__.py",
        "package": True,
        "source": "x = 1\n",
    }
    mod = await served.get("somelib.sub.mod", "")
    assert isinstance(mod, dict)
    assert mod["source"] == "# -*- coding: utf-8 -*-\ny = 'ü'\n"
    namespace = await served.get("somelib.sub", "")
    assert namespace == {"path": "/packages/somelib/sub/__init__.py", "package": True, "source": ""}
    assert b64decode(str(await served.data("/packages/somelib/data.txt"))) == b"d"
    assert await served.list("/packages") == ["Some_Lib-1.0.dist-info", "somelib"]
    assert await served.list("/packages/somelib") == ["__init__.py", "data.txt", "sub"]
    assert await served.list("/packages/Some_Lib-1.0.dist-info") == ["METADATA"]


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "/packages/../secret.txt",
        "/packages/somelib/../../secret.txt",
        "secret.txt",
        "/packages//etc/passwd",
        "/packages/secret.txt",
        "",
    ],
)
async def test_nothing_outside_the_record_can_be_named(site: Path, path: str) -> None:
    (site / "secret.txt").write_text("secret")
    installed(site, "somelib", {"somelib/__init__.py": ""})
    served = find_packages(["somelib"])
    assert await served.data(path) is None
    assert await served.list(path) == []


async def test_entries_of_a_record_that_point_outside_its_folder_are_not_served(site: Path) -> None:
    installed(site, "sly", {"sly.py": "pass\n"})
    record = site / "sly-1.0.dist-info" / "RECORD"
    record.write_text(record.read_text() + "../outside.py,,\n/etc/hostname,,\nsly/../../outside.py,,\n")
    (site.parent / "outside.py").write_text("secret = 1\n")
    served = find_packages(["sly"])
    assert await served.list("/packages") == ["sly-1.0.dist-info", "sly.py"]
    assert [await served.get(name, "") for name in ("outside", "..outside", "/etc/hostname")] == [None, None, None]


async def test_requirements_are_served_too_except_those_for_extras_and_other_platforms(site: Path) -> None:
    requires = (
        "low-lib>=1",
        "extra-lib; extra == 'more'",
        "windows-lib; sys_platform == 'win32'",
        "old-lib; python_version < '3.9'",
    )
    installed(site, "high-lib", {"high.py": ""}, requires)
    installed(site, "low-lib", {"low.py": ""}, ("high-lib",))
    served = find_packages(["high-lib"])
    assert await served.get("low", "") is not None


def test_a_missing_requirement_is_named_with_the_package_that_needs_it(site: Path) -> None:
    installed(site, "high-lib", {"high.py": ""}, ("gone-lib",))
    with pytest.raises(PackageRefused, match="'high-lib' needs gone-lib, which is not installed"):
        find_packages(["high-lib"])


def test_a_distribution_without_python_files_is_refused(site: Path) -> None:
    installed(site, "edited", {"__editable__.edited.pth": "/somewhere/else\n"})
    with pytest.raises(PackageRefused, match="in editable mode"):
        find_packages(["edited"])


OPTIONAL = {
    "a try with a fallback": {
        "p/__init__.py": "try:\n    from ._fast import f\nexcept ImportError:\n    from ._slow import f\n",
        "p/_slow.py": "",
        "p/_fast.abi3.so": "",
    },
    "a module behind a try": {
        "p/__init__.py": "try:\n    from .c import *\nexcept ImportError:\n    pass\n",
        "p/c.py": "from p._c import x\n",
        "p/_c.pyd": "",
    },
    "a twin in Python": {
        "p/__init__.py": "from .md import f\n",
        "p/md.py": "",
        "p/md.cpython-312-x86_64-linux-gnu.so": "",
        "abc__mypyc.so": "",
    },
    "suppress": {
        "p/__init__.py": "import contextlib\nwith contextlib.suppress(ImportError):\n    import p._x\n",
        "p/_x.so": "",
    },
    "only for type checkers": {
        "p/__init__.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from . import _x\n",
        "p/_x.so": "",
    },
    "only elsewhere": {
        "p/__init__.py": "import sys\nif sys.platform == 'win32':\n    from p import _w\n",
        "p/_w.pyd": "",
    },
    "libraries beside it": {"p/__init__.py": "", "p.libs/libz.so": ""},
}


@pytest.mark.parametrize("name", OPTIONAL)
def test_a_compiled_part_is_optional_where_its_import_may_fail(site: Path, name: str) -> None:
    installed(site, "p", OPTIONAL[name])
    find_packages(["p"])


NEEDED = {
    "an import": {"p/__init__.py": "from . import _x\n", "p/_x.so": ""},
    "an import by a module that is imported": {
        "p/__init__.py": "from .a import b\n",
        "p/a.py": "import p._x\n",
        "p/_x.so": "",
    },
    "a try that gives up": {
        "p/__init__.py": "try:\n    from . import _x\nexcept ImportError as e:\n    raise RuntimeError from e\n",
        "p/_x.so": "",
    },
    "another error's try": {
        "p/__init__.py": "try:\n    from . import _x\nexcept ValueError:\n    pass\n",
        "p/_x.so": "",
    },
    "a function's import": {"p.py": "def f():\n    import _p\n", "_p.so": ""},
    "a public module": {"p/__init__.py": "", "p/etree.so": ""},
    "the package itself": {"p.cpython-312-x86_64-linux-gnu.so": ""},
}


@pytest.mark.parametrize("name", NEEDED)
def test_a_compiled_part_is_needed_where_its_failed_import_is_not_handled(site: Path, name: str) -> None:
    files: dict[str, str] = NEEDED[name]
    installed(site, "p", files)
    with pytest.raises(PackageRefused, match="needs its compiled part"):
        find_packages(["p"])
    assert needed_extension({path: site / path for path in files}) is not None


def test_markers_are_evaluated_for_the_guest() -> None:
    assert (packages.GUEST["python_version"], packages.GUEST["sys_platform"]) == ("3.14", "wasi")
