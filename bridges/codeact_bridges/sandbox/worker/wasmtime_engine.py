"""The `wasmtime` engine: our own component, with a new instance for every run. Runs inside a worker.

WASI gives the guest clocks and random numbers. There are no folders, no environment variables, no arguments, and stdin
is empty. The socket functions of Wasmtime's WASI are replaced by functions that refuse.
"""

from collections import deque
from ctypes import c_uint64
from pathlib import Path

import wasmtime
from wasmtime import _ffi, component

from codeact_bridges.sandbox.worker.engine import Call, GuestTrap, Print, Refusal

WASM_STACK_BYTES = 64 << 20
"""CPython's parser and JSON reader use a few MiB before they raise an error of their own. With Wasmtime's default of
512 KiB, `exec('(' * 200)` crashes."""

STACK_BYTES = 96 << 20
"""The stack of the worker's thread: the guest's stack plus Wasmtime's own frames."""

_SOCKETS: tuple[tuple[str, str], ...] = (
    ("wasi:sockets/tcp-create-socket@0.2.0", "create-tcp-socket"),
    ("wasi:sockets/udp-create-socket@0.2.0", "create-udp-socket"),
    ("wasi:sockets/ip-name-lookup@0.2.0", "resolve-addresses"),
)


def engine_config() -> wasmtime.Config:
    """The configuration for compiling and loading: a compiled component loads only with the same one."""
    config = wasmtime.Config()
    config.wasm_component_model = True
    # Wasmtime refuses a stack larger than its async stack (2 MiB), which the Python package cannot configure.
    _ffi.dll.wasmtime_config_async_stack_size_set(config.ptr(), c_uint64(WASM_STACK_BYTES))
    config.max_wasm_stack = WASM_STACK_BYTES
    return config


def compile_component(source: Path, target: Path) -> None:
    """Compile the component at `source` for this machine into `target`. Takes 5 to 16 s."""
    engine = wasmtime.Engine(engine_config())
    target.write_bytes(component.Component(engine, source.read_bytes()).serialize())


class WasmtimeEngine:
    """See `engine.Engine`."""

    name = "wasmtime"
    isolation = "WebAssembly in a separate process (no hypervisor)"
    stack_bytes: int | None = STACK_BYTES

    def __init__(self, compiled: Path, memory_mib: int) -> None:
        self.versions: dict[str, str] = {}
        self._compiled = compiled
        self._memory_bytes = memory_mib << 20
        self._call: Call | None = None
        self._print: Print | None = None
        self._refusal = ""
        self._last_output: deque[bytes] = deque(maxlen=8)

    def load(self) -> None:
        self._engine = wasmtime.Engine(engine_config())
        try:
            self._component = component.Component.deserialize_file(self._engine, str(self._compiled))
        except wasmtime.WasmtimeError as exc:
            raise GuestTrap(f"the compiled guest cannot be loaded: {exc}") from exc
        self._linker = component.Linker(self._engine)
        self._linker.add_wasip2()
        self._linker.allow_shadowing = True
        with self._linker.root() as root:
            for interface, function in _SOCKETS:
                with root.add_instance(interface) as instance:
                    instance.add_func(function, _refused)
            with root.add_instance("codeact:guest/host") as instance:
                instance.add_func("call", self._on_call)
                instance.add_func("refusal", self._on_refusal)
                instance.add_func("print", self._on_print)

    def fresh(self) -> None:
        self._last_output.clear()
        self._store = wasmtime.Store(self._engine)
        self._store.set_limits(memory_size=self._memory_bytes)
        wasi = wasmtime.WasiConfig()
        wasi.stdout_custom = self._on_wasi_output
        wasi.stderr_custom = self._on_wasi_output
        self._store.set_wasi(wasi)
        instance = self._linker.instantiate(self._store, self._component)
        self._run = self._export(instance, "run")
        self._export(instance, "warm-up")(self._store)

    def warm_up(self) -> None:
        """Nothing to do: `fresh` warms up already, in a fraction of the time until the next program arrives."""

    def _export(self, instance: component.Instance, name: str) -> component.Func:
        index = instance.get_export_index(self._store, name)
        function = instance.get_func(self._store, index) if index is not None else None
        if function is None:
            raise GuestTrap(f"the guest component has no function {name!r}")
        return function

    def run(self, call: Call, print_: Print) -> None:
        self._call, self._print = call, print_
        try:
            self._run(self._store)
        except wasmtime.ExitTrap as exc:
            raise GuestTrap(f"the program ended the interpreter with os._exit({exc.code})") from exc
        except wasmtime.WasmtimeError as exc:
            raise GuestTrap(self._cause_of_death(str(exc))) from exc
        finally:
            self._call = self._print = None

    def _on_call(self, _: wasmtime.StoreContext, operation: str, text: str) -> str:
        self._refusal = ""
        if self._call is None:
            self._refusal = '{"type":"BridgeError","message":"no run is active"}'
            return ""
        try:
            return self._call(operation, text)
        except Refusal as refusal:
            self._refusal = str(refusal)
            return ""

    def _on_refusal(self, _: wasmtime.StoreContext) -> str:
        return self._refusal

    def _on_print(self, _: wasmtime.StoreContext, channel: int, text: str) -> None:
        if self._print is not None:
            self._print(channel, text)

    def _on_wasi_output(self, data: bytes) -> int:
        """Store the last output of the interpreter itself, which bypasses `sys.stderr`."""
        self._last_output.append(data[:1000])
        return len(data)

    def _cause_of_death(self, trap: str) -> str:
        output = b"".join(self._last_output).decode(errors="replace").strip()
        if "call stack exhausted" in trap:
            return "the program ran out of stack: recursion too deep inside the interpreter"
        if "out of memory" in output.lower() or "MemoryError" in output:
            return f"the program ran out of memory ({self._memory_bytes >> 20} MiB)"
        last_line = trap.strip().rpartition("\n")[2].strip()
        return f"the interpreter crashed: {last_line}" + (f" ({output[:500]})" if output else "")


def _refused(_: wasmtime.StoreContext, *__: object) -> component.Variant:
    return component.Variant("err", "access-denied")
