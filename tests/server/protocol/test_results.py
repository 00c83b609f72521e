"""The text that the client's model reads about a run: golden texts, for every way a run can end."""

import json
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp.types import CallToolResult, ResourceLink, TextContent

from codeact_bridges.values import (
    CallRecord,
    Failure,
    Media,
    Output,
    Printed,
    ProducedFile,
    ResultLink,
    RunResult,
    Value,
)
from codeact_server.protocol.results import META_KEY, call_tool_result, still_running

LOOKED = CallRecord("shop.look", "ok", 0.1, 0.1, read_only=True, sent=True)
BOUGHT = CallRecord("shop.buy", "ok", 0.2, 0.1, sent=True)
FAILED = CallRecord("shop.buy", "error", 0.3, 0.1, error="closed", sent=True)
DENIED = CallRecord("shop.drop", "error", 0.4, 0.1, decision="deny: the operator's policy denies it")
NOT_APPROVED = CallRecord("shop.drop", "error", 0.4, 0.1, decision="deny: the user said no", asked_again=True)
UNKNOWN = CallRecord("shop.eat", "error", 0.4, 0.1, error="no such tool")
CUT_OFF = CallRecord("shop.buy", "unfinished", 0.5, 0.1, sent=True)
ASKED = CallRecord("shop.drop", "unfinished", 0.6, 0.1, decision="ask")
RAISED = Failure("raised", 'Traceback (most recent call last):\n  File "program.py", line 2\nValueError: no\n')
STOPPED = Failure("deadline", "stopped after 60 s, the program's deadline")


def result(**facts: object) -> RunResult:
    return RunResult("wasmtime", "none", 1.5, **facts)  # type: ignore[arg-type]


def text(run: RunResult) -> str:
    """The text blocks, parted by `--`; each ends with a line end, which is not shown."""
    return "\n--\n".join(text_block.removesuffix("\n") for text_block in text_blocks(call_tool_result(run)))


def text_blocks(answer: CallToolResult) -> list[str]:
    blocks = [part.text for part in answer.content if isinstance(part, TextContent)]
    assert all(block.endswith("\n") for block in blocks)
    return blocks


