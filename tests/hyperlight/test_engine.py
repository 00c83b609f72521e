"""Our guest in a real micro-VM: what is specific to this engine. What every engine must do is in `tests/contract`."""

import json
import os
from collections.abc import AsyncGenerator

import anyio
import pytest
from guests import Guest, Host, Ran

from codeact_bridges.sandbox.worker_process import WorkerProcess, WorkerSetup

pytestmark = pytest.mark.hyperlight

MESSAGE_BYTES = 4_000_000


@pytest.fixture(scope="module")
async def guest() -> AsyncGenerator[Guest]:
    guest = Guest(WorkerSetup("hyperlight", 128, MESSAGE_BYTES))
    yield guest
    await guest.aclose()


async def test_a_worker_reports_isolation_by_a_hypervisor(guest: Guest) -> None:
    info = (await guest.worker()).info
    assert info.engine == "hyperlight"
    assert info.isolation.startswith("hardware-isolated micro-VM (Hyperlight, ")
    assert set(info.versions) == {"hyperlight-sandbox", "python"}


async def test_a_program_has_a_value_and_its_output_arrives(guest: Guest) -> None:
    ran = await guest.run("print('hello')\n6 * 7")
    assert (ran.text, ran.value) == ("hello\n", 42)


async def test_the_standard_library_can_be_imported(guest: Guest) -> None:
    ran = await guest.run("""
        import asyncio, csv, datetime, decimal, hashlib, sqlite3, urllib.parse, uuid
        day, digest = datetime.date(2026, 1, 31).isoformat(), hashlib.sha256(b"").hexdigest()[:6]
        [day, digest, sqlite3.connect(":memory:").execute("select 1").fetchone()]
    """)
    assert ran.value == ["2026-01-31", "e3b0c4", [1]]


async def test_a_run_leaves_nothing_for_the_next(guest: Guest) -> None:
    await guest.run("""
        import bisect, builtins, sys, types
        secret = builtins.secret = bisect.secret = "left behind"
        sys.modules["mine"] = types.ModuleType("mine")
    """)
    ran = await guest.run("""
        import bisect, builtins, gc, sys
        alive = any(isinstance(each, dict) and "secret" in each for each in gc.get_objects())
        ["secret" in globals(), hasattr(builtins, "secret"), hasattr(bisect, "secret"), "mine" in sys.modules, alive]
    """)
    assert ran.value == [False] * 5


async def test_memory_that_a_run_wrote_to_is_clean_in_the_next(guest: Guest) -> None:
    await guest.run("x = bytearray(b'left behind') * 4_000_000; len(x)")
    ran = await guest.run("x = bytearray(60 << 20); x.count(0) == len(x)")
    assert ran.value is True


async def test_every_run_draws_its_own_random_numbers(guest: Guest) -> None:
    draw = "import os, random, uuid\n[random.random(), os.urandom(8).hex(), str(uuid.uuid4())]"
    first, second = (await guest.run(draw)).value, (await guest.run(draw)).value
    assert not set(first) & set(second)


async def test_several_programs_can_run_in_one_guest(guest: Guest) -> None:
    worker = await guest.worker()
    texts: list[str] = []
    ran = Ran()
    for code in ("import sys; sys.mine = 1; print('first')", "import sys; print('second'); sys.mine"):
        ran = Ran()
        ran.outcome = json.loads(await worker.run(json.dumps({"code": code}), Host(ran)))
        texts.append(ran.text)
    await worker.renew()
    assert (texts, ran.value) == (["first\n", "second\n"], 1)


async def test_messages_of_any_size_arrive_whole_both_ways(guest: Guest) -> None:
    ran = await guest.run(r"""
        from codeact_guest import host
        texts = ["x" * n for n in (15_000, 15_880, 15_890, 15_900, 16_384, 128_000, 128_010)]
        texts.append('"\\\n\x01é€😀' * 20_000)
        [host.call("echo", s=text)["s"] == text for text in texts]
    """)
    assert ran.value == [True] * 8


async def test_output_of_any_size_arrives_whole_and_in_order(guest: Guest) -> None:
    ran = await guest.run(r"""
        for i in range(200): print(i, end=" ")
        print("é" * 50_000)
        print("\x01" * 20_000)
    """)
    assert ran.text == " ".join(map(str, range(200))) + " " + "é" * 50_000 + "\n" + "\x01" * 20_000 + "\n"


async def test_a_message_over_the_limit_is_an_error_that_the_program_can_catch(guest: Guest) -> None:
    ran = await guest.run("""
        from codeact_guest import host
        try: host.call("echo", s="x" * 5_000_000)
        except ValueError as exc: print(exc)
    """)
    assert "5,000,009 bytes in one message, over the limit of 4,000,000" in ran.text


async def test_an_unpaired_surrogate_is_an_error_and_does_not_end_the_guest(guest: Guest) -> None:
    ran = await guest.run(r"""
        from codeact_guest import host
        try: host.call("echo", s="\ud800")
        except UnicodeEncodeError: print("caught", "\ud800")
    """)
    assert ran.text == "caught \\ud800\n"


