"""The audit log with one line per run, and the spans of a run for OpenTelemetry."""

import json
import logging
import stat
from collections.abc import AsyncGenerator, Generator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import anyio
import pytest
from apps import ERAS, GUARD_S, Era, Opened, Person, execute, handle_in, opened, there
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from codeact_server.observability.audit_log import AuditLog, AuditSettings

PROGRAM = """
print("printed")
call_tool("shop.look", item="s3cret")
try:
    call_tool("shop.drop", item="s3cret")
except PermissionError:
    pass
call_tool("shop.buy", item="s3cret")
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "audit.jsonl"


def lines(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines()]


def mode(log: Path) -> int:
    return stat.S_IMODE(log.stat().st_mode)


@pytest.mark.parametrize("values", [False, True])
async def test_a_run_is_one_line_with_its_decisions_and_calls_and_with_values_only_if_configured(
    environment: Mapping[str, str], log: Path, values: bool
) -> None:
    with anyio.fail_after(GUARD_S):
        async with (
            opened(environment, audit=AuditSettings(path=str(log), values=values)) as opening,
            opening.client("legacy", Person(["no"])) as client,
        ):
            await execute(client, PROGRAM)

    (line,) = lines(log)
    written = json.dumps(line)
    assert ("s3cret" in written) is values
    assert ("print(" in written) is values
    assert mode(log) == 0o600
    assert (line["engine"], line["outcome"], line["calls_made"], line["printed_bytes"]) == ("wasmtime", "ended", 3, 8)
    assert [(call["tool"], call["decision"], call["outcome"]) for call in line["calls"]] == [
        ("shop.look", "allow", "ok"),
        ("shop.drop", "deny: it needs approval (the tool says that it is destructive), and the user said no", "error"),
        ("shop.buy", "allow", "ok"),
    ]
    assert not line["run"].startswith("r-"), "a handle is a bearer token and must not be logged"
    assert line["calls"][0]["bytes"] > 0
    if not values:
        assert line["code"].startswith("sha256:")
        assert line["value"].startswith("sha256:")
        assert line["calls"][0]["arguments"].startswith("sha256:")


@pytest.mark.parametrize(
    ("values", "recorded"),
    [(False, "sha256:" + sha256(b'"' + b"x" * 99_998 + b'"').hexdigest()), (True, '"' + "x" * 63_999)],
)
async def test_what_is_recorded_of_a_value_is_of_the_whole_however_little_the_client_gets(
    environment: Mapping[str, str], log: Path, values: bool, recorded: str
) -> None:
    settings = AuditSettings(path=str(log), values=values)
    with anyio.fail_after(GUARD_S):
        async with opened(environment, audit=settings) as opening, opening.client("auto") as client:
            await execute(client, "print('p' * 99_999)\n'x' * 99_998")

    (line,) = lines(log)
    assert (line["value"], line["printed_bytes"]) == (recorded, 100_000)


async def test_every_outcome_of_a_run_is_recorded(environment: Mapping[str, str], log: Path, tmp_path: Path) -> None:
    with anyio.fail_after(GUARD_S):
        async with (
            opened(environment, audit=AuditSettings(path=str(log)), limits={"code_bytes": 1_000}) as opening,
            opening.client("auto") as client,
        ):
            await execute(client, "1")
            await execute(client, "1/0")
            await execute(client, "raise SystemExit(3)")
            await execute(client, "while True: pass", timeout_s=0.3, session="s")
            await execute(client, "1", session="s")
            await execute(client, "#" * 2_000)
            opening.answer_after(0)
            held = await execute(client, "import time\ntime.sleep(100)", session="t")
            waits = await execute(client, "1", session="t")
            opening.answer_after(60)
            await execute(client, run=handle_in(waits[1]), cancel=True)
            await execute(client, run=handle_in(held[1]), cancel=True)
            opening.answer_after(0)
            await execute(client, f"call_tool('shop.hang', path={str(tmp_path / 'mark')!r})")
            await there(tmp_path / "mark")

    assert [line["outcome"] for line in lines(log)] == [
        *("ended", "raised", "exited", "deadline", "refused", "refused"),
        *("cancelled", "cancelled"),
        "cancelled",  # the server was stopped during the run
    ]
    assert lines(log)[-1]["calls"][0]["outcome"] == "unfinished"


async def test_an_audit_log_that_cannot_be_written_is_logged_and_does_not_fail_the_run(
    environment: Mapping[str, str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with anyio.fail_after(GUARD_S), caplog.at_level(logging.ERROR):
        async with (
            opened(environment, audit=AuditSettings(path=str(tmp_path / "missing" / "audit"))) as opening,
            opening.client("auto") as client,
        ):
            assert await execute(client, "42") == (False, "42")

    assert "cannot be written" in caplog.text


async def test_lines_of_runs_that_end_at_the_same_time_do_not_mix(log: Path) -> None:
    from codeact_bridges.values import RunResult, Value

    audits = [AuditLog(AuditSettings(path=str(log), values=True)) for _ in range(3)]
    result = RunResult("double", "none", 0.0, value=Value("text", "x" * 300_000))
    async with anyio.create_task_group() as tasks:
        for n in range(30):
            tasks.start_soon(audits[n % 3].record, f"r-{n}", "me", "code", result)

    assert sorted(line["run"] for line in lines(log)) == sorted(f"r-{n}" for n in range(30))


@pytest.fixture(scope="module")
def exporter() -> Generator[InMemorySpanExporter]:
    """The exporter that an operator would configure. A process cannot replace its provider, so it is set only once."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    yield exporter
    exporter.shutdown()


@pytest.fixture
async def opening(environment: Mapping[str, str], exporter: InMemorySpanExporter) -> AsyncGenerator[Opened]:
    async with opened(environment) as opening:
        yield opening


@pytest.mark.parametrize("era", ERAS)
async def test_a_run_and_each_of_its_calls_have_a_span_within_the_clients_trace(
    opening: Opened, exporter: InMemorySpanExporter, era: Era
) -> None:
    program = """
import asyncio
call_tool("shop.look")
await asyncio.gather(call_tool_async("shop.look", item="s3cret"), call_tool_async("shop.fail"), return_exceptions=True)
"""
    with anyio.fail_after(GUARD_S):
        async with opening.client(era) as client:
            exporter.clear()
            with trace.get_tracer("test").start_as_current_span("the client's own") as own:
                await execute(client, program)

    spans = exporter.get_finished_spans()
    (run,) = [span for span in spans if span.name == "codeact run"]
    calls = [span for span in spans if span.name == "codeact tool call"]
    assert run.parent is not None
    assert run.context is not None
    assert run.context.trace_id == own.get_span_context().trace_id
    assert run.attributes is not None
    assert (run.attributes["codeact.outcome"], run.attributes["codeact.tool_calls"]) == ("ended", 3)
    assert all(span.parent is not None and span.parent.span_id == run.context.span_id for span in calls)
    assert sorted((span.attributes or {})["codeact.tool"] for span in calls) == ["shop.fail", "shop.look", "shop.look"]  # type: ignore[type-var]
    assert [span.status.is_ok for span in calls].count(False) == 1
    ids = {call.context.span_id for call in calls if call.context is not None}
    sent = [span.name for span in spans if span.parent and span.parent.span_id in ids]
    assert len(sent) == 3, "the span of a downstream request is a child of its call's span"
    assert not any(span.events for span in (run, *calls)), "an exception's text may contain a tool's text"
    assert "s3cret" not in str([(span.name, span.attributes) for span in (run, *calls)])