def printed(*pieces: tuple[str, str]) -> Output:
    return Output(tuple(Printed(stream, text) for stream, text in pieces))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (result(), "(no output, and the last line has no value)"),
        (result(value=Value("json", "42")), "[result]\n42"),
        (result(value=Value("json", '{"a": 1}')), '[result]\n{"a": 1}'),
        (result(value=Value("text", "two\nlines\n")), "[result]\ntwo\nlines"),
        (result(output=printed(("stdout", "a\n")), value=Value("json", "42")), "a\n--\n[result]\n42"),
        (result(output=printed(("stdout", "a"), ("stderr", "b\n"), ("stdout", "c"))), "a\n[stderr]\nb\n[stdout]\nc"),
        (result(output=printed(("stderr", "a\n"), ("stdout", "b\n"))), "[stderr]\na\n[stdout]\nb"),
        (result(output=printed(("stdout", "42\n"))), "[stdout]\n42"),
        (result(output=printed(("stdout", '{"a": 1}\n'))), '{"a": 1}'),
        (result(output=printed(("stdout", "[1]\n")), value=Value("json", "2")), "[stdout]\n[1]\n--\n[result]\n2"),
        (result(output=printed(("stdout", "\n"))), "[stdout]\n"),
        (result(output=printed(("stdout", "\x0b\u00a0"))), "[stdout]\n\x0b\u00a0"),
        (
            result(displayed=(Value("json", "7"),), value=Value("json", "8")),
            "[displayed]\n7\n--\n[result]\n8",
        ),
        (
            result(output=Output((Printed("stdout", "a"),), 1_000)),
            "a\n[1,000 bytes left out here and not stored; to see them, print or return less at once]",
        ),
        (
            result(
                output=Output((Printed("stdout", "a\n"),), 9, (Printed("stderr", "b\n"),), stored=True),
                value=Value("json", "[1…", 500, "…2]", stored=True),
                stored=(ResultLink("result://x", "the whole value", "text/plain", 504),),
            ),
            (
                "a\n[9 bytes left out here; the line that begins with [stored] says how to read them]\n"
                "[stderr]\nb\n--\n"
                "[result]\n[1…\n"
                "[500 bytes left out here; the line that begins with [stored] says how to read them]\n…2]\n--\n"
                '[stored] the whole value, 504 bytes: read it in a later program with load_result("result://x")'
            ),
        ),
        (
            result(session="s", session_state="went on"),
            "(no output, and the last line has no value)\n--\n[session 's' continued]",
        ),
        (
            result(failure=RAISED),
            '[failed] Traceback (most recent call last):\n  File "program.py", line 2\nValueError: no',
        ),
        (
            result(output=printed(("stdout", "so far")), failure=STOPPED, calls=(LOOKED,)),
            (
                "so far\n--\n[failed] stopped after 60 s, the program's deadline\n"
                "Tool calls made before the failure: 1\n"
                "- shop.look: done (read-only)\n"
                "None of them changed anything. The whole program can be run again."
            ),
        ),
        (
            result(failure=STOPPED, calls=(LOOKED, BOUGHT, FAILED, DENIED, UNKNOWN, CUT_OFF, ASKED)),
            (
                "[failed] stopped after 60 s, the program's deadline\n"
                "Tool calls made before the failure: 7\n"
                "- shop.look: done (read-only)\n"
                "- shop.buy: done\n"
                "- shop.buy: failed (may have taken effect)\n"
                "- shop.drop: not allowed, not sent\n"
                "- shop.eat: not sent\n"
                "- shop.buy: interrupted (may have taken effect)\n"
                "- shop.drop: not sent\n"
                "Completed calls took effect. Do not repeat them; continue after them.\n"
                "Failed or interrupted calls may have taken effect. Check before repeating them.\n"
                "Calls that the configuration does not allow will be refused again."
            ),
        ),
        (
            result(failure=STOPPED, calls=(DENIED, UNKNOWN, ASKED)),
            (
                "[failed] stopped after 60 s, the program's deadline\n"
                "Tool calls made before the failure: 3\n"
                "- shop.drop: not allowed, not sent\n"
                "- shop.eat: not sent\n"
                "- shop.drop: not sent\n"
                "None of them changed anything. The whole program can be run again.\n"
                "Calls that the configuration does not allow will be refused again."
            ),
        ),
        (
            result(failure=STOPPED, calls=(NOT_APPROVED,)),
            (
                "[failed] stopped after 60 s, the program's deadline\n"
                "Tool calls made before the failure: 1\n"
                "- shop.drop: not allowed, not sent\n"
                "None of them changed anything. The whole program can be run again.\n"
                "Calls that were not approved need approval again. Repeat them only if the user wants that."
            ),
        ),
        (
            result(failure=STOPPED, calls=(NOT_APPROVED, DENIED)),
            (
                "[failed] stopped after 60 s, the program's deadline\n"
                "Tool calls made before the failure: 2\n"
                "- shop.drop: not allowed, not sent, 2 times\n"
                "None of them changed anything. The whole program can be run again.\n"
                "Calls that the configuration does not allow will be refused again.\n"
                "Calls that were not approved need approval again. Repeat them only if the user wants that."
            ),
        ),
        (
            result(failure=STOPPED, session="s", session_state="lost"),
            (
                "[failed] stopped after 60 s, the program's deadline\n--\n"
                "[session 's' and its variables are lost: pass reset=true to start it again]"
            ),
        ),
        (
            result(failure=Failure("exited", "the program ended with sys.exit(3)")),
            "[failed] the program ended with sys.exit(3)",
        ),
    ],
)
def test_each_way_a_run_can_end_has_its_text(run: RunResult, expected: str) -> None:
    assert text(run) == expected


