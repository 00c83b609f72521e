"""Render a run's result as the content blocks that the client's model reads. Pure.

Text only, never `structuredContent`: Claude Code and Codex would show the model that part alone, and Gemini CLI only
the text (measured). Parts are marked `[stderr]`, `[result]`, `[failed]` where there are several; a value that is the
only part has no mark.
"""

from base64 import b64decode
from collections.abc import Sequence

from mcp import types

from codeact_bridges.values import CallRecord, Media, Output, ProducedFile, ResultLink, RunResult, Value

META_KEY = "codeact-mcp/run"
"""The key in the result's `_meta` for the run's facts: engine, isolation, duration, number of calls."""

PREPARING = "preparing the sandbox, once"
"""What a run does that waits for the guest to be compiled, or for the first micro-VM: the first run on a machine."""

MAX_CALLS_NAMED = 20
"""Lines of the call report, equal calls counted as one. The last calls are named, earlier ones are counted."""


def call_tool_result(run: RunResult) -> types.CallToolResult:
    """Render a finished run."""
    content: list[types.ContentBlock] = []
    printed = _printed(run.output)
    if printed:
        content.append(_text(printed))
    content.extend(_displayed(each) for each in run.displayed)
    content.extend(_produced(run.produced))
    if run.value is not None:
        content.append(_text(("[result]\n" if content else "") + _value(run.value)))
    if run.failure is not None:
        content.append(_text("\n".join(["[failed] " + run.failure.message.rstrip("\n"), *call_report(run.calls)])))
    if not content:
        content.append(_text("(no output, and the last line has no value)"))
    for link in run.stored:
        content.extend(_stored(link))
    if run.session is not None:
        content.append(_text(_session(run.session, run.session_state)))
    facts = {
        "engine": run.engine,
        "isolation": run.isolation,
        "duration_ms": round(run.duration_s * 1000, 1),
        "tool_calls": len(run.calls),
    }
    if run.failure is not None:
        facts["failure"] = run.failure.kind
    return types.CallToolResult(content=content, is_error=run.failure is not None, _meta={META_KEY: facts})


def still_running(
    handle: str, output: Output, calls: int, *, asks: bool, preparing: bool = False
) -> types.CallToolResult:
    """Render a run that takes longer than its client waits. `asks`: the run is waiting for a decision of the user.

    `preparing`: its program has not begun, because the sandbox is being prepared.
    """
    content: list[types.ContentBlock] = []
    printed = _printed(output)
    if printed:
        content.append(_text(printed))
    state = PREPARING if preparing else "still running"
    if asks:
        state = "waiting for the user to allow a tool call; the user is asked again when you keep waiting"
    next_step = (
        f'Call execute_code(run="{handle}") to keep waiting for the result, '
        f'or execute_code(run="{handle}", cancel=true) to stop the run.'
    )
    content.append(_text(f"[{state}; {calls} tool {'call' if calls == 1 else 'calls'} so far] {next_step}"))
    return types.CallToolResult(content=content, _meta={META_KEY: {"run": handle, "state": "running"}})


def refused(sentence: str) -> types.CallToolResult:
    """Render the reason why a request was not carried out."""
    return types.CallToolResult(content=[_text(sentence)], is_error=True)


def _printed(output: Output) -> str:
    parts: list[str] = []
    stream = "stdout"
    for piece in output.pieces:
        if piece.stream != stream:
            stream = piece.stream
            parts.append(("" if not parts or parts[-1].endswith("\n") else "\n") + f"[{stream}]\n")
        parts.append(piece.text)
    text = "".join(parts).removesuffix("\n")
    if output.cut_bytes:
        text += f"\n[{output.cut_bytes:,} more bytes of output were cut: print less, or return a summary]"
    return text


def _value(value: Value) -> str:
    if value.cut_bytes:
        return f"{value.text}\n[{value.cut_bytes:,} more bytes were cut: return less, or a summary]"
    return value.text


def _displayed(item: Value | Media) -> types.ContentBlock:
    match item:
        case Value():
            return _text(_value(item))
        case Media(kind="image"):
            return types.ImageContent(data=item.base64, mime_type=item.mime_type)
        case Media(kind="audio"):
            return types.AudioContent(data=item.base64, mime_type=item.mime_type)
        case _:
            uri = item.uri or "codeact:///displayed"
            contents = types.BlobResourceContents(uri=uri, blob=item.base64, mime_type=item.mime_type)
            return types.EmbeddedResource(resource=contents)


def _produced(files: Sequence[ProducedFile]) -> list[types.ContentBlock]:
    """List the files by name for the model, then add one block for each: image, text, or a link to the file."""
    if not files:
        return []
    lines = [f"{file.path} ({file.size_bytes:,} bytes, {file.mime_type})" for file in files]
    return [_text("\n".join(["[files]", *lines])), *(_file_content(file) for file in files)]


def _file_content(file: ProducedFile) -> types.ContentBlock:
    if file.base64 is None:
        return types.ResourceLink(uri=file.uri, name=file.path, mime_type=file.mime_type, size=file.size_bytes)
    if file.mime_type.startswith("image/"):
        return types.ImageContent(data=file.base64, mime_type=file.mime_type)
    text = b64decode(file.base64).decode()
    return types.EmbeddedResource(
        resource=types.TextResourceContents(uri=file.uri, text=text, mime_type=file.mime_type)
    )


def _stored(link: ResultLink) -> list[types.ContentBlock]:
    hint = f'[stored] {link.what}, {link.size_bytes:,} bytes: read it in a later program with load_result("{link.uri}")'
    return [
        _text(hint),
        types.ResourceLink(uri=link.uri, name=link.what, mime_type=link.mime_type, size=link.size_bytes),
    ]


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
    return types.TextContent(text=text)
