"""How a result shows the files that a run wrote."""

import base64

from mcp import types

from codeact_bridges.values import ProducedFile, RunResult
from codeact_server.protocol.results import call_tool_result


def made(path: str, mime_type: str, content: bytes | None) -> ProducedFile:
    along = None if content is None else base64.b64encode(content).decode()
    return ProducedFile(path, f"file:///home/me{path}", 1_234, mime_type, along)


def test_files_are_listed_and_small_ones_come_as_content_of_their_kind() -> None:
    files = (
        made("/out/plot.png", "image/png", b"\x89PNG"),
        made("/out/note.txt", "text/plain", "ü".encode()),
        made("/out/all.csv", "text/csv", None),
    )

    run = RunResult("wasmtime", "", 0.0, produced=files)
    listed, image, text, link = call_tool_result(run, links=True).content

    assert isinstance(listed, types.TextContent)
    assert listed.text.splitlines() == [
        "[files]",
        "/out/plot.png (1,234 bytes, image/png): file:///home/me/out/plot.png",
        "/out/note.txt (1,234 bytes, text/plain): file:///home/me/out/note.txt",
        "/out/all.csv (1,234 bytes, text/csv): file:///home/me/out/all.csv",
    ]
    assert isinstance(image, types.ImageContent)
    assert isinstance(text, types.EmbeddedResource)
    assert isinstance(text.resource, types.TextResourceContents)
    assert text.resource.text == "ü"
    assert isinstance(link, types.ResourceLink)
    assert (link.uri, link.name, link.size) == ("file:///home/me/out/all.csv", "/out/all.csv", 1_234)
    assert call_tool_result(run).content == [listed, image, text]


def test_the_result_of_a_run_without_files_has_no_files_heading() -> None:
    (only,) = call_tool_result(RunResult("wasmtime", "", 0.0)).content

    assert isinstance(only, types.TextContent)
    assert "[files]" not in only.text
