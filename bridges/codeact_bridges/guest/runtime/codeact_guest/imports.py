"""Imports modules that are not in the image over the modules bridge.

The host answers `modules.get` with `{"path", "package", "code" | "source"}` (`code`: a marshalled code object of this
very CPython, in base64; `source`: Python text, of a third-party package) or null, `modules.data` with a file of a
package, and `modules.list` with the names in one of its folders.
"""

import importlib.abc
import importlib.machinery
import importlib.metadata
import importlib.resources.abc
import importlib.util
import io
import marshal
import pathlib
import re
import sys
from binascii import a2b_base64
from collections.abc import Iterator

from codeact_guest import host
from codeact_guest.unavailable import MODULES

PACKAGES = "/packages"
"""The folder in which third-party packages appear in the guest."""

_HTTP = "for HTTP use http_request(method, url) or urllib.request"
_COMPILED = "compiled packages cannot run here: use statistics, csv, json or sqlite3"
_BUILTIN = "call_tool(name, key=value), search_tools(query) and similar functions are builtins here and need no import"

_INSTEAD: dict[str, str] = {
    **dict.fromkeys(("aiohttp", "httpx", "requests", "urllib3"), _HTTP),
    **dict.fromkeys(("numpy", "pandas", "polars", "pyarrow", "scipy", "sklearn"), _COMPILED),
    "matplotlib": "compiled packages cannot run here: display(bytes, media_type) shows an image, also SVG text",
    **dict.fromkeys(("call_tool", "codeact", "fastmcp", "mcp", "servers", "tools"), _BUILTIN),
}
"""The alternatives to packages that programs often import."""

_MAGIC = importlib.util.MAGIC_NUMBER.hex()


class HostLoader(importlib.abc.InspectLoader):
    """Loads one module that the host has sent."""

    def __init__(self, found: dict[str, object]) -> None:
        self._found: dict[str, object] | None = found
        self._path = str(found["path"])

    def is_package(self, fullname: str) -> bool:
        return self._path.endswith("/__init__.py")

    def get_filename(self, fullname: str) -> str:
        return self._path

    def get_source(self, fullname: str) -> str | None:
        if not self._path.startswith(PACKAGES):
            return None
        return (self._found or _get(fullname)).get("source")

    def get_code(self, fullname: str) -> object:
        found = self._found or _get(fullname)
        if "source" in found:
            return compile(found["source"], self._path, "exec", dont_inherit=True)
        return marshal.loads(a2b_base64(found["code"]))

    def exec_module(self, module: object) -> None:
        code = self.get_code(module.__name__)
        self._found = None
        exec(code, module.__dict__)

    def get_data(self, path: str) -> bytes:
        data = host.call("modules.data", path=path)
        if data is None:
            raise FileNotFoundError(path)
        return a2b_base64(data)

    def get_resource_reader(self, fullname: str) -> "_Resources":
        return _Resources(self, self._path.rpartition("/")[0])


class _Resources(importlib.resources.abc.ResourceReader):
    """`importlib.resources` for a package of the modules bridge."""

    def __init__(self, loader: HostLoader, folder: str) -> None:
        self._loader, self._folder = loader, folder

    def open_resource(self, resource: str) -> io.BytesIO:
        return io.BytesIO(self._loader.get_data(f"{self._folder}/{resource}"))

    def resource_path(self, resource: str) -> str:
        raise FileNotFoundError(resource)

    def is_resource(self, path: str) -> bool:
        return host.call("modules.data", path=f"{self._folder}/{path}") is not None

    def contents(self) -> Iterator[str]:
        yield from host.call("modules.list", path=self._folder)


class _Distribution(importlib.metadata.Distribution):
    """`importlib.metadata` for a package of the modules bridge."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def read_text(self, filename: str) -> str | None:
        data = host.call("modules.data", path=f"{self._folder}/{filename}")
        return None if data is None else a2b_base64(data).decode()

    def locate_file(self, path: object) -> pathlib.PurePosixPath:
        return pathlib.PurePosixPath(PACKAGES, path)


class HostFinder(importlib.metadata.DistributionFinder):
    """Asks the host for modules that no other finder has."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> importlib.machinery.ModuleSpec | None:
        found = None if name in MODULES else _get(name)
        if found is None:
            if _is_import():
                raise ModuleNotFoundError(_why_not(name), name=name)
            return None
        loader = HostLoader(found)
        spec = importlib.machinery.ModuleSpec(
            name, loader, origin=loader.get_filename(name), is_package=found["package"]
        )
        spec.has_location = True
        if found["package"]:
            spec.submodule_search_locations = [loader.get_filename(name).rpartition("/")[0]]
        return spec

    @staticmethod
    def find_distributions(context: importlib.metadata.DistributionFinder.Context) -> Iterator[_Distribution]:
        for folder in host.call("modules.list", path=PACKAGES):
            stem, _, suffix = folder.rpartition(".")
            if suffix == "dist-info" and (
                context.name is None or _normal(stem.rpartition("-")[0]) == _normal(context.name)
            ):
                yield _Distribution(f"{PACKAGES}/{folder}")

    @staticmethod
    def invalidate_caches() -> None:
        """Nothing to do: the finder has no cache."""


class _Folder:
    """A folder of modules on the host, for `pkgutil.iter_modules`."""

    def __init__(self, path: str) -> None:
        if not path.startswith(("/python/", f"{PACKAGES}/")):
            raise ImportError(path)
        self._path = path

    def find_spec(self, name: str, target: object = None) -> None:
        """Find nothing: `HostFinder` does."""

    def iter_modules(self, prefix: str = "") -> Iterator[tuple[str, bool]]:
        for name in host.call("modules.list", path=self._path):
            if name.endswith(".py") and name != "__init__.py":
                yield prefix + name.removesuffix(".py"), False
            elif "." not in name and "__init__.py" in host.call("modules.list", path=f"{self._path}/{name}"):
                yield prefix + name, True


def install() -> None:
    """Look for modules in the image and on the host only: there is no file system to search."""
    sys.path_hooks[:] = [_Folder]
    sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not importlib.machinery.PathFinder]
    sys.meta_path.append(HostFinder)
    sys.path[:] = []
    sys.path_importer_cache.clear()


def _get(name: str) -> dict[str, object] | None:
    return host.call("modules.get", name=name, magic=_MAGIC)


def _is_import() -> bool:
    """Whether an import is running, rather than `importlib.util.find_spec`, which returns None for a missing module."""
    return sys._getframe(3).f_code.co_name == "_find_and_load_unlocked"


def _why_not(name: str) -> str:
    if name in MODULES:
        return f"{name} is not available in this sandbox: {MODULES[name]}"
    if "." in name or name.startswith("_"):
        return f"No module named {name!r}"
    instead = f"; {_INSTEAD[name]}" if name in _INSTEAD else ""
    return (
        f"No module named {name!r}: available are the standard library and the packages that the operator lists in "
        f"codeact.packages{instead}"
    )


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