def test_a_long_result_begins_with_what_clients_must_not_cut_off() -> None:
    link = ResultLink("result://x", "all that was printed", "text/plain", 9_000)
    run = result(
        output=printed(("stdout", "p" * 2_000)),
        displayed=(Value("text", "a table"), Media("image", "image/png", "QQ==")),
        produced=(ProducedFile("/out/a", "file:///home/out/a", 1, "text/csv"),),
        value=Value("json", "42"),
        stored=(link,),
        session="s",
    )

    assert [block.partition("\n")[0] for block in text_blocks(call_tool_result(run))] == [
        "[result]",
        f'[stored] all that was printed, 9,000 bytes: read it in a later program with load_result("{link.uri}")',
        "[session 's' continued]",
        "[files]",
        "[displayed]",
        "[stdout]",
    ]
    failed = text_blocks(call_tool_result(replace(run, value=None, failure=STOPPED)))
    assert failed[0].startswith("[failed] stopped after 60 s")
    assert failed[-1].startswith("[stdout]\nppp")


def test_long_output_alone_has_no_mark() -> None:
    assert text(result(output=printed(("stdout", "p" * 9_000)))) == "p" * 9_000


@pytest.mark.parametrize(("printed_bytes", "marks"), [(1_979, ["ppp", "[re"]), (1_980, ["[re", "[st"])])
def test_results_of_up_to_2000_bytes_read_in_the_order_in_which_they_came_about(
    printed_bytes: int, marks: list[str]
) -> None:
    """With marks and line ends, 21 bytes are not the program's."""
    run = result(output=printed(("stdout", "p" * printed_bytes)), value=Value("json", "1"))

    assert [block[:3] for block in text_blocks(call_tool_result(run))] == marks


def test_blocks_that_link_go_only_to_clients_that_read_them_and_the_text_has_every_address() -> None:
    run = result(
        stored=(ResultLink("result://x", "the whole value", "text/plain", 504),),
        produced=(ProducedFile("/out/a", "file:///home/out/a", 1, "text/csv"),),
    )
    plain, with_links = call_tool_result(run), call_tool_result(run, links=True)

    assert "resource_link" not in [part.type for part in plain.content]
    assert [str(part.uri) for part in with_links.content if isinstance(part, ResourceLink)] == [
        "file:///home/out/a",
        "result://x",
    ]
    assert text_blocks(with_links) == text_blocks(plain)
    assert "result://x" in text(run)
    assert "file:///home/out/a" in text(run)


TEXTS = st.text() | st.builds(json.dumps, st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists))
SPACES = st.text(" \t\r\n")
PADDED = st.tuples(SPACES, TEXTS, SPACES).map("".join)


@given(
    st.lists(st.builds(Printed, st.sampled_from(["stdout", "stderr"]), PADDED.filter(bool)), max_size=2),
    st.none() | st.builds(Value, st.just("json"), TEXTS),
    st.lists(st.builds(Value, st.just("text"), PADDED), max_size=2),
)
def test_the_first_text_is_no_json_but_an_object_no_text_is_blank_and_all_end_with_a_line_end(
    pieces: list[Printed], value: Value | None, displayed: list[Value]
) -> None:
    run = result(output=Output(tuple(pieces)), value=value, displayed=tuple(displayed))
    for answer in (call_tool_result(run), still_running("r-1", run.output, 0, asks=False)):
        first, *others = text_blocks(answer)
        with suppress(ValueError):
            assert isinstance(json.loads(first), dict)
        assert all(block.strip() for block in (first, *others))
        assert answer.structured_content is None


def test_a_resumed_run_that_prints_no_more_does_not_deny_its_earlier_output() -> None:
    nothing = "output, and the last line has no value)\n"
    assert text_blocks(call_tool_result(result())) == ["(no " + nothing]
    assert text_blocks(call_tool_result(result(), resumed=True)) == ["(no further " + nothing]


