"""Tracebacks as a model reads them: its own lines, no frame of ours, the library's only where it was entered and left."""

import re
import textwrap
from collections.abc import Mapping
from pathlib import Path

import pytest
from lab import Lab, stderr, stdout

from codeact_bridges.errors import DownstreamFailed
from codeact_bridges.files.bridge import FilesBridge
from codeact_bridges.files.mounts import mount
from codeact_bridges.limits import Limits
from codeact_bridges.modules.packages import find_packages
from codeact_bridges.testing import ScriptedTools, echo
from codeact_bridges.tools.port import Rows
from codeact_bridges.values import JsonValue, ToolValue


async def fail(_: Mapping[str, JsonValue]) -> ToolValue:
    raise DownstreamFailed("crm", "fail", "it broke")


FAILING = {"crm.fail": fail}

GOLDEN = {
    "a program's own error": (
        "def f(x):\n    return 1 / x\n\nf(0)\n",
        """\
        Traceback (most recent call last):
          File "program.py", line 4, in <module>
            f(0)
            ~^^^
          File "program.py", line 2, in f
            return 1 / x
                   ~~^~~
        ZeroDivisionError: division by zero
        """,
    ),
    "an error in the library": (
        "import json\njson.loads('{')\n",
        """\
        Traceback (most recent call last):
          File "program.py", line 2, in <module>
            json.loads('{')
            ~~~~~~~~~~^^^^^
          File "/python/json/__init__.py", line N, in loads
          File "/python/json/decoder.py", line N, in raw_decode
        json.decoder.JSONDecodeError: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)
        """,
    ),
    "a chain": (
        "try:\n    {}['k']\nexcept KeyError as exc:\n    raise ValueError('no k') from exc\n",
        """\
        Traceback (most recent call last):
          File "program.py", line 2, in <module>
            {}['k']
            ~~^^^^^
        KeyError: 'k'

        The above exception was the direct cause of the following exception:

        Traceback (most recent call last):
          File "program.py", line 4, in <module>
            raise ValueError('no k') from exc
        ValueError: no k
        """,
    ),
    "an exception inside the library before the program's": (
        "import zoneinfo\nzoneinfo.ZoneInfo('Mars/Olympus')\n",
        """\
        ModuleNotFoundError: No module named 'tzdata.zoneinfo.Mars'

        During handling of the above exception, another exception occurred:

        Traceback (most recent call last):
          File "program.py", line 2, in <module>
            zoneinfo.ZoneInfo('Mars/Olympus')
            ~~~~~~~~~~~~~~~~~^^^^^^^^^^^^^^^^
          File "/python/zoneinfo/_common.py", line N, in load_tzdata
        zoneinfo._common.ZoneInfoNotFoundError: 'No time zone found with key Mars/Olympus'
        """,
    ),
    "a group": (
        "import asyncio\nasync def bad(n):\n    raise ValueError(n)\nasync with asyncio.TaskGroup() as tasks:\n    tasks.create_task(bad(1))\n",
        """\
          + Exception Group Traceback (most recent call last):
          |   File "program.py", line 4, in <module>
          |     async with asyncio.TaskGroup() as tasks:
          |                ~~~~~~~~~~~~~~~~~^^
          |   File "/python/asyncio/taskgroups.py", line N, in __aexit__
          |   File "/python/asyncio/taskgroups.py", line N, in _aexit
          | ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception)
          +-+---------------- 1 ----------------
            | Traceback (most recent call last):
            |   File "program.py", line 3, in bad
            |     raise ValueError(n)
            | ValueError: 1
            +------------------------------------
        """,
    ),
    "a syntax error": (
        "x = (1,\ny = 2\n",
        """\
          File "program.py", line 1
            x = (1,
                ^
        SyntaxError: '(' was never closed
        """,
    ),
    "an import of nothing": (
        "import pandas\n",
        """\
        Traceback (most recent call last):
          File "program.py", line 1, in <module>
            import pandas
        ModuleNotFoundError: No module named 'pandas': available are the standard library and the packages that the operator lists in codeact.packages; compiled packages cannot run here: use statistics, csv, json or sqlite3
        """,
    ),
    "an error of the compiler": (
        "é = 'é'; return 5\n",
        """\
          File "program.py", line 1
            é = 'é'; return 5
                     ^^^^^^^^
        SyntaxError: 'return' outside function; to return a result, write the value alone as the program's last line
        """,
    ),
    "an error of the compiler over several lines": (
        "def f():\n    x = [\n        await g(),\n    ]\n",
        """\
          File "program.py", line 3
            await g(),
            ^^^^^^^^^
        SyntaxError: 'await' outside async function; `await` works at the top level of a program and inside an `async def`
        """,
    ),
    "a nonlocal at the top": (
        "nonlocal x\n",
        """\
          File "program.py", line 1
            nonlocal x
            ^^^^^^^^^^
        SyntaxError: nonlocal declaration not allowed at module level
        """,
    ),
    "a recursion": (
        "def f(n):\n    return f(n + 1)\nf(0)\n",
        """\
        Traceback (most recent call last):
          File "program.py", line 3, in <module>
            f(0)
            ~^^^
          File "program.py", line 2, in f
            return f(n + 1)
          File "program.py", line 2, in f
            return f(n + 1)
          File "program.py", line 2, in f
            return f(n + 1)
          [Previous line repeated N more times]
        RecursionError: maximum recursion depth exceeded
        """,
    ),
    "a tool's error": (
        "call_tool('crm.fail')\n",
        """\
        Traceback (most recent call last):
          File "program.py", line 1, in <module>
            call_tool('crm.fail')
            ~~~~~~~~~^^^^^^^^^^^^
        ToolError: crm.fail: it broke
        """,
    ),
    "a tool's error in a task": (
        "import asyncio\nawait asyncio.gather(call_tool_async('fail'))\n",
        """\
        Traceback (most recent call last):
          File "program.py", line 2, in <module>
            await asyncio.gather(call_tool_async('fail'))
        ToolError: crm.fail: it broke
        """,
    ),
    "a note": (
        "exc = OSError('x')\nexc.add_note('look here')\nraise exc\n",
        """\
        Traceback (most recent call last):
          File "program.py", line 3, in <module>
            raise exc
        OSError: x
        look here
        """,
    ),
}


