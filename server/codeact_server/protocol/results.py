"""From the result of a run to what the client's model reads. Pure.

Text only, never `structuredContent`: Claude Code and Codex would show the model that part alone, and Gemini CLI only
the text (measured). What needs telling apart is marked `[stderr]`, `[result]`, `[failed]`; a lone result stands as it
is.
"""

from base64 import b64decode
from collections.abc import Sequence

from mcp import types

from codeact_bridges.values import CallRecord, Media, Output, ProducedFile, ResultLink, RunResult, Value

META_KEY = "codeact-mcp/run"
"""Where the result's `_meta` says how the program ran."""

MAX_CALLS_NAMED = 20


def call_tool_result(run: RunResult) -> types.CallToolResult:
    """What the client gets for a run that is over."""
    content: list[types.ContentBlock] = []
    printed = _printed(run.output)
    if printed:
        content.append(_text(printed))
    content.extend(_shown(each) for each in run.displayed)
    content.extend(_produced(run.produced))
    if run.value is not None:
        content.append(_text(("[result]\n" if content else "") + _value(run.value)))
    if run.failure is not None:
        content.append(_text("\n".join(["[failed] " + run.failure.message.rstrip("\n"), *call_report(run.calls)])))
    if not content:
        content.append(_text("(nothing was printed, and the last line has no value)"))
    for link in run.kept:
        content.extend(_kept(link))
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


def still_running(handle: str, output: Output, calls: int, *, asks: bool) -> types.CallToolResult:
    """The answer where a run goes on for longer than its client waits. `asks`: it waits for the client's user."""
    content: list[types.ContentBlock] = []
    printed = _printed(output)
    if printed:
        content.append(_text(printed))
    how = f'execute_code(run="{handle}") waits on for its result, execute_code(run="{handle}", cancel=true) stops it'
    state = (
        "waiting for the user to allow a tool call; they are asked again when you wait on" if asks else "still running"
    )
    content.append(_text(f"[{state}; {calls} tool {'call' if calls == 1 else 'calls'} so far] {how}"))
    return types.CallToolResult(content=content, _meta={META_KEY: {"run": handle, "state": "running"}})


def refused(sentence: str) -> types.CallToolResult:
    """The answer to a request that was not carried out."""
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
        text += f"\n[{output.cut_bytes:,} more bytes were printed and are cut: print less, or return a summary]"
    return text


def _value(value: Value) -> str:
    if value.cut_bytes:
        return f"{value.text}\n[{value.cut_bytes:,} more bytes are cut: return less, or a summary]"
    return value.text


def _shown(shown: Value | Media) -> types.ContentBlock:
    match shown:
        case Value():
            return _text(_value(shown))
        case Media(kind="image"):
            return types.ImageContent(data=shown.base64, mime_type=shown.mime_type)
        case Media(kind="audio"):
            return types.AudioContent(data=shown.base64, mime_type=shown.mime_type)
        case _:
            uri = shown.uri or "codeact:///displayed"
            contents = types.BlobResourceContents(uri=uri, blob=shown.base64, mime_type=shown.mime_type)
            return types.EmbeddedResource(resource=contents)


def _produced(files: Sequence[ProducedFile]) -> list[types.ContentBlock]:
    """The files by name for the model to read, then what there is of each: a picture, a text, or where it lies."""
    if not files:
        return []
    lines = [f"{file.path} ({file.size_bytes:,} bytes, {file.mime_type})" for file in files]
    return [_text("\n".join(["[files]", *lines])), *(_content(file) for file in files)]


def _content(file: ProducedFile) -> types.ContentBlock:
    if file.base64 is None:
        return types.ResourceLink(uri=file.uri, name=file.path, mime_type=file.mime_type, size=file.size_bytes)
    if file.mime_type.startswith("image/"):
        return types.ImageContent(data=file.base64, mime_type=file.mime_type)
    text = b64decode(file.base64).decode()
    return types.EmbeddedResource(
        resource=types.TextResourceContents(uri=file.uri, text=text, mime_type=file.mime_type)
    )


def _kept(link: ResultLink) -> list[types.ContentBlock]:
    said = f'[kept] {link.what}, {link.size_bytes:,} bytes: a later program reads it with load_result("{link.uri}")'
    return [
        _text(said),
        types.ResourceLink(uri=link.uri, name=link.what, mime_type=link.mime_type, size=link.size_bytes),
    ]


def _session(name: str, state: str) -> str:
    match state:
        case "lost":
            return f"[session {name!r} is lost with its variables: pass reset=true to begin it anew]"
        case "began empty":
            return f"[session {name!r} began empty; pass session={name!r} to go on in it]"
        case _:
            return f"[session {name!r} went on]"


def call_report(calls: Sequence[CallRecord]) -> list[str]:
    """After a failure the model must know what has already happened, and what it may do again."""
    if not calls:
        return []
    # Counted, because a loop's calls all read the same; in the order of their last ones.
    counted: dict[str, int] = {}
    for call in calls:
        line = f"- {call.tool}: {_outcome(call)}"
        counted[line] = counted.pop(line, 0) + 1
    named = list(counted.items())[-MAX_CALLS_NAMED:]
    lines = [f"Tool calls that the program made before: {len(calls)}"]
    if (others := len(calls) - sum(times for _, times in named)) > 0:
        lines.append(f"- … {others} earlier ones")
    lines += [f"{line}, {times} times" if times > 1 else line for line, times in named]
    sent = [call for call in calls if call.sent and not call.read_only]
    if not sent:
        lines.append("None of them changed anything: the program can be run again as a whole.")
    if any(call.outcome == "ok" for call in sent):
        lines.append("What is done stays done: do not repeat those calls, go on after them.")
    if any(call.outcome != "ok" for call in sent):
        lines.append("Of what failed or was cut off nobody knows how far it came: find out before you repeat it.")
    if any(call.decision.startswith("deny") for call in calls):
        lines.append("What was not allowed will not be allowed the next time either, unless the user says so.")
    return lines


def _outcome(call: CallRecord) -> str:
    if not call.sent:
        return "not allowed, not sent" if call.decision.startswith("deny") else "not sent"
    effects = "only reads" if call.read_only else "may have had effects"
    match call.outcome:
        case "ok":
            return "done" + (" (only reads)" if call.read_only else "")
        case "error":
            return f"failed ({effects})"
        case "unfinished":
            return f"cut off ({effects})"


def _text(text: str) -> types.TextContent:
    return types.TextContent(text=text)
