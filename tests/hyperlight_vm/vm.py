#!/usr/bin/env python3
"""A throw-away virtual machine with a working hypervisor, for machines that have none.

    python tests/hyperlight_vm/vm.py setup
    python tests/hyperlight_vm/vm.py run [--timeout-s S] [--out FOLDER] [--awake] [--cpus N] -- COMMAND [ARGUMENT ...]
    python tests/hyperlight_vm/vm.py test [--timeout-s S] [--without FOLDER] [-- PYTEST-ARGUMENT ...]

QEMU emulates a processor with AMD's virtualization in software; the kernel inside provides a real /dev/kvm on top of
it. The machine boots in 5 s. Everything in it runs 20 to 40 times slower than on hardware, so times measured inside
can only be compared with each other.

Inside, the root file system is this machine's own, read-only, with an overlay in memory: everything installed here is
installed there, and written files are lost afterwards, except those below $OUT, which are copied to FOLDER. The command
runs as root, in the current folder, with this environment's PATH and HOME, HYPERLIGHT_VM=1, and no network. Its exit
code becomes the exit code here; 124 means that the time was up, 2 that the machine itself failed. `test` runs the tests
marked `hyperlight`, with the Python that runs this script. `setup` needs Debian on x86-64, and root.
"""

import argparse
import gzip
import itertools
import os
import platform
import re
import select
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType

HERE = Path(__file__).parent
PACKAGES = ("qemu-system-x86", "busybox-static", "cpio", "kmod")
KERNEL_MODULES = ("virtio_pci", "9pnet_virtio", "9p", "overlay", "kvm_amd")
KERNEL_PACKAGE = "linux-image-amd64"
"""Debian's newest kernel. It is unpacked into the cache, not installed."""

CPU = "max,-avx,-avx2"
"""Everything that QEMU can emulate, except AVX, which costs more in software than it saves: the same work takes 23 s
instead of 27."""

TEST_CPUS = 1
"""With two, emulated in two threads, one machine in a hundred ends in a deadlock of both. With one, tests use as much
processor time of this machine, and take 60 s instead of 50 where nothing else runs."""

KERNEL_OPTIONS = "console=ttyS0 quiet loglevel=1 panic=-1 softlockup_panic=1 watchdog_thresh=30 mitigations=off"
"""A kernel without progress for a minute ends its machine, so that another one can be tried."""

SILENCE_S = 300.0
"""A machine that prints nothing for this long while tests run counts as broken. Each test prints its name; the slowest
take 30 s."""

EXIT_MACHINE_FAILED = 2
EXIT_TIME_UP = 124
PYTEST_FOUND_NONE = 5

_TERMINAL_NOISE = re.compile(rb"\x1bc|\x1b\[[?0-9;]*[A-Za-z]|\r")
_PASSED = re.compile(rb"^(tests/.*::.*) PASSED +\[ *[0-9]+%\]", re.MULTILINE)
_FIRMWARE_LINES = (b"SeaBIOS (version", b"Booting from ROM", b"iPXE (")


class VmError(Exception):
    """The machine could not be created, or ended without the status of its command."""


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("setup", help="install QEMU and a kernel, once")
    run = commands.add_parser("run", help="run a command inside")
    run.add_argument("--timeout-s", type=float, default=600.0, help="seconds until it is ended (default 600)")
    run.add_argument("--out", type=Path, help="the folder to which the command's files in $OUT are copied")
    run.add_argument(
        "--awake",
        action="store_true",
        help="processors that never halt, for measurements: QEMU takes 1 ms to wake one, hardware microseconds",
    )
    run.add_argument("--cpus", type=int, default=2, help="processors (default 2)")
    run.add_argument("argv", nargs="+", metavar="COMMAND", help="after --")
    test = commands.add_parser("test", help="run the tests marked `hyperlight` inside; runs `setup` first if needed")
    test.add_argument("--timeout-s", type=float, default=1200.0, help="seconds until they are ended (default 1200)")
    test.add_argument("--without", action="append", default=[], metavar="FOLDER", help="leave out the tests below it")
    test.add_argument("arguments", nargs="*", metavar="PYTEST-ARGUMENT", help="after --")
    arguments = parser.parse_args()
    cache = cache_folder()
    signal.signal(signal.SIGTERM, end_with_machine)
    try:
        if arguments.command == "run":
            return run_inside(
                cache, arguments.argv, arguments.timeout_s, arguments.out, arguments.cpus, awake=arguments.awake
            )
        if arguments.command == "setup" or not is_set_up(cache):
            set_up(cache)
        if arguments.command == "setup":
            return 0
        return run_tests(cache, arguments.arguments, arguments.without, arguments.timeout_s)
    except VmError as exc:
        print(f"vm: {exc}", file=sys.stderr)  # noqa: T201
        return EXIT_MACHINE_FAILED


