"""A true asyncio: whatever can be awaited elsewhere can be awaited here, and tool calls with it."""

import pytest
from lab import Lab, stderr
from meeting import Meeting

from codeact_bridges.limits import Limits
from codeact_bridges.testing import ScriptedTools, echo

CONCURRENT = {
    "gather": "import asyncio\nawait asyncio.gather(*[call_tool_async('meet', i=i) for i in range(10)])",
    "TaskGroup": """
        import asyncio
        async with asyncio.TaskGroup() as tasks:
            started = [tasks.create_task(call_tool_async("meet", i=i)) for i in range(10)]
        [task.result() for task in started]
    """,
    "asyncio.run": """
        import asyncio
        async def one(i):
            return await call_tool_async("meet", i=i)
        async def main():
            return await asyncio.gather(*map(one, range(10)))
        asyncio.run(main())
    """,
    "Runner": """
        import asyncio
        async def main():
            return await asyncio.gather(*[call_tool_async("meet", i=i) for i in range(10)])
        with asyncio.Runner() as runner:
            r = runner.run(main())
        r
    """,
    "an event loop by hand": """
        import asyncio
        async def main():
            return await asyncio.gather(*[call_tool_async("meet", i=i) for i in range(10)])
        asyncio.get_event_loop().run_until_complete(main())
    """,
    "a last expression that nobody awaits": """
        import asyncio
        async def main():
            return await asyncio.gather(*[call_tool_async("meet", i=i) for i in range(10)])
        main()
    """,
    "a last gather that nobody awaits": "import asyncio\nasyncio.gather(*[call_tool_async('meet', i=i) for i in range(10)])",
    "tasks before any loop runs": """
        import asyncio
        tasks = [asyncio.create_task(call_tool_async("meet", i=i)) for i in range(10)]
        asyncio.gather(*tasks)
    """,
    "tasks before asyncio.run": """
        import asyncio
        tasks = [asyncio.create_task(call_tool_async("meet", i=i)) for i in range(10)]
        async def main():
            return [await task for task in tasks]
        asyncio.run(main())
    """,
    "tasks before a last coroutine": """
        import asyncio
        tasks = [asyncio.ensure_future(call_tool_async("meet", i=i)) for i in range(10)]
        async def main():
            return [await task for task in tasks]
        main()
    """,
    "asyncio.run of a gather": "import asyncio\nasyncio.run(asyncio.gather(*[call_tool_async('meet', i=i) for i in range(10)]))",
    "to_thread": "import asyncio\nawait asyncio.gather(*[asyncio.to_thread(call_tool, 'meet', i=i) for i in range(10)])",
    "run_in_executor": """
        import asyncio
        loop = asyncio.get_running_loop()
        await asyncio.gather(*[loop.run_in_executor(None, lambda i=i: call_tool("meet", i=i)) for i in range(10)])
    """,
    "map": """
        from concurrent.futures import ThreadPoolExecutor
        with ThreadPoolExecutor() as pool:
            r = list(pool.map(lambda i: call_tool("meet", i=i), range(10)))
        r
    """,
    "submit": """
        from concurrent.futures import ThreadPoolExecutor
        def fetch(i):
            return call_tool("meet", i=i)
        with ThreadPoolExecutor(max_workers=2) as pool:
            futures = [pool.submit(fetch, i) for i in range(10)]
        [future.result() for future in futures]
    """,
    "as_completed": """
        from concurrent.futures import ThreadPoolExecutor, as_completed
        with ThreadPoolExecutor() as pool:
            futures = {pool.submit(call_tool, "meet", {"i": i}): i for i in range(10)}
            r = sorted(future.result() for future in as_completed(futures) if futures[future] == future.result())
        r
    """,
    "wait": """
        from concurrent import futures
        pool = futures.ThreadPoolExecutor()
        done, not_done = futures.wait([pool.submit(call_tool, "meet", i=i) for i in range(10)])
        assert not not_done
        sorted(future.result() for future in done)
    """,
}


@pytest.mark.parametrize("way", CONCURRENT)
async def test_ten_calls_are_in_flight_at_once_and_their_results_are_in_order(lab: Lab, way: str) -> None:
    meeting = Meeting(10)
    assert await lab.value(CONCURRENT[way], meeting.tools) == list(range(10))
    assert meeting.most == 10