def without_numbers_of_the_library(text: str) -> str:
    """Lines of the library and counts of frames change with CPython's releases."""
    text = re.sub(r'(File "/python/[^"]+", line )\d+', r"\1N", text)
    text = re.sub(r"repeated \d+ more", "repeated N more", text)
    # The caret line under `return f(n + 1)` is CPython's choice for a long line of frames.
    return re.sub(r"(    return f\(n \+ 1\)\n)[ ~^]+\n", r"\1", text)


@pytest.mark.parametrize("name", GOLDEN)
async def test_a_traceback_reads_as_written_here(lab: Lab, name: str) -> None:
    program, expected = GOLDEN[name]
    error = await lab.error(program, ScriptedTools(FAILING))
    assert textwrap.dedent(without_numbers_of_the_library(error)) == textwrap.dedent(expected)


async def test_a_tools_error_carries_its_server_tool_and_reason(lab: Lab) -> None:
    program = "try:\n    call_tool('fail')\nexcept ToolError as e:\n    r = [e.server, e.tool, e.reason, str(e)]\nr"
    assert await lab.value(program, ScriptedTools(FAILING)) == ["crm", "fail", "it broke", "crm.fail: it broke"]


async def test_an_unknown_tool_is_a_lookup_error_that_names_others(lab: Lab) -> None:
    error = await lab.error("call_tool('crm.fial')", ScriptedTools(FAILING))
    assert "UnknownTool: crm.fial: no such tool; there are crm.fail" in error
    assert await lab.value("try:\n    call_tool('x')\nexcept LookupError:\n    r = 1\nr") == 1


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("raise SystemExit(3)", "the program ended with sys.exit(3)"),
        ("exit(2)", "the program ended with sys.exit(2)"),
        ("import sys; sys.exit('why')", "the program ended with sys.exit(1)"),
    ],
)
async def test_an_exit_code_other_than_zero_is_a_failure(lab: Lab, program: str, message: str) -> None:
    result = await lab.run(program)
    assert result.failure is not None
    assert (result.failure.kind, result.failure.message) == ("exited", message)


@pytest.mark.parametrize("program", ["exit()", "quit()", "import sys; sys.exit(0)", "raise SystemExit"])
async def test_an_exit_without_a_code_is_a_good_end(lab: Lab, program: str) -> None:
    assert (await lab.run(program)).failure is None


async def test_an_exits_message_is_on_stderr(lab: Lab) -> None:
    assert stderr(await lab.run("raise SystemExit('that is why')")) == "that is why\n"


async def test_an_interpreter_ended_from_inside_is_a_death_with_its_reason(lab: Lab) -> None:
    result = await lab.run("print('before'); import os; os._exit(7)")
    assert result.failure is not None
    assert result.failure.kind == "died"
    assert stdout(result) == "before\n"


