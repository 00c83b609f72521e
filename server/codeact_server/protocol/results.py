"""Render a run's result as the content blocks that the client's model reads. Pure.

Text only, never `structuredContent`: Claude Code and Codex would show the model that part alone, and Gemini CLI only
the text (measured). Each part begins with its mark, such as `[result]`; only printed output that comes first has none.

- The first text is never JSON, unless it is an object: Gemini CLI takes such a text for structured content, and refuses
  everything but an object (measured).
- Every text ends with a line end: Copilot CLI joins them with nothing between (measured).
- A short result reads in the order in which it came about: printed, displayed, files, value. Of a long one, clients
  show the beginning. So it is written the other way round: first the value or the failure, and where the whole is.
"""

import re
from base64 import b64decode
from collections.abc import Callable, Sequence

from mcp import types

from codeact_bridges.values import CallRecord, Media, Output, Printed, ProducedFile, ResultLink, RunResult, Value

META_KEY = "codeact-mcp/run"
"""The key in the result's `_meta` for the run's facts: engine, isolation, duration, number of calls."""

PREPARING = "preparing the sandbox, once"
"""What a run does that waits for the guest to be compiled, or for the first micro-VM: the first run on a machine."""

MAX_CALLS_NAMED = 20
"""Lines of the call report, equal calls counted as one. The last calls are named, earlier ones are counted."""

SHORT_BYTES = 2_000
"""Bytes of text in a short result. Every client measured shows so many whole; the shortest preview of a longer result
is that of Copilot CLI, with 500 characters."""

_JSON_WORDS = {"true", "false", "null", "NaN", "Infinity", "-Infinity"}
_JSON_NUMBER = re.compile(r"-?\d[\d.eE+-]*")


def call_tool_result(run: RunResult, *, links: bool = False, resumed: bool = False) -> types.CallToolResult:
    """Render a finished run.

    `links`: the client reads blocks that link to a resource. `resumed`: earlier answers had the output before this.
    """
    printed: list[types.ContentBlock] = [_printed(run.output, _left_out)] if run.output.pieces else []
    outcome: list[types.ContentBlock] = []
    if run.value is not None:
        outcome.append(_text("[result]\n" + _value(run.value)))
    if run.failure is not None:
        outcome.append(_text("\n".join(["[failed] " + run.failure.message.rstrip("\n"), *call_report(run.calls)])))
    displayed = [_displayed(each) for each in run.displayed]
    files = _produced(run.produced, links=links)
    if not (printed or displayed or files or outcome):
        outcome.append(_text(f"(no {'further ' if resumed else ''}output, and the last line has no value)"))
    for link in run.stored:
        outcome.extend(_stored(link, links=links))
    if run.session is not None:
        outcome.append(_text(_session(run.session, run.session_state)))
    facts = {
        "engine": run.engine,
        "isolation": run.isolation,
        "duration_ms": round(run.duration_s * 1000, 1),
        "tool_calls": len(run.calls),
    }
    if run.failure is not None:
        facts["failure"] = run.failure.kind
    content = _arranged(printed, displayed, files, outcome)
    return types.CallToolResult(content=content, is_error=run.failure is not None, _meta={META_KEY: facts})


def still_running(
    handle: str, output: Output, calls: int, *, asks: bool, preparing: bool = False
) -> types.CallToolResult:
    """Render a run that takes longer than its client waits. `asks`: the run is waiting for a decision of the user.

    `preparing`: its program has not begun, because the sandbox is being prepared.
    """
    printed: list[types.ContentBlock] = [_printed(output, _left_out_so_far)] if output.pieces else []
    state = PREPARING if preparing else "still running"
    if asks:
        state = "waiting for the user to allow a tool call; the user is asked again when you keep waiting"
    next_step = (
        f'Call execute_code(run="{handle}") to keep waiting for the result, '
        f'or execute_code(run="{handle}", cancel=true) to stop the run.'
    )
    outcome = _text(f"[{state}; {calls} tool {'call' if calls == 1 else 'calls'} so far] {next_step}")
    content = _arranged(printed, [outcome])
    return types.CallToolResult(content=content, _meta={META_KEY: {"run": handle, "state": "running"}})


def refused(sentence: str) -> types.CallToolResult:
    """Render the reason why a request was not carried out."""
    return types.CallToolResult(content=[_text(sentence)], is_error=True)


def _arranged(*groups: list[types.ContentBlock]) -> list[types.ContentBlock]:
    """Join the parts of a result, given in the order in which they came about; a long result the other way round."""
    size = sum(_size(block) for group in groups for block in group)
    content = [block for group in (groups if size <= SHORT_BYTES else groups[::-1]) for block in group]
    # Printed output is the first part: alone there, its mark can go.
    first = content[0]
    if isinstance(first, types.TextContent) and not _is_bare_json(text := first.text.removeprefix("[stdout]\n")):
        content[0] = _text(text)
    return content


def _size(block: types.ContentBlock) -> int:
    match block:
        case types.TextContent():
            return len(block.text.encode())
        case types.EmbeddedResource(resource=types.TextResourceContents(text=text)):
            return len(text.encode())
        case _:
            return 0


def _is_bare_json(text: str) -> bool:
    """Whether a JSON parser may take the whole text for a list, a string, a number, a boolean or null.

    Looks at both ends only, as parsers differ in what they accept between them. Text of white space alone, in
    Unicode's sense, counts as well: the API of Anthropic refuses it.
    """
    if not text.strip():
        return True
    text = text.strip(" \t\r\n")
    between = (text[:1], text[-1:])
    return between in {("[", "]"), ('"', '"')} or text in _JSON_WORDS or bool(_JSON_NUMBER.fullmatch(text))


