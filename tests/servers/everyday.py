"""An ordinary downstream server: `MCPServer`, over stdio, streamable HTTP or SSE.

    python everyday.py stdio
    python everyday.py http|http-json|sse PORT

With port 0 it uses a free one; `http-json` responds with plain JSON. Over HTTP it prints its URL as the first line.
"""

import base64
import socket
import sys
from typing import Annotated

import anyio
import uvicorn
from mcp.server.mcpserver import (
    AcceptedElicitation,
    Context,
    Elicit,
    ElicitationResult,
    ListRoots,
    MCPServer,
    Resolve,
    Sample,
)
from mcp.types import (
    CallToolResult,
    CreateMessageResult,
    ImageContent,
    ListRootsResult,
    ResourceLink,
    SamplingMessage,
    TextContent,
    ToolAnnotations,
)
from pydantic import BaseModel

server = MCPServer("everyday")


class Person(BaseModel):
    name: str
    age: int


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
async def add(a: int, b: int = 2) -> int:
    """Add two numbers."""
    return a + b


@server.tool()
async def people() -> list[Person]:
    """Two people."""
    return [Person(name="Ada", age=36), Person(name="Alan", age=41)]


@server.tool()
async def text(size: int) -> str:
    """A text of `size` characters."""
    return "x" * size


@server.tool(structured_output=False)
async def json_text() -> str:
    """A list, as text."""
    return '[{"id": 1}, {"id": 2}]'


@server.tool()
async def picture() -> CallToolResult:
    """A picture and its title."""
    data = base64.b64encode(b"\x89PNG").decode()
    return CallToolResult(
        content=[TextContent(text="a title"), ImageContent(data=data, mime_type="image/png")],
    )


@server.tool()
async def fail() -> CallToolResult:
    """Fails."""
    return CallToolResult(content=[TextContent(text="the shop is closed")], is_error=True)


@server.tool()
async def sleep() -> str:
    """Never return."""
    await anyio.sleep_forever()
    return "never"


@server.tool()
async def talk_then(size: int, ctx: Context) -> str:
    """Send a notification first, so that over HTTP the response is an SSE event of `size` characters."""
    await ctx.session.send_tool_list_changed()
    return "x" * size


@server.tool()
async def learn(name: str, ctx: Context) -> str:
    """Add a tool of this name, and notify clients of both eras."""

    async def added() -> str:
        return f"I am {name}"

    server.add_tool(added, name=name, description=f"Added {name}.")
    await ctx.notify_tools_changed()
    await ctx.session.send_tool_list_changed()
    return "learned"


@server.tool()
async def stroll(steps: int, ctx: Context) -> str:
    """Report progress for each step."""
    for step in range(1, steps + 1):
        await ctx.report_progress(step, steps, f"step {step}")
    return "there"


@server.tool()
async def remark(text: str, ctx: Context) -> str:
    """Send `text` as a log message."""
    await ctx.info(text)  # pyright: ignore[reportDeprecated]
    return "said"


class Confirmation(BaseModel):
    sure: bool


async def ask(what: str) -> Elicit[Confirmation]:
    return Elicit(f"Really {what}?", Confirmation)


@server.tool()
async def confirm(what: str, answer: Annotated[ElicitationResult[Confirmation], Resolve(ask)]) -> str:
    """Ask the user for confirmation."""
    sure = isinstance(answer, AcceptedElicitation) and answer.data.sure
    return f"{what}: {'yes' if sure else answer.action}"


async def sample(what: str) -> Sample:
    message = SamplingMessage(role="user", content=TextContent(text=f"A rhyme on {what}"))
    return Sample([message], max_tokens=50, include_context="allServers")


@server.tool()
async def rhyme(what: str, sampled: Annotated[CreateMessageResult, Resolve(sample)]) -> str:
    """Return a rhyme by the client's model."""
    return f"{what}: {sampled.content.text if isinstance(sampled.content, TextContent) else ''}"


async def roots() -> ListRoots:
    return ListRoots()


@server.tool()
async def where(found: Annotated[ListRootsResult, Resolve(roots)]) -> list[str]:
    """The client's roots."""
    return [str(root.uri) for root in found.roots]


@server.resource("memo://today", mime_type="text/markdown")
async def today() -> str:
    return "# Today\nNothing."


@server.tool()
async def memo() -> CallToolResult:
    """Return a link to a text."""
    return CallToolResult(content=[ResourceLink(uri="memo://today", name="today", mime_type="text/markdown")])


@server.tool(structured_output=False)
async def rows() -> str:
    """Return rows as a Python literal."""
    return str([{"id": 1, "name": "Ada", "gone": None}, {"id": 2, "name": "Alan's", "gone": True}])


def main() -> None:
    if sys.argv[1] == "stdio":
        server.run()
        return
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", int(sys.argv[2])))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    if sys.argv[1].startswith("http"):
        app, path = server.streamable_http_app(json_response=sys.argv[1] == "http-json"), "/mcp"
    else:
        app, path = server.sse_app(), "/sse"
    listener.listen()
    sys.stdout.write(f"{url}{path}\n")
    sys.stdout.flush()
    config = uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