ABSENT = {
    "input('name? ')": "RuntimeError: input() is not available: the program runs unattended.",
    "import getpass; getpass.getpass()": "RuntimeError: input() is not available",
    "breakpoint()": "PermissionError: breakpoint(): no debugger is available",
    "import threading; threading.Thread(target=print).start()": "RuntimeError: threading.Thread: this sandbox has no threads. To run tool calls concurrently, write `await asyncio.gather(",
    "import threading; threading.Timer(1, print).start()": "RuntimeError: threading.Thread: this sandbox has no threads.",
    "import _thread; _thread.start_new_thread(print, ())": "RuntimeError: _thread.start_new_thread: this sandbox has no threads.",
    "import subprocess; subprocess.run(['ls'])": "PermissionError: subprocess: this sandbox has no processes",
    "import os; os.system('ls')": "PermissionError: os.system: this sandbox has no processes",
    "import asyncio; await asyncio.create_subprocess_exec('ls')": "PermissionError: asyncio: this sandbox has no processes",
    "import socket; socket.socket()": "PermissionError: socket.socket: this sandbox has no sockets",
    "import socket; socket.create_connection(('x', 1))": "PermissionError: socket.create_connection: this sandbox has no sockets",
    "import asyncio; await asyncio.open_connection('x', 1)": "PermissionError: asyncio: this sandbox has no sockets",
    "import select; select.select([1], [], [])": "PermissionError: select.select: this sandbox has no sockets",
    "open('/data/x.csv')": "PermissionError: '/data/x.csv': no folder is mounted here",
    "from pathlib import Path; Path('a').read_text()": "PermissionError: 'a': no folder is mounted here",
    "import tempfile; tempfile.mkdtemp()": "PermissionError: no folder is mounted here",
    "import threading; threading.Event().wait()": "RuntimeError: deadlock: this waits for another thread, but this sandbox has no threads.",
    "import threading; l = threading.Lock(); l.acquire(); l.acquire()": "RuntimeError: deadlock: this waits for another thread",
    "import queue; queue.Queue().get()": "RuntimeError: deadlock: this waits for another thread",
    "import queue; queue.SimpleQueue().get()": "RuntimeError: deadlock: this waits for another thread",
    "import asyncio\nevent = asyncio.Event()\nawait event.wait()": "RuntimeError: deadlock: every task is waiting, and no operation is in flight that could wake one (no tool call, no sleep); look for an Event, Queue or Future that is never set\n  waiting at line 3: await event.wait()",
    "import asyncio\nasync def main(): ...\nawait main()\nasyncio.run(main())": "RuntimeError: asyncio.run() cannot be called from a running event loop: a program with top-level `await` already runs in one, so write `await main()`",
    "from concurrent.futures import ProcessPoolExecutor as P; P().submit(len, 'a')": "RuntimeError: ProcessPoolExecutor: this sandbox has no threads and no processes, so an executor can only run a function that consists of one call_tool(…). Write instead: results = await asyncio.gather(*[work(item) for item in items])",
}


@pytest.mark.parametrize("program", ABSENT)
async def test_what_a_sandbox_does_not_have_says_so_at_once_with_what_to_do_instead(lab: Lab, program: str) -> None:
    assert ABSENT[program] in await lab.error(program)


async def test_help_prints(lab: Lab) -> None:
    assert "Return the number of items in a container." in await lab.printed("help(len)")


NOT_PYTHON = {
    "```python\n1 + 1\n```": "a program is plain Python: remove the Markdown fences (```)",
    "1 + 1\n```": "a program is plain Python: remove the Markdown fences (```)",
    "%pip install numpy": "the operator lists them in the setting codeact.packages",
    "import json\n!pip install numpy": "the operator lists them in the setting codeact.packages",
    "pip install numpy": "the operator lists them in the setting codeact.packages",
    "!ls -l": "notebook commands and shell commands do not work",
    "%matplotlib inline": "notebook commands and shell commands do not work",
}


@pytest.mark.parametrize("program", NOT_PYTHON)
async def test_a_program_written_for_a_notebook_or_a_chat_is_told_what_to_leave_out(lab: Lab, program: str) -> None:
    error = await lab.error(program)
    assert NOT_PYTHON[program] in error
    assert "SyntaxError: invalid syntax; a program is plain Python" in error


INSTEAD = {
    "import requests": "for HTTP use http_request(method, url) or urllib.request",
    "from httpx import get": "for HTTP use http_request(method, url) or urllib.request",
    "import aiohttp": "for HTTP use http_request(method, url) or urllib.request",
    "import urllib3": "for HTTP use http_request(method, url) or urllib.request",
    "import numpy as np": "compiled packages cannot run here: use statistics, csv, json or sqlite3",
    "import scipy.stats": "compiled packages cannot run here: use statistics, csv, json or sqlite3",
    "import polars": "compiled packages cannot run here: use statistics, csv, json or sqlite3",
    "from tools import call_tool": "call_tool(name, key=value), search_tools(query) and similar functions are builtins here",
    "import mcp.client": "call_tool(name, key=value), search_tools(query) and similar functions are builtins here",
}


@pytest.mark.parametrize("program", INSTEAD)
async def test_an_import_of_what_programs_often_ask_for_says_what_there_is_instead(lab: Lab, program: str) -> None:
    error = await lab.error(program)
    assert INSTEAD[program] in error
    assert "the packages that the operator lists in codeact.packages" in error