async def test_no_more_calls_than_the_limit_are_in_flight_at_once(lab: Lab) -> None:
    meeting = Meeting(3)
    program = "import asyncio\nawait asyncio.gather(*[call_tool_async('meet', i=i) for i in range(9)])"
    assert await lab.value(program, meeting.tools, limits=Limits(concurrent_calls=3)) == list(range(9))
    assert meeting.most == 3


CANCELLING = {
    "cancel": "t = asyncio.create_task(call_tool_async('wait')); await asyncio.sleep(0.01); t.cancel()\nawait asyncio.wait([t])\nt.cancelled()",
    "timeout": "try:\n    async with asyncio.timeout(0.01):\n        await call_tool_async('wait')\nexcept TimeoutError:\n    r = True\nr",
    "wait_for": "try:\n    await asyncio.wait_for(call_tool_async('wait'), 0.01)\nexcept TimeoutError:\n    r = True\nr",
    "a task group whose other task failed": """
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(call_tool_async("wait"))
                await asyncio.sleep(0)
                tasks.create_task(call_tool_async("fail"))
        except* ToolError as group:
            r = len(group.exceptions) == 1
        r
    """,
    "a program that raises": "asyncio.create_task(call_tool_async('wait')); await asyncio.sleep(0.01); True",
    "a future in an executor": "from concurrent.futures import ThreadPoolExecutor as P\nf = P().submit(call_tool, 'wait'); await asyncio.sleep(0.01)\nf.cancel()",
}


@pytest.mark.parametrize("way", CANCELLING)
async def test_what_is_cancelled_in_the_guest_is_cancelled_downstream(lab: Lab, way: str) -> None:
    meeting = Meeting()
    text = CANCELLING[way]
    program = f"\n        import asyncio{text}" if text.startswith("\n") else f"import asyncio\n{text}"
    assert await lab.value(program, meeting.tools) is True
    assert meeting.cancelled == 1


async def test_a_failed_call_raises_where_it_is_awaited_and_the_others_go_on(lab: Lab) -> None:
    program = """
        import asyncio
        r = await asyncio.gather(*[call_tool_async("fail" if i == 1 else "echo", i=i) for i in range(3)], return_exceptions=True)
        [r[0], [type(r[1]).__name__, r[1].reason], r[2]]
    """
    assert await lab.value(program, Meeting().tools) == [{"i": 0}, ["ToolError", "1"], {"i": 2}]


async def test_results_come_as_they_are_ready(lab: Lab) -> None:
    program = """
        import asyncio
        order = []
        turns = [asyncio.Event() for _ in range(5)]
        async def step(n):
            await turns[n].wait()
            order.append(n)
            await asyncio.sleep(0.001)
            turns[n + 1].set()
            return n
        tasks = [asyncio.create_task(step(n)) for n in (3, 1, 2)]
        turns[1].set()
        order += [[await each for each in asyncio.as_completed(tasks)]]
        turns[0].set()
        done, pending = await asyncio.wait([asyncio.ensure_future(step(0)), asyncio.ensure_future(call_tool_async("wait"))],
                                           return_when=asyncio.FIRST_COMPLETED)
        [p.cancel() for p in pending]
        [order, len(done), len(pending)]
    """
    assert await lab.value(program, Meeting().tools) == [[1, 2, 3, [1, 2, 3], 0], 1, 1]


async def test_queues_semaphores_events_and_locks_work_between_tasks(lab: Lab) -> None:
    program = """
        import asyncio
        queue, out, semaphore, event = asyncio.Queue(2), [], asyncio.Semaphore(2), asyncio.Event()
        async def produce():
            for i in range(5):
                await queue.put(i)
            await queue.join()
            event.set()
        async def consume():
            while True:
                i = await queue.get()
                async with semaphore:
                    out.append((await call_tool_async("echo", i=i))["i"])
                queue.task_done()
        workers = [asyncio.create_task(consume()) for _ in range(3)]
        producer = asyncio.create_task(produce())
        await event.wait()
        [worker.cancel() for worker in workers]
        await asyncio.gather(*workers, return_exceptions=True)
        sorted(out)
    """
    assert await lab.value(program, Meeting().tools) == [0, 1, 2, 3, 4]


