"""What is printed leaves while the program runs, in order, and is kept whatever becomes of the program."""

from collections.abc import Mapping

import anyio
import pytest
from lab import Lab, stderr, stdout

from codeact_bridges.limits import Limits
from codeact_bridges.runs.observer import RunEvent
from codeact_bridges.testing import ScriptedTools
from codeact_bridges.values import Data, JsonValue, Printed, ToolValue


class Reader:
    """Watches a run, and lets its tool `seen` return when `text` was printed."""

    def __init__(self, text: str) -> None:
        self._text, self._seen, self._so_far = text, anyio.Event(), ""
        self.tools = ScriptedTools({"t.seen": self._wait})

    def __call__(self, event: RunEvent) -> None:
        if isinstance(event, Printed):
            self._so_far += event.text
            if self._text in self._so_far:
                self._seen.set()

    async def _wait(self, _: Mapping[str, JsonValue]) -> ToolValue:
        await self._seen.wait()
        return Data(True)


async def test_output_arrives_while_the_program_runs(lab: Lab) -> None:
    reader = Reader("hello")
    assert await lab.value("print('hello')\ncall_tool('seen')", reader.tools, observer=reader) is True


async def test_text_without_a_line_end_arrives_at_once(lab: Lab) -> None:
    reader = Reader("no end")
    assert (
        await lab.value("import sys; sys.stdout.write('no end')\ncall_tool('seen')", reader.tools, observer=reader)
        is True
    )


async def test_stdout_and_stderr_keep_their_order_and_stay_apart(lab: Lab) -> None:
    result = await lab.run("""
        import sys
        for i in range(3):
            print("out", i)
            print("err", i, file=sys.stderr)
    """)
    pieces = [(piece.stream, piece.text) for piece in result.output.pieces]
    assert pieces == [pair for i in range(3) for pair in (("stdout", f"out {i}\n"), ("stderr", f"err {i}\n"))]


async def test_every_way_to_print_reaches_the_client(lab: Lab) -> None:
    printed = await lab.printed("""
        import contextlib, io, os, pprint, sys
        print("a", 1, None, sep="-", end="|")
        sys.stdout.write("b\\n")
        sys.stdout.writelines(["c", "d\\n"])
        sys.stdout.buffer.write("é\\n".encode()[:1]); sys.stdout.buffer.write("é\\n".encode()[1:]); sys.stdout.flush()
        print(*[1, 2], sep="", file=sys.__stdout__, flush=True)
        pprint.pprint({"k": 1})
        with contextlib.redirect_stdout(io.StringIO()) as hidden:
            print("hidden")
        print(repr(hidden.getvalue()), "\\ud800", "😀")
    """)
    assert printed == "a-1-None|b\ncd\né\n12\n{'k': 1}\n'hidden\\n' \\ud800 😀\n"


async def test_print_refuses_what_the_built_in_refuses(lab: Lab) -> None:
    assert "TypeError: sep must be None or a string, not int" in await lab.error("print('x', sep=1)")


async def test_warnings_and_logging_are_on_stderr_without_our_files(lab: Lab) -> None:
    result = await lab.run("""
        import logging, warnings
        def old():
            warnings.warn("use new()", DeprecationWarning, stacklevel=2)
        old()
        old()
        logging.warning("low %s", 5)
        logging.basicConfig(format="%(levelname)s|%(message)s", level=logging.INFO, force=True)
        logging.info("now")
    """)
    assert stderr(result) == (
        "program.py:5: DeprecationWarning: use new()\n  old()\nprogram.py:6: DeprecationWarning: use new()\n  old()\nWARNING:root:low 5\nINFO|now\n"
    )


async def test_of_ten_megabytes_beginning_and_end_are_shown_and_the_rest_is_counted(lab: Lab) -> None:
    result = await lab.run("for i in range(1_000):\n    print(f'{i:<9999}')", limits=Limits(output_bytes=100_000))
    assert [int(line) for line in stdout(result).splitlines()] == [*range(5), *range(995, 1_000)]
    assert result.output.cut_bytes == 10_000_000 - 100_000
    assert result.failure is None


async def test_output_is_never_cut_inside_a_character(lab: Lab) -> None:
    result = await lab.run("print('é' * 1_000)", limits=Limits(output_bytes=1_002))
    assert stdout(result) == "é" * 250 + "……" + "é" * 250 + "\n"
    assert result.output.cut_bytes == 1_000


async def test_one_piece_of_five_megabytes_arrives_whole(lab: Lab) -> None:
    result = await lab.run("print('ü' * 2_500_000)", limits=Limits(output_bytes=6_000_000))
    assert stdout(result) == "ü" * 2_500_000 + "\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    "end",
    [
        "while True: pass",
        "import time; time.sleep(1_000)",
        "raise ValueError",
        "import os; os._exit(1)",
        "call_tool('never')",
    ],
)
async def test_output_is_in_the_result_however_the_program_ends(lab: Lab, end: str) -> None:
    async def never(_: Mapping[str, JsonValue]) -> ToolValue:
        await anyio.sleep_forever()
        raise AssertionError

    result = await lab.run(f"print('kept')\n{end}", ScriptedTools({"t.never": never}), deadline_s=3)
    assert stdout(result) == "kept\n"
    assert result.failure is not None


async def test_exit_handlers_and_finalizers_print_after_the_program(lab: Lab) -> None:
    result = await lab.run("""
        import atexit
        class Loud:
            def __del__(self): print("finalized")
        def left_open():
            try:
                yield 1
            finally:
                print("closed")
        loud, gen = Loud(), left_open()
        next(gen)
        atexit.register(print, "exit handler")
        print("last line")
        "value"
    """)
    assert sorted(stdout(result).splitlines()[2:]) == ["closed", "finalized"]
    assert stdout(result).splitlines()[:2] == ["last line", "exit handler"]
    assert result.value is not None
