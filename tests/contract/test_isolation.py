"""A fresh world for every run: nothing of one is there in the next."""

import anyio
from lab import Lab
from meeting import Meeting

LEAVE = """
    import builtins, json, os, random, sys, types, decimal, logging
    left = "global"
    builtins.left = "builtin"
    builtins.print = None
    json.dumps = None
    sys.modules["left_module"] = types.ModuleType("left_module")
    sys.path.append("/left")
    os.environ["LEFT"] = "1"
    decimal.getcontext().prec = 3
    logging.getLogger().setLevel(1)
    sys.setrecursionlimit(77)
    random.seed(5)
    import asyncio
    asyncio.sleep = None
    call_tool = None
    try:
        sys.stdout.close()
    except Exception:
        pass
"""

LOOK = """
    import builtins, json, os, sys, decimal, logging, asyncio
    print("printed")
    [
        "left" in globals(), hasattr(builtins, "left"), json.dumps([1]), "left_module" in sys.modules, "/left" in sys.path,
        dict(os.environ), decimal.getcontext().prec, logging.getLogger().level, sys.getrecursionlimit(), callable(asyncio.sleep),
        call_tool("echo", i=1),
    ]
"""


async def test_nothing_that_one_run_leaves_is_there_in_the_next(lab: Lab) -> None:
    before = await lab.value(LOOK)
    await lab.run(LEAVE)
    assert await lab.value(LOOK) == before
    assert before[:2] == [False, False]


async def test_the_same_holds_after_a_run_that_was_stopped(lab: Lab) -> None:
    before = await lab.value(LOOK)
    await lab.run(f"{LEAVE}\n    while True: pass", deadline_s=1)
    assert await lab.value(LOOK) == before


async def test_nothing_is_left_of_what_warmed_the_guest_up(lab: Lab) -> None:
    program = "import linecache, sys; [sorted(linecache.cache), sys.argv, 'f' in globals(), 'math' in globals()]"
    assert await lab.value(program) == [["program.py"], ["program.py"], False, False]


async def test_random_numbers_differ_from_run_to_run(lab: Lab) -> None:
    program = "import random, secrets, uuid; [random.random(), str(uuid.uuid4()), secrets.token_hex(8), random.SystemRandom().random()]"
    runs = [await lab.value(program) for _ in range(3)]
    assert all(len(set(column)) == 3 for column in zip(*runs, strict=True))


async def test_a_seeded_generator_gives_the_same_numbers_everywhere(lab: Lab) -> None:
    import random

    assert await lab.value("import random; random.seed(42); random.random()") == random.Random(42).random()


async def test_two_runs_at_the_same_time_do_not_see_each_other(lab: Lab) -> None:
    meeting = Meeting(size=2)
    found: list[object] = []

    async def run(n: int) -> None:
        program = f"import builtins; builtins.mine = {n}\ncall_tool('meet')\nbuiltins.mine"
        found.append(await lab.value(program, meeting.tools))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run, 1)
        tasks.start_soon(run, 2)
    assert sorted(map(str, found)) == ["1", "2"]


async def test_the_clock_is_the_hosts(lab: Lab) -> None:
    import time

    before = time.time()
    inside = await lab.value("import time, datetime; [time.time(), datetime.datetime.now().timestamp()]")
    assert all(before <= each <= time.time() for each in inside)


async def test_time_passes_while_a_program_sleeps(lab: Lab) -> None:
    program = "import time; a = time.monotonic(), time.perf_counter(), time.time(); time.sleep(0.05)\n[time.monotonic() - a[0] >= 0.05, time.perf_counter() - a[1] >= 0.05]"
    assert await lab.value(program) == [True, True]


async def test_the_guest_has_no_environment_no_arguments_and_no_input(lab: Lab) -> None:
    program = (
        "import os, sys; [dict(os.environ), sys.argv, sys.stdin.read(), list(sys.stdin), os.path.exists('/etc/passwd')]"
    )
    assert await lab.value(program) == [{}, ["program.py"], "", [], False]