async def test_async_for_and_async_with_work_at_the_top_of_a_program(lab: Lab) -> None:
    program = """
        import contextlib
        @contextlib.asynccontextmanager
        async def opened():
            yield "open"
        async def numbers():
            for i in range(3):
                yield (await call_tool_async("echo", i=i))["i"]
        out = []
        async with opened() as state:
            async for n in numbers():
                out.append(n)
        [state, out, [n async for n in numbers() if n], await anext(numbers())]
    """
    assert await lab.value(program, Meeting().tools) == ["open", [0, 1, 2], [1, 2], 0]


async def test_a_coroutine_that_is_never_awaited_is_warned_of_with_its_line(lab: Lab) -> None:
    result = await lab.run("x = 1\ncall_tool_async('t.echo', i=1)\nx")
    said = "".join(piece.text for piece in result.output.pieces)
    assert "RuntimeWarning: coroutine 'call_tool_async' was never awaited" in said
    assert 'File "program.py", line 2, in <module>' in said
    assert "codeact_guest" not in said


@pytest.mark.parametrize(
    "last", ["asyncio.create_task(one())", "asyncio.ensure_future(one())", "asyncio.gather(one())", "one()"]
)
async def test_a_last_value_that_can_be_awaited_is_and_its_error_names_the_line(lab: Lab, last: str) -> None:
    program = f"import asyncio\nasync def one():\n    return call_tool('echo', i=1)['i']\n{last}"
    assert await lab.value(program, Meeting().tools) == ([1] if "gather" in last else 1)
    error = await lab.error(program.replace("'echo'", "'fail'"), Meeting().tools)
    assert 'File "program.py", line 4, in <module>' in error
    assert error.endswith("ToolError: t.fail: 1\n")


STARTED = "asyncio.gather(*[call_tool_async('wait', i=i) for i in range(3)])"
PENDING = {
    "of a program without await": f"import asyncio\n{STARTED}\n5",
    "of a program with await": f"import asyncio\n{STARTED}; await asyncio.sleep(0)\n5",
    "of asyncio.run": f"import asyncio\nasync def main(): {STARTED}\nasyncio.run(main())\n5",
    "of a program that exits": f"import asyncio\n{STARTED}\nexit()",
    "of a loop by hand": f"import asyncio\n{STARTED}; asyncio.get_event_loop().run_until_complete(asyncio.sleep(0))\n5",
}


@pytest.mark.parametrize("which", PENDING)
async def test_what_is_pending_at_the_end_and_was_never_awaited_is_named_with_its_line(lab: Lab, which: str) -> None:
    result = await lab.run(PENDING[which], Meeting().tools)
    assert result.failure is None
    said, where, line = stderr(result).splitlines()
    assert said.startswith("RuntimeWarning: the program ended before 3 tasks 'call_tool_async' were done")
    assert where.startswith('  File "program.py", line 2, in ')
    assert STARTED in line


async def test_a_task_that_was_cancelled_is_not_named_at_the_end(lab: Lab) -> None:
    program = "import asyncio\nt = asyncio.create_task(call_tool_async('wait'))\nawait asyncio.sleep(0)\nt.cancel()\n5"
    result = await lab.run(program, Meeting().tools)
    assert (result.failure, stderr(result)) == (None, "")


async def test_an_executors_call_that_is_pending_at_the_end_is_named(lab: Lab) -> None:
    program = "from concurrent.futures import ThreadPoolExecutor as P\nf = P().submit(call_tool, 'wait')\n5"
    assert "the program ended before 1 executor call finished" in stderr(await lab.run(program, Meeting().tools))


async def test_a_last_value_that_is_a_task_of_a_finished_loop_gives_its_result(lab: Lab) -> None:
    program = """
        import asyncio
        async def main():
            task = asyncio.create_task(asyncio.sleep(0, "slept"))
            await task
            return task
        asyncio.run(main())
    """
    assert await lab.value(program) == "slept"


async def test_a_program_that_closed_stderr_still_ends_well_with_something_pending(lab: Lab) -> None:
    program = f"import asyncio, sys\n{STARTED}\nsys.stderr = None\n5"
    assert await lab.value(program, Meeting().tools) == 5


async def test_outside_a_loop_there_is_still_no_running_loop(lab: Lab) -> None:
    program = "import asyncio\ntry:\n    asyncio.get_running_loop()\nexcept RuntimeError as e:\n    r = str(e)\nr"
    assert await lab.value(program) == "no running event loop"