def _printed(output: Output, note: Callable[[int, bool], str]) -> types.TextContent:
    parts: list[str] = []
    stream = ""

    def add(pieces: Sequence[Printed]) -> None:
        nonlocal stream
        for piece in pieces:
            if piece.stream != stream:
                stream = piece.stream
                add_line(f"[{stream}]")
            parts.append(piece.text)

    def add_line(line: str) -> None:
        parts.append(("" if not parts or parts[-1].endswith("\n") else "\n") + line + "\n")

    add(output.pieces)
    if output.cut_bytes:
        add_line(note(output.cut_bytes, output.stored))
    add(output.tail)
    return _text("".join(parts))


def _value(value: Value) -> str:
    if not value.cut_bytes:
        return value.text
    line_end = "" if value.text.endswith("\n") else "\n"
    return f"{value.text}{line_end}{_left_out(value.cut_bytes, value.stored)}\n{value.tail}"


def _left_out(cut_bytes: int, stored: bool) -> str:
    if stored:
        return f"[{cut_bytes:,} bytes left out here; the line that begins with [stored] says how to read them]"
    return f"[{cut_bytes:,} bytes left out here and not stored; to see them, print or return less at once]"


def _left_out_so_far(cut_bytes: int, stored: bool) -> str:
    return f"[{cut_bytes:,} bytes left out here; the result of the run will say how to read them]"


def _displayed(item: Value | Media) -> types.ContentBlock:
    match item:
        case Value():
            return _text("[displayed]\n" + _value(item))
        case Media(kind="image"):
            return types.ImageContent(data=item.base64, mime_type=item.mime_type)
        case Media(kind="audio"):
            return types.AudioContent(data=item.base64, mime_type=item.mime_type)
        case _:
            uri = item.uri or "codeact:///displayed"
            contents = types.BlobResourceContents(uri=uri, blob=item.base64, mime_type=item.mime_type)
            return types.EmbeddedResource(resource=contents)


def _produced(files: Sequence[ProducedFile], *, links: bool) -> list[types.ContentBlock]:
    """List the files for the model, then add one block for each whose content comes along: an image or a text."""
    if not files:
        return []
    lines = [f"{file.path} ({file.size_bytes:,} bytes, {file.mime_type}): {file.uri}" for file in files]
    contents = [_file_content(file) for file in files if links or file.base64 is not None]
    return [_text("\n".join(["[files]", *lines])), *contents]


def _file_content(file: ProducedFile) -> types.ContentBlock:
    if file.base64 is None:
        return types.ResourceLink(uri=file.uri, name=file.path, mime_type=file.mime_type, size=file.size_bytes)
    if file.mime_type.startswith("image/"):
        return types.ImageContent(data=file.base64, mime_type=file.mime_type)
    text = b64decode(file.base64).decode()
    return types.EmbeddedResource(
        resource=types.TextResourceContents(uri=file.uri, text=text, mime_type=file.mime_type)
    )


def _stored(link: ResultLink, *, links: bool) -> list[types.ContentBlock]:
    hint = f'[stored] {link.what}, {link.size_bytes:,} bytes: read it in a later program with load_result("{link.uri}")'
    block = types.ResourceLink(uri=link.uri, name=link.what, mime_type=link.mime_type, size=link.size_bytes)
    return [_text(hint), *([block] if links else [])]


def _session(name: str, state: str) -> str:
    match state:
        case "lost":
            return f"[session {name!r} and its variables are lost: pass reset=true to start it again]"
        case "began empty":
            return f"[session {name!r} started empty; pass session={name!r} to continue it]"
        case _:
            return f"[session {name!r} continued]"


def call_report(calls: Sequence[CallRecord]) -> list[str]:
    """List a failed run's calls: the model must know which took effect and which it may repeat."""
    if not calls:
        return []
    # Equal lines are counted, because a loop's calls all read the same. Order: by the last call of each line.
    counted: dict[str, int] = {}
    for call in calls:
        line = f"- {call.tool}: {_outcome(call)}"
        counted[line] = counted.pop(line, 0) + 1
    named = list(counted.items())[-MAX_CALLS_NAMED:]
    lines = [f"Tool calls made before the failure: {len(calls)}"]
    if (earlier := len(calls) - sum(times for _, times in named)) > 0:
        lines.append(f"- … {earlier} earlier calls")
    lines += [f"{line}, {times} times" if times > 1 else line for line, times in named]
    sent = [call for call in calls if call.sent and not call.read_only]
    if not sent:
        lines.append("None of them changed anything. The whole program can be run again.")
    if any(call.outcome == "ok" for call in sent):
        lines.append("Completed calls took effect. Do not repeat them; continue after them.")
    if any(call.outcome != "ok" for call in sent):
        lines.append("Failed or interrupted calls may have taken effect. Check before repeating them.")
    not_allowed = [call for call in calls if call.decision.startswith("deny")]
    if any(not call.asked_again for call in not_allowed):
        lines.append("Calls that the configuration does not allow will be refused again.")
    if any(call.asked_again for call in not_allowed):
        lines.append("Calls that were not approved need approval again. Repeat them only if the user wants that.")
    return lines


def _outcome(call: CallRecord) -> str:
    if not call.sent:
        return "not allowed, not sent" if call.decision.startswith("deny") else "not sent"
    effects = "read-only" if call.read_only else "may have taken effect"
    match call.outcome:
        case "ok":
            return "done" + (" (read-only)" if call.read_only else "")
        case "error":
            return f"failed ({effects})"
        case "unfinished":
            return f"interrupted ({effects})"


def _text(text: str) -> types.TextContent:
    return types.TextContent(text=text if text.endswith("\n") else text + "\n")
