"""The system calls that a sealed worker is refused, and those it needs: tried in a worker, and read from the filter.

The filter's BPF program is interpreted here, so that arm64's is tested on any machine. Attempts on other processes and
files are in `test_worker_process.py`.
"""

import json
import struct
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
import scripted_worker

from codeact_bridges.sandbox.worker import hardening
from codeact_bridges.sandbox.worker.seccomp import (
    ARCHITECTURES,
    CLONE,
    CLONE3,
    FORBIDDEN,
    FORBIDDEN_COMMANDS,
    NEWEST,
    PRLIMIT,
    seccomp_filter,
)
from codeact_bridges.sandbox.worker_process import WorkerProcess, WorkerSetup, worker_command

GUARD_S = 20
PID, OTHER_PID = 1234, 1235
MACHINES = ("x86_64", "aarch64")
ALLOW, EPERM, ENOSYS = 0x7FFF0000, 0x50001, 0x50026

linux = pytest.mark.skipif(sys.platform != "linux", reason="these measures are Linux's")

NEEDED = {
    "read": (0, 63), "write": (1, 64), "close": (3, 57), "fstat": (5, 80), "poll": (7, None), "ppoll": (271, 73),
    "lseek": (8, 62), "mmap": (9, 222), "mprotect": (10, 226), "munmap": (11, 215), "brk": (12, 214),
    "mremap": (25, 216), "madvise": (28, 233), "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139), "sigaltstack": (131, 132), "sched_yield": (24, 124), "sched_getaffinity": (204, 123),
    "futex": (202, 98), "set_robust_list": (273, 99), "rseq": (334, 293), "membarrier": (324, 283),
    "getpid": (39, 172), "gettid": (186, 178), "getrlimit": (97, 163), "clock_gettime": (228, 113),
    "clock_nanosleep": (230, 115), "getrandom": (318, 278), "epoll_pwait": (281, 22), "eventfd2": (290, 19),
    "dup": (32, 23), "memfd_create": (319, 279), "ftruncate": (77, 46), "exit": (60, 93), "exit_group": (231, 94),
}  # fmt: skip
"""Calls that CPython, Wasmtime, Hyperlight and the C library make in a sealed worker, or may make on some machine."""


def verdict(machine: str, call: int, *arguments: int) -> int:
    """The filter's verdict on a call, found by interpreting its BPF program."""
    words = [argument & (1 << 64) - 1 for argument in (*arguments, *[0] * (6 - len(arguments)))]
    data = struct.pack("IIQ6Q", call, ARCHITECTURES[machine][1], 0, *words)
    program = [struct.unpack("HBBI", each) for each in seccomp_filter(machine, PID)]
    accumulator = at = 0
    while True:
        operation, yes, no, value = program[at]
        at += 1
        match operation:
            case 0x20:
                (accumulator,) = struct.unpack_from("I", data, value)
            case 0x15:
                at += yes if accumulator == value else no
            case 0x35:
                at += yes if accumulator >= value else no
            case 0x45:
                at += yes if accumulator & value else no
            case 0x06:
                return int(value)
            case _:
                raise AssertionError(operation)


def both(name: str) -> list[tuple[str, int]]:
    """A call's number on each machine that has it."""
    numbers = (FORBIDDEN | NEEDED)[name]
    return [(machine, number) for machine, number in zip(MACHINES, numbers, strict=True) if number is not None]


async def result_in_a_worker(name: str) -> Any:
    """The result of an act in a new worker. Skips the test if this kernel has no seccomp filters."""

    class Host:
        async def call(self, operation: str, text: str) -> str:
            return text

        def printed(self, channel: int, text: str) -> None:
            """No act prints."""

    with anyio.fail_after(GUARD_S):
        support = str(Path(scripted_worker.__file__).parent)
        worker = await WorkerProcess.start(
            WorkerSetup("wasmtime", 64, 100_000), [*worker_command("scripted_worker"), support]
        )
        try:
            if "no file, socket, process or foreign memory (seccomp)" not in worker.info.hardened:
                pytest.skip("this kernel has no seccomp filters")
            return json.loads(await worker.run(json.dumps({"code": name}), Host()))
        finally:
            await worker.aclose()