def end_with_machine(number: int, _: FrameType | None) -> None:
    """Signal handler: exit through `finally` blocks, which end the machine."""
    sys.exit(128 + number)


def run_tests(cache: Path, arguments: list[str], without: list[str], timeout_s: float) -> int:
    """Run the tests marked `hyperlight`; without arguments all of them, each folder in its own machine.

    A machine that breaks down is replaced if at least one test has passed in it. The next one runs the other tests.
    """
    marked = [sys.executable, "-m", "pytest", "-m", "hyperlight", "--color=no"]
    code = 0
    ends_at = time.monotonic() + timeout_s
    others = [f"--ignore={folder}" for folder in without]
    for group in [arguments] if arguments else grouped(_call(*marked, *others, "--collect-only", "-q")):
        passed: list[str] = []
        while True:
            if (left_s := ends_at - time.monotonic()) <= 0:
                return EXIT_TIME_UP
            shown = bytearray()
            done = [f"--deselect={test}" for test in passed]
            try:
                code_of_group = run_inside(
                    cache, [*marked, "-v", *done, *group], left_s, None, TEST_CPUS, shown=shown, silence_s=SILENCE_S
                )
            except VmError as exc:
                if not (more := [test.decode() for test in _PASSED.findall(shown)]):
                    raise
                passed += more
                print(f"vm: {exc}; another machine runs the other tests", file=sys.stderr)  # noqa: T201
            else:
                code = max(code, 0 if passed and code_of_group == PYTEST_FOUND_NONE else code_of_group)
                break
    return code


def grouped(listed: str) -> list[list[str]]:
    """The files of the tests that pytest has listed, by folder. Collecting all other files inside takes minutes."""
    files = sorted({Path(line.partition("::")[0]) for line in listed.splitlines() if "::" in line})
    folders = itertools.groupby(files, key=lambda file: file.parent)
    return [[str(file) for file in in_folder] for _, in_folder in folders]


def cache_folder() -> Path:
    """The folder for the kernel and the initial RAM disk."""
    chosen = os.environ.get("HYPERLIGHT_VM_CACHE")
    return (
        Path(chosen) if chosen else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hyperlight-vm"
    )


def is_set_up(cache: Path) -> bool:
    """Whether `run` can work."""
    return (
        (cache / "release").exists()
        and (cache / "initrd.gz").exists()
        and shutil.which("qemu-system-x86_64") is not None
    )