HABITS = {
    "await call_tool('t.echo')": "call_tool(…) has waited and returned a value: remove `await`, or use call_tool_async(…)",
    "import asyncio\nawait asyncio.gather(call_tool('t.echo'), call_tool('t.echo'))": "call_tool(…) has waited and returned a value",
    "import asyncio\nawait asyncio.gather(*[\n    call_tool('t.echo') for _ in 'ab'\n])": "call_tool(…) has waited and returned a value",
    "await [call_tool_async('t.echo') for _ in 'ab']": "'list' object can't be awaited; to await several, write await asyncio.gather(*calls)",
    "await list_tools()": "list_tools(…) has waited and returned a value: remove `await`\n",
    "call_tool_async('t.echo')['x']": "'coroutine' object is not subscriptable; write `await` before it to get its value",
    "for x in call_tool_async('t.echo'): pass": "'coroutine' object is not iterable; write `await` before it",
    "call_tool_async('t.echo').get('x')": "'coroutine' object has no attribute 'get'; write `await` before it",
    "import json\njson.dumps(call_tool_async('t.echo'))": "coroutine is not JSON serializable; write `await` before it",
    "import asyncio\nasyncio.gather(call_tool_async('t.echo'))[0]": "is not subscriptable; write `await` before it",
    "import asyncio\nasyncio.create_task(call_tool_async('t.echo'))[0]": "is not subscriptable; write `await` before it",
    "call_tool(name='t.echo')": "TypeError: call_tool: pass the tool's name first, without a keyword: write call_tool('t.echo', key=value)",
    "call_tool_async(name='t.echo', x=1)": "pass the tool's name first, without a keyword: write call_tool('t.echo', key=value)",
    "call_tool()": "TypeError: call_tool: the tool's name must be a string like 'server.tool', not None",
    "call_tool('t', 'echo', {})": 'TypeError: call_tool: server and tool form one name: write call_tool("t.echo", key=value)',
    "call_tool('t', 'echo')": 'TypeError: call_tool: server and tool form one name: write call_tool("t.echo", key=value)',
    "call_tool('t.echo', '{}')": "TypeError: call_tool: pass one name, then keywords or one dict: write call_tool('t.echo', key=value)",
    "t.echo(x=1)": "NameError: name 't' is not defined\ntools are called by name: write call_tool(\"t.echo\", …)\n",
    "x = echo(x=1)": "NameError: name 'echo' is not defined\ntools are called by name: write call_tool(\"t.echo\", …)\n",
    "t.say(x=1)": "NameError: name 't' is not defined\ntools are called by name: write call_tool(\"t.echo\", …)\n",
    "nothing_like_it(1)": "NameError: name 'nothing_like_it' is not defined\n",
}


@pytest.mark.parametrize("program", HABITS)
async def test_a_habit_from_elsewhere_is_told_how_it_is_done_here(lab: Lab, program: str) -> None:
    error = await lab.error(program, ScriptedTools({"t.echo": echo}))
    assert HABITS[program] in error
    assert "codeact_guest" not in error
    if "nothing" in program:
        assert "call_tool" not in error


async def test_a_tools_argument_may_be_called_name(lab: Lab) -> None:
    tools = ScriptedTools({"t.echo": echo})
    assert await lab.value("[call_tool('t.echo', name='x'), await call_tool_async('t.echo', name='y')]", tools) == [
        {"name": "x"},
        {"name": "y"},
    ]


async def test_a_name_error_is_told_when_the_tools_cannot_be_asked(lab: Lab) -> None:
    class Silent(ScriptedTools):
        async def search(self, query: str, server: str | None = None, limit: int = 10) -> Rows:
            raise DownstreamFailed("t", "", "it broke")

    assert (await lab.error("t.echo()", Silent())).endswith("NameError: name 't' is not defined\n")


async def test_a_failing_program_leaves_no_record_of_a_file_access(lab: Lab, tmp_path: Path) -> None:
    files = FilesBridge([mount("/data", "ro", tmp_path)], Limits().message_bytes)
    program = """
        import json, linecache, logging, traceback, warnings, yaml
        try:
            yaml.safe_load("a: [")
        except Exception:
            traceback.print_exc()
            logging.exception("it failed")
        warnings.warn("look here")
        call_tool_async("t.echo")
        linecache.checkcache()
        json.loads("{")
    """
    result = await lab.run(program, configured=(files,), packages=find_packages(["PyYAML"]))
    assert result.failure is not None
    assert "JSONDecodeError" in result.failure.message
    assert 'yaml/__init__.py", line' in stderr(result)
    assert "    return load(stream, SafeLoader)\n" in stderr(result)
    assert result.accesses == ()