@pytest.fixture(scope="module")
def refusals() -> dict[str, str]:
    """The error of every forbidden call, tried in one worker."""
    found: dict[str, str] = anyio.run(result_in_a_worker, "refusals")
    return found


@linux
@pytest.mark.parametrize("name", FORBIDDEN)
def test_a_sealed_worker_is_refused(refusals: dict[str, str], name: str) -> None:
    if name not in refusals:
        pytest.skip("this machine has no such call, or it is tried in test_worker_process.py")
    assert refusals[name] == "EPERM"


@linux
async def test_a_sealed_worker_can_do_what_the_c_library_and_python_need() -> None:
    assert await result_in_a_worker("needs") == {
        "own limit": f"did it: {hardening.DESCRIPTORS}",
        "own processors": "did it: True",
        "import what there is not": "ModuleNotFoundError",
        "map memory": f"did it: {1 << 20}",
    }


@pytest.mark.parametrize("name", FORBIDDEN)
def test_the_filter_refuses(name: str) -> None:
    for machine, number in both(name):
        assert verdict(machine, number) == EPERM


@pytest.mark.parametrize("name", NEEDED)
def test_the_filter_allows(name: str) -> None:
    for machine, number in both(name):
        assert verdict(machine, number) == ALLOW


@pytest.mark.parametrize("machine", MACHINES)
def test_a_call_that_is_newer_than_the_filter_does_not_exist(machine: str) -> None:
    assert verdict(machine, NEWEST) == EPERM
    assert {verdict(machine, NEWEST + 1), verdict(machine, 0x3FFFFFFF)} == {ENOSYS}


@pytest.mark.parametrize("machine", MACHINES)
def test_a_worker_can_only_read_its_own_resource_limits(machine: str) -> None:
    call = PRLIMIT[MACHINES.index(machine)]
    assert verdict(machine, call, 0, 7, 0, 0x7FFF_0000_1000) == ALLOW
    assert verdict(machine, call, OTHER_PID, 7, 0, 0x7FFF_0000_1000) == EPERM
    assert verdict(machine, call, 0, 7, 0x1000, 0) == EPERM
    assert verdict(machine, call, 0, 7, 0x7FFF_0000_0000, 0) == EPERM  # the lower half is 0


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("name", FORBIDDEN_COMMANDS)
def test_only_the_forbidden_commands_of_a_call_are_refused(machine: str, name: str) -> None:
    *numbers, argument, values = FORBIDDEN_COMMANDS[name]
    number = numbers[MACHINES.index(machine)]

    def verdict_on(value: int) -> int:
        return verdict(machine, number, *[0] * argument, value)

    assert {verdict_on(value) for value in values} == {EPERM}
    assert {verdict_on(value | 1 << 32) for value in values} == {EPERM}  # the kernel uses the lower 32 bits
    # KVM_RUN, F_GETFD, PR_SET_NAME, and so on
    assert {verdict_on(value) for value in (0xAE80, 0, 2, 3, 4, 15, 1030) if value not in values} == {ALLOW}


@pytest.mark.parametrize("machine", MACHINES)
def test_threads_may_be_started_and_processes_may_not(machine: str) -> None:
    column = MACHINES.index(machine)
    assert verdict(machine, CLONE[column], 0x10000) == ALLOW
    assert verdict(machine, CLONE[column], 17) == EPERM
    assert verdict(machine, CLONE3[column]) == ENOSYS


@pytest.mark.parametrize(("machine", "call"), [("x86_64", 234), ("aarch64", 131)])
def test_a_worker_may_signal_itself_only(machine: str, call: int) -> None:
    assert verdict(machine, call, PID, PID, 6) == ALLOW
    assert verdict(machine, call, OTHER_PID, OTHER_PID, 6) == EPERM