async def test_answers_can_be_nested_as_deep_as_the_host_allows(guest: Guest) -> None:
    ran = await guest.run("""
        import json
        from codeact_guest import host
        deep = json.loads("[" * 190 + "]" * 190)
        host.call("echo", deep=deep)["deep"] == deep
    """)
    assert ran.value is True


async def test_clocks_advance_and_the_host_does_the_sleeping(guest: Guest) -> None:
    ran = await guest.run("""
        import asyncio, time
        start = time.monotonic(), time.perf_counter_ns(), time.process_time()
        time.sleep(0.02)
        await asyncio.sleep(0.02)
        slept = time.monotonic() - start[0] >= 0.04, time.perf_counter_ns() - start[1] >= 40_000_000
        [*slept, time.process_time() >= start[2] >= 0]
    """)
    assert ran.value == [True] * 3


async def test_waits_with_a_timeout_end(guest: Guest) -> None:
    """In the stock guest each of these would panic the host."""
    ran = await guest.run("""
        import queue, select, selectors, threading
        out = [threading.Event().wait(0.01), select.select([], [], [], 0.01)]
        out.append(selectors.DefaultSelector().select(0.01))
        try: queue.Queue().get(timeout=0.01)
        except queue.Empty: out.append("empty")
        out
    """)
    assert ran.value == [False, [[], [], []], [], "empty"]


async def test_reading_stdin_never_blocks(guest: Guest) -> None:
    """In the stock guest each of these would never return."""
    ran = await guest.run("""
        import os, sys
        print(repr(sys.stdin.read()))
        for read in (lambda: os.read(0, 1), lambda: os.fdopen(0).read(), input):
            try: print("nothing" if not read() else "something")
            except (OSError, RuntimeError): print("nothing")
    """)
    assert ran.text == "''\nnothing\nnothing\nnothing\n"


async def test_a_program_that_fails_has_a_traceback_with_its_own_lines(guest: Guest) -> None:
    ran = await guest.run("def f():\n    return 1 / 0\n\nf()")
    assert "line 2, in f" in ran.outcome["traceback"]
    assert ran.outcome["traceback"].endswith("ZeroDivisionError: division by zero\n")


async def test_running_out_of_memory_is_reported_and_the_printed_text_is_not_lost(guest: Guest) -> None:
    ran = await guest.run("print('before')\nx = []\nwhile True: x.append(bytearray(1 << 20))")
    assert (ran.text, ran.died) == ("before\n", "the program ran out of memory (128 MiB)")


@pytest.mark.parametrize("code", ["exec('(' * 10_000)", "import os; os.abort()"])
async def test_a_crash_has_a_reason_that_does_not_depend_on_hyperlights_wording(guest: Guest, code: str) -> None:
    ran = await guest.run(code)
    assert (ran.died or "").startswith(
        "the program crashed the interpreter: recursion too deep inside it, an abort or a signal ("
    )


async def test_a_program_that_ends_the_interpreter_is_reported_with_its_exit_code(guest: Guest) -> None:
    assert (await guest.run("import os; os._exit(3)")).died == "the program ended the interpreter with os._exit(3)"


async def test_a_panic_of_the_host_ends_only_that_worker(guest: Guest) -> None:
    """The program bypasses the guest runtime and reaches a module that the runtime has replaced."""
    ran = await guest.run(
        "import sys\nprint('before')\ndel sys.modules['select']\nimport select\nselect.poll().poll(10)"
    )
    assert ran.text == "before\n"
    assert (ran.died or "").startswith("the program used a system call that crashes this sandbox (")
    assert (await guest.run("1 + 1")).value == 2


@pytest.mark.parametrize(
    "code",
    ["while True: pass", "print('x' * 1_000_000)\nsum(range(10 ** 12))", "(2 ** 10_000_000) ** 1_000"],
    ids=["a loop", "a flood and a loop in C", "one operation in C"],
)
async def test_a_guest_that_does_not_stop_is_killed_with_its_process(code: str) -> None:
    worker = await WorkerProcess.start(WorkerSetup("hyperlight", 64, MESSAGE_BYTES))
    try:
        with anyio.move_on_after(0.5) as scope:
            await worker.run(json.dumps({"code": code}), Host(Ran()))
        assert scope.cancelled_caught
    finally:
        with anyio.fail_after(5):
            await worker.aclose()
    assert not await anyio.Path(f"/proc/{worker.pid}").exists()


async def test_one_setting_determines_the_guests_memory() -> None:
    small = Guest(WorkerSetup("hyperlight", 64, MESSAGE_BYTES))
    try:
        assert (await small.run("len(bytearray(16 << 20))")).value == 16 << 20
        assert (await small.run("len(bytearray(40 << 20))")).died == "the program ran out of memory (64 MiB)"
    finally:
        await small.aclose()


async def test_every_hardening_measure_is_in_force_in_the_virtual_machine(guest: Guest) -> None:
    """The kernel of the virtual machine supports all of them."""
    if "HYPERLIGHT_VM" not in os.environ:
        pytest.skip("another machine's kernel may lack some")
    info = (await guest.worker()).info
    assert info.not_hardened == ("no new processes or threads (resource limit): root is exempt",)
