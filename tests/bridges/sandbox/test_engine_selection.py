"""Engine selection: obstacles to Hyperlight are reported with their cure, and a fallback is never silent."""

import os
import stat
import sys
from pathlib import Path

import anyio
import pytest
from micro_vm import why_no_micro_vm

from codeact_bridges.errors import EngineUnavailable
from codeact_bridges.sandbox import engine_selection, hypervisor
from codeact_bridges.sandbox.engine_selection import EngineSettings, check_engine, open_engine
from codeact_bridges.sandbox.preparation import Preparation

GUARD_S = 120

without_micro_vm = pytest.mark.skipif("why_no_micro_vm() is None", reason="micro-VMs start here")
linux = pytest.mark.skipif(sys.platform != "linux", reason="devices are Linux's")
__all__ = ["why_no_micro_vm"]


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def _no(*_: object) -> bool:
    return False


def _ignore(_: str) -> None:
    """Take a line for the operator."""


def _none(_: str) -> None:
    return None


@linux
def test_without_a_device_the_cure_is_virtualization(tmp_path: Path) -> None:
    said = hypervisor.device_obstacle((tmp_path / "mshv", tmp_path / "kvm"))
    assert said is not None
    assert said.startswith("there is no /dev/kvm: ")
    assert "nested virtualization" in said
    assert "--device=/dev/kvm" in said


@linux
def test_without_permission_the_cure_is_the_devices_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device = tmp_path / "kvm"
    device.touch()
    device.chmod(0o660)
    monkeypatch.setattr(os, "access", _no)  # root may open everything
    if os.geteuid() == 0:
        os.chown(device, 0, 1)
    said = hypervisor.device_obstacle((tmp_path / "mshv", device))
    assert said is not None
    assert "this user cannot open" in said
    if os.geteuid() == 0:
        assert "sudo usermod -aG daemon $USER" in said


@linux
def test_a_group_without_permission_on_the_device_is_not_recommended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = tmp_path / "kvm"
    device.touch()
    device.chmod(0o600)
    monkeypatch.setattr(os, "access", _no)
    said = hypervisor.device_obstacle((device,))
    assert said is not None
    assert "usermod" not in said
    assert stat.S_IMODE(device.stat().st_mode) == 0o600


def test_an_unsupported_platform_is_an_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    assert "Hyperlight needs Linux or Windows on x86-64, and this is " in (hypervisor.obstacle() or "")


@linux
def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hypervisor, "find_spec", _none)
    said = hypervisor.obstacle()
    assert said is not None
    if "x86-64" not in said:
        assert "pip install 'hyperlight-sandbox[wasm,python-guest]" in said


@pytest.mark.parametrize(
    ("said", "means"),
    [
        ("Failed to create sandbox: No Hypervisor was found for Sandbox", "Hyperlight finds no hypervisor"),
        (
            "Failed to create sandbox: … Unknown KVM VCPU exit: InternalError",
            "there is a hypervisor, but no micro-VM starts on it",
        ),
        ("an error that is not known yet", "no micro-VM starts (an error that is not known yet)"),
    ],
)
def test_hyperlights_error_follows_its_meaning(said: str, means: str) -> None:
    assert hypervisor.explain(said).startswith(means)


@without_micro_vm
def test_the_check_refuses_hyperlight_where_no_micro_vm_starts() -> None:
    with pytest.raises(EngineUnavailable, match=r"engine = 'hyperlight': .*engine = 'auto' or 'wasmtime'"):
        check_engine("hyperlight")


@pytest.mark.parametrize("engine", ["auto", "wasmtime"])
def test_the_other_engines_need_no_check(engine: str) -> None:
    check_engine(engine)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


@without_micro_vm
async def test_hyperlight_never_falls_back(cache: Path) -> None:
    lines: list[str] = []
    with anyio.fail_after(GUARD_S):
        async with open_engine(EngineSettings("hyperlight", 64, 1_000_000, cache), lines.append) as launch:
            with pytest.raises(EngineUnavailable, match="engine = 'hyperlight'"):
                await launch()
    assert len(lines) == 1
    assert lines[0].startswith("no program can run: ")


@pytest.mark.slow
@without_micro_vm
async def test_auto_falls_back_with_one_clear_line_that_gives_the_reason(cache: Path) -> None:
    lines: list[str] = []
    with anyio.fail_after(GUARD_S):
        async with open_engine(EngineSettings("auto", 64, 1_000_000, cache), lines.append) as launch:
            worker = await launch()
            await worker.aclose()
    assert worker.info.engine == "wasmtime"
    assert "micro-VM" not in worker.info.isolation
    assert lines[0].startswith(
        "engine: wasmtime. Programs run in WebAssembly in a locked-down process, NOT in a micro-VM, because "
    )
    assert [line for line in lines[1:] if not line.startswith("compiling")] == []


@pytest.mark.slow
async def test_configured_wasmtime_is_used_without_a_message(cache: Path) -> None:
    lines: list[str] = []
    with anyio.fail_after(GUARD_S):
        async with open_engine(EngineSettings("wasmtime", 64, 1_000_000, cache), lines.append) as launch:
            worker = await launch()
            await worker.aclose()
    assert worker.info.engine == "wasmtime"
    assert [line for line in lines if not line.startswith("compiling")] == []


@pytest.mark.hyperlight
async def test_a_first_micro_vm_that_takes_long_to_boot_is_told(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_selection, "MOMENT_S", 0)
    told: list[str] = []
    preparation = Preparation()
    with anyio.fail_after(GUARD_S), preparation.observed(lambda: told.append("long")):
        async with open_engine(EngineSettings("hyperlight", 64, 1_000_000, cache), _ignore, preparation) as launch:
            worker = await launch()
            await worker.aclose()
    assert told == ["long"]


@pytest.mark.hyperlight
async def test_auto_selects_hyperlight_where_a_micro_vm_runs_and_uses_the_trial_worker(cache: Path) -> None:
    lines: list[str] = []
    with anyio.fail_after(GUARD_S):
        async with open_engine(EngineSettings("auto", 64, 1_000_000, cache), lines.append) as launch:
            worker = await launch()
            await worker.aclose()
    assert worker.info.engine == "hyperlight"
    assert lines == []


@pytest.mark.hyperlight
def test_the_check_accepts_hyperlight_where_a_micro_vm_runs() -> None:
    check_engine("hyperlight")