@pytest.mark.parametrize(
    "program_prints",
    [
        *("42", "-1.5e+3", "9" * 5_000, "true", "null", "NaN", "-Infinity", '"text"', "[]", '  [1,\n"2"]\n', "\t0\r\n"),
        *("[" * 100_000 + "]" * 100_000, "\n", " "),
    ],
)
def test_printed_json_that_is_no_object_has_its_mark(program_prints: str) -> None:
    """Some of these Python does not read, but JavaScript does."""
    (block,) = text_blocks(call_tool_result(result(output=printed(("stdout", program_prints)))))

    assert block == "[stdout]\n" + program_prints.removesuffix("\n") + "\n"


@pytest.mark.parametrize("program_prints", ["a", '{"a": 1}', "1 cup", "12:30", "truely", "[1] and 2", '"a" and b', "-"])
def test_other_printed_text_stands_as_it_is(program_prints: str) -> None:
    assert text(result(output=printed(("stdout", program_prints)))) == program_prints


def test_equal_lines_of_the_call_report_are_counted_and_only_the_last_are_named() -> None:
    others = tuple(replace(LOOKED, tool=f"shop.look{number}") for number in range(25))
    lines = text(result(failure=STOPPED, calls=(LOOKED, *others, *(LOOKED,) * 3, BOUGHT))).splitlines()

    assert lines[1:4] == [
        "Tool calls made before the failure: 30",
        "- … 7 earlier calls",
        "- shop.look7: done (read-only)",
    ]
    assert lines[-3:] == [
        "- shop.look: done (read-only), 4 times",
        "- shop.buy: done",
        "Completed calls took effect. Do not repeat them; continue after them.",
    ]
    assert len(lines) == 24


@pytest.mark.parametrize(
    ("asks", "said"),
    [
        (False, "[still running; 3 tool calls so far] "),
        (
            True,
            (
                "[waiting for the user to allow a tool call; the user is asked again when you keep waiting; "
                "3 tool calls so far] "
            ),
        ),
    ],
)
def test_a_running_run_says_how_to_keep_waiting_and_how_to_stop_it(asks: bool, said: str) -> None:
    answer = still_running("r-1", printed(("stdout", "a\n")), 3, asks=asks)

    assert text_blocks(answer) == [
        "a\n",
        (
            f'{said}Call execute_code(run="r-1") to keep waiting for the result, '
            'or execute_code(run="r-1", cancel=true) to stop the run.\n'
        ),
    ]
    assert answer.is_error is not True
    assert answer.meta == {META_KEY: {"run": "r-1", "state": "running"}}


def test_a_run_that_has_not_begun_says_that_the_sandbox_is_being_prepared() -> None:
    answer = still_running("r-1", printed(), 0, asks=False, preparing=True)

    (part,) = answer.content
    assert isinstance(part, TextContent)
    assert part.text.startswith(
        '[preparing the sandbox, once; 0 tool calls so far] Call execute_code(run="r-1") to keep waiting'
    )


def test_a_running_run_that_has_printed_much_begins_with_its_handle() -> None:
    output = Output((Printed("stdout", "p" * 2_000),), 500, (Printed("stdout", "…p\n"),))
    first, second = text_blocks(still_running("r-1", output, 0, asks=False))

    assert first.startswith('[still running; 0 tool calls so far] Call execute_code(run="r-1")')
    assert second == (
        "[stdout]\n" + "p" * 2_000 + "\n"
        "[500 bytes left out here; the result of the run will say how to read them]\n…p\n"
    )


def test_a_runs_facts_are_in_meta_and_not_in_structured_content() -> None:
    answer = call_tool_result(result(failure=STOPPED, calls=(LOOKED,)))

    assert answer.is_error is True
    assert answer.structured_content is None
    assert answer.meta == {
        META_KEY: {
            "engine": "wasmtime",
            "isolation": "none",
            "duration_ms": 1500.0,
            "tool_calls": 1,
            "failure": "deadline",
        }
    }


def test_images_and_audio_are_content_blocks_of_their_own() -> None:
    shown = (Media("image", "image/png", "QQ=="), Media("audio", "audio/wav", "QQ=="), Value("text", "a\nb"))

    assert [part.type for part in call_tool_result(result(displayed=shown)).content] == ["image", "audio", "text"]