def set_up(cache: Path) -> None:
    """Install missing packages and pack the initial RAM disk. Can be run again."""
    if platform.machine() != "x86_64" or shutil.which("apt-get") is None:
        raise VmError("this needs a Debian system on x86-64")
    _call("apt-get", "update", "-qq")
    _call("apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES, DEBIAN_FRONTEND="noninteractive")
    depends = re.search(r"Depends: linux-image-(\S+)", _call("apt-cache", "depends", KERNEL_PACKAGE))
    if depends is None:
        raise VmError(f"the package index has no {KERNEL_PACKAGE}")
    release = depends[1]
    cache.mkdir(parents=True, exist_ok=True)
    kernel = cache / f"kernel-{release}"
    if not kernel.exists():
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            _call("apt-get", "download", "-qq", f"linux-image-{release}", cwd=folder)
            (package,) = Path(folder).glob("*.deb")
            unpacked = Path(folder) / "kernel"
            _call("dpkg-deb", "-x", str(package), str(unpacked))
            _call("depmod", "-b", str(unpacked), release)
            unpacked.rename(kernel)
    _pack_initrd(kernel, release, cache / "initrd.gz")
    (cache / "release").write_text(release)


def run_inside(
    cache: Path,
    argv: list[str],
    timeout_s: float,
    out: Path | None,
    cpus: int,
    *,
    awake: bool = False,
    shown: bytearray | None = None,
    silence_s: float | None = None,
) -> int:
    """Boot, run `argv`, power off, and return the command's exit code. Its output goes to stdout and into `shown`.

    Raises:
        VmError: the machine ended without the command's status, or printed nothing for `silence_s`.
    """
    if not is_set_up(cache):
        raise VmError("not set up on this machine: run `vm.py setup` first")
    release = (cache / "release").read_text()
    with tempfile.TemporaryDirectory(prefix="hyperlight-vm-") as folder:
        shared = Path(folder)
        (shared / "out").mkdir()
        inside = {
            "HOME": str(Path.home()),
            "PATH": os.environ["PATH"],
            "OUT": "/run/vm/out",
            "HYPERLIGHT_VM": "1",
            "LANG": "C.UTF-8",
        }
        lines = [f"export {name}={shlex.quote(value)}" for name, value in inside.items()]
        (shared / "command").write_text(
            "\n".join([*lines, f"cd {shlex.quote(str(Path.cwd()))} || exit 2", shlex.join(argv), ""])
        )
        command = ["timeout", "--foreground", "--kill-after=10", str(timeout_s), "qemu-system-x86_64"]
        command += ["-accel", "tcg,thread=multi", "-cpu", CPU]
        command += ["-smp", str(cpus), "-m", os.environ.get("HYPERLIGHT_VM_MEMORY_MIB", "6144")]
        command += ["-nographic", "-no-reboot", "-nodefaults", "-serial", "stdio", "-monitor", "none"]
        command += [
            "-kernel",
            str(cache / f"kernel-{release}" / "boot" / f"vmlinuz-{release}"),
            "-initrd",
            str(cache / "initrd.gz"),
        ]
        command += ["-append", f"{KERNEL_OPTIONS} idle=poll" if awake else KERNEL_OPTIONS]
        for tag, path, readonly in (("root", "/", ",readonly=on"), ("shared", str(shared), "")):
            command += ["-fsdev", f"local,id={tag},path={path},security_model=none,multidevs=remap{readonly}"]
            command += ["-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag}"]
        code = _show(command, bytearray() if shown is None else shown, silence_s)
        if out is not None:
            shutil.copytree(shared / "out", out, dirs_exist_ok=True)
        if code in (EXIT_TIME_UP, 137):
            print(f"vm: stopped after {timeout_s:g} s", file=sys.stderr)  # noqa: T201
            return EXIT_TIME_UP
        status = shared / "status"
        if not status.exists():
            raise VmError(f"the machine ended without a status (QEMU's exit code {code})")
        return int(status.read_text())


def _show(command: list[str], shown: bytearray, silence_s: float | None) -> int:
    """Run QEMU and pass on the console's output without the firmware's lines and terminal control sequences."""
    with subprocess.Popen(
        command, bufsize=0, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as machine:
        assert machine.stdout is not None
        try:
            for line in machine.stdout:
                text = _TERMINAL_NOISE.sub(b"", line)
                if text.strip() and not text.startswith(_FIRMWARE_LINES):
                    _pass_on(text, shown)
                    break
            while select.select([machine.stdout], [], [], silence_s)[0]:
                if not (data := os.read(machine.stdout.fileno(), 1 << 16)):
                    return machine.wait()
                _pass_on(_TERMINAL_NOISE.sub(b"", data), shown)
            raise VmError(f"the machine has printed nothing for {silence_s:g} s")
        finally:
            machine.terminate()


def _pass_on(text: bytes, shown: bytearray) -> None:
    shown += text
    sys.stdout.buffer.write(text)
    sys.stdout.buffer.flush()


def _pack_initrd(kernel: Path, release: str, target: Path) -> None:
    """Pack busybox, the kernel modules with their load order, and `init.sh` as the first process."""
    files: list[Path] = []
    for module in KERNEL_MODULES:
        shown = _call("modprobe", "-d", str(kernel), "-S", release, "--show-depends", module)
        files += [Path(line.split()[1]) for line in shown.splitlines() if line.startswith("insmod ")]
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        for name in ("bin", "proc", "sys", "dev", "mnt", "modules"):
            (tree / name).mkdir()
        shutil.copy("/bin/busybox", tree / "bin")
        for file in dict.fromkeys(files):
            shutil.copy(file, tree / "modules")
        (tree / "modules" / "order").write_text("".join(f"{file.name}\n" for file in dict.fromkeys(files)))
        shutil.copy(HERE / "init.sh", tree / "init")
        (tree / "init").chmod(0o755)
        names = "\n".join(str(path.relative_to(tree)) for path in sorted(tree.rglob("*")))
        packed = subprocess.run(
            ["cpio", "-o", "-H", "newc", "--quiet"], cwd=tree, input=names.encode(), stdout=subprocess.PIPE, check=True
        )
        target.write_bytes(gzip.compress(packed.stdout, compresslevel=1))


def _call(*argv: str, cwd: str | None = None, **variables: str) -> str:
    done = subprocess.run(argv, cwd=cwd, env={**os.environ, **variables}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise VmError(f"{shlex.join(argv)} failed: {(done.stderr or done.stdout).strip()}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
