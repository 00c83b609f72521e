"""The text that the client's model reads about a run: golden texts, for every way a run can end."""

from dataclasses import replace

import pytest
from mcp.types import TextContent

from codeact_bridges.values import CallRecord, Failure, Media, Output, Printed, ResultLink, RunResult, Value
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
    return "\n--\n".join(part.text for part in call_tool_result(run).content if isinstance(part, TextContent))


def printed(*pieces: tuple[str, str], cut: int = 0) -> Output:
    return Output(tuple(Printed(stream, text) for stream, text in pieces), cut)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (result(), "(no output, and the last line has no value)"),
        (result(value=Value("json", "42")), "42"),
        (result(output=printed(("stdout", "a\n")), value=Value("json", "42")), "a\n--\n[result]\n42"),
        (result(output=printed(("stdout", "a"), ("stderr", "b\n"), ("stdout", "c"))), "a\n[stderr]\nb\n[stdout]\nc"),
        (
            result(output=printed(("stdout", "a"), cut=1_000)),
            "a\n[1,000 more bytes of output were cut: print less, or return a summary]",
        ),
        (
            result(
                value=Value("json", "[1", 500), stored=(ResultLink("result://x", "the whole value", "text/plain", 502),)
            ),
            (
                "[1\n[500 more bytes were cut: return less, or a summary]\n--\n"
                '[stored] the whole value, 502 bytes: read it in a later program with load_result("result://x")'
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

    assert [part.text for part in answer.content if isinstance(part, TextContent)] == [
        "a",
        (
            f'{said}Call execute_code(run="r-1") to keep waiting for the result, '
            'or execute_code(run="r-1", cancel=true) to stop the run.'
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