NOT_A_CALL_ALONE = [
    "lambda i: call_tool('echo', i=i)['i']",
    "lambda i: call_tool('echo').get('i')",
    "lambda i: str(call_tool('echo', i=i))",
    "lambda i: call_tool('echo', i=call_tool('echo'))",
    "lambda i: (call_tool('echo'), i)",
    "lambda i: call_tool('echo', i=i) if i else None",
    "lambda i: [call_tool('echo', i=j) for j in range(i)]",
    "lambda i: i + 1",
    "len",
]


@pytest.mark.parametrize("function", NOT_A_CALL_ALONE)
async def test_a_function_that_does_more_than_one_call_is_refused_by_executors_with_the_async_form(
    lab: Lab, function: str
) -> None:
    tools = ScriptedTools({"t.echo": echo})
    error = await lab.error(f"from concurrent.futures import ThreadPoolExecutor as P\nP().submit({function}, 1)", tools)
    assert "await asyncio.gather(*[work(item) for item in items])" in error
    assert tools.called == []


async def test_executors_take_functions_with_defaults_closures_methods_and_f_strings(lab: Lab) -> None:
    program = """
        from concurrent.futures import ThreadPoolExecutor
        import functools
        PREFIX = "p"
        class Api:
            page = 5
            def get(self, i):
                "Documented."
                return call_tool("echo", i=i, page=self.page + 1, key=f"{PREFIX}-{i:02d}")
            @staticmethod
            def plain(i, n=3, *, k="k"):
                return call_tool("echo", {"i": i, "n": n, "k": [k, {"x": -i}]})
        def outer(q):
            def inner(i):
                return call_tool("echo", i=i, q=q.upper(), **{"z": [*range(i)]})
            return inner
        with ThreadPoolExecutor() as pool:
            r = [list(pool.map(f, [1])) for f in (Api().get, Api.plain, outer("q"), functools.partial(call_tool, "echo"))[:3]]
            r.append(list(pool.map(lambda a, b: call_tool("echo", a=a, b=b), [1, 2], [3, 4])))
            r.append(list(pool.map(lambda kw: call_tool("echo", **kw), [{"a": 1}])))
            r.append(pool.submit(functools.partial(call_tool, "echo", a=1), b=2).result())
        r
    """
    assert await lab.value(program, ScriptedTools({"t.echo": echo})) == [
        [{"i": 1, "page": 6, "key": "p-01"}],
        [{"i": 1, "n": 3, "k": ["k", {"x": -1}]}],
        [{"i": 1, "q": "Q", "z": [0]}],
        [{"a": 1, "b": 3}, {"a": 2, "b": 4}],
        [{"a": 1}],
        {"a": 1, "b": 2},
    ]


async def test_an_executors_future_carries_errors_times_out_and_calls_back(lab: Lab) -> None:
    program = """
        from concurrent.futures import ThreadPoolExecutor, TimeoutError as Late
        out, ids = [], {}
        pool = ThreadPoolExecutor()
        try:
            pool.submit(call_tool, "fail", i=7).result()
        except ToolError as e:
            out.append(e.reason)
        try:
            list(pool.map(lambda i: call_tool("echo", i=ids[i]), [1]))
        except KeyError as e:
            out.append(repr(e))
        waiting = pool.submit(call_tool, "wait")
        try:
            waiting.result(timeout=0.01)
        except Late:
            out.append("late")
        waiting.cancel()
        future = pool.submit(call_tool, "echo", i=1)
        future.add_done_callback(lambda f: out.append(f.result()))
        pool.shutdown()
        out
    """
    assert await lab.value(program, Meeting().tools) == ["7", "KeyError(1)", "late", {"i": 1}]


async def test_locks_and_events_of_threading_work_in_one_thread(lab: Lab) -> None:
    program = """
        import threading, queue
        lock, rlock, event, condition = threading.Lock(), threading.RLock(), threading.Event(), threading.Condition()
        with lock:
            taken = lock.acquire(blocking=False), lock.acquire(timeout=0.01), lock.locked()
        with rlock, rlock:
            pass
        event.set()
        with condition:
            waited = condition.wait(0.01)
        q = queue.Queue()
        try:
            q.get(timeout=0.01)
        except queue.Empty:
            empty = True
        [taken, event.wait(), waited, empty, threading.active_count(), threading.current_thread().name]
    """
    assert await lab.value(program) == [[False, False, True], True, False, True, 1, "MainThread"]
