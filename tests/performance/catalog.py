"""What the catalog and the connections cost, printed next to what was promised.

    python tests/performance/catalog.py

Tokens are counted with OpenAI's o200k_base, as the package `rs-bpe` brings it (`pip install rs-bpe`: the vocabulary is
in the wheel, nothing is fetched). Other vendors' tokenizers count differently, and both columns alike.
"""

import importlib
import json
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import anyio
from mcp import Client, StdioServerParameters

from codeact_bridges.limits import Limits
from codeact_bridges.tools.bridge import ToolsBridge
from codeact_bridges.tools.catalog.catalog import Catalog, CatalogTool
from codeact_bridges.tools.downstream.tool_list import usable
from codeact_bridges.tools.spec import StdioServer
from codeact_server.protocol.arguments import input_schema
from codeact_server.protocol.description import describe_execute_code

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))
from tool_calls import call

SERVER = Path(__file__).parent / "sleeper.py"
CALLS = 400
QUERIES = (
    "create invoice",
    "list open issues of a repository",
    "serch custmer by email",
    "delete calendar event",
    "export report",
    "update",
)
VERBS = ("create", "get", "list", "update", "delete", "search", "export", "archive")
NOUNS = ("invoice", "customer", "issue", "repository", "calendar_event", "message", "report", "order", "file", "user")


def listed(tools: int) -> dict[str, list[dict[str, Any]]]:
    """Tool lists as servers send them: 50 tools each, with descriptions and schemas of the usual size."""
    servers: dict[str, list[dict[str, Any]]] = {}
    for number in range(tools):
        verb, noun = VERBS[number % len(VERBS)], NOUNS[number // len(VERBS) % len(NOUNS)]
        name = f"{verb}_{noun}" + (f"_{number // 80}" if number >= 80 else "")
        servers.setdefault(f"server{number // 50}", []).append(
            {
                "name": name,
                "description": f"{verb.capitalize()} a {noun.replace('_', ' ')}. Returns the {noun} with its id, state "
                f"and timestamps. Requires write access to the workspace it belongs to; see the guide on {noun}s.",
                "inputSchema": {
                    "type": "object",
                    "properties": {
                        "workspace": {"type": "string", "description": "Identifier of the workspace, as in its URL."},
                        f"{noun}_id": {"type": "integer", "description": f"The numeric id of the {noun}."},
                        "state": {"type": "string", "enum": ["open", "closed", "all"], "default": "open"},
                        "labels": {"type": "array", "items": {"type": "string"}, "description": "Labels to match."},
                        "limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 30},
                    },
                    "required": ["workspace"],
                    "additionalProperties": False,
                },
                "annotations": {"readOnlyHint": verb in {"get", "list", "search", "export"}},
            }
        )
    return servers


def catalog_of(lists: dict[str, list[dict[str, Any]]]) -> Catalog:
    from mcp.types import Tool

    parsed = {server: [Tool.model_validate(tool) for tool in tools] for server, tools in lists.items()}
    return Catalog.of({server: usable(server, tools) for server, tools in parsed.items()})


def best_ms(work: Callable[[], object], times: int = 5) -> float:
    """The shortest of several: what the work takes when nobody else does any."""
    taken: list[float] = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append(1_000 * (time.perf_counter() - began))
    return min(taken)


def report(what: str, found: str, promised: str) -> None:
    sys.stdout.write(f"{what:<58}{found:>14}   {promised}\n")
    sys.stdout.flush()


def measure_catalog() -> None:
    lists = listed(2_000)

    def build() -> Catalog:
        catalog = catalog_of(lists)
        catalog.search("warm")
        return catalog

    catalog = catalog_of(lists)
    began = time.perf_counter()
    catalog.search("invoice")
    index_ms = 1_000 * (time.perf_counter() - began)
    report("catalog of 2,000 tools, from parsed lists", f"{best_ms(lambda: catalog_of(lists)):.0f} ms", "")
    report("  its search index, made at the first search", f"{index_ms:.0f} ms", "")
    report("  both", f"{best_ms(build, 3):.0f} ms", "at most 300 ms")
    report("  every signature", f"{best_ms(lambda: [t.signature for t in catalog_of(lists).tools], 3):.0f} ms", "")
    slowest = max(best_ms(partial(catalog.search, query)) for query in QUERIES)
    report("search over 2,000 tools, slowest of six", f"{slowest:.1f} ms", "at most 5 ms")


async def timed(call: Callable[[], Awaitable[object]]) -> list[float]:
    for _ in range(50):
        await call()
    taken: list[float] = []
    for _ in range(CALLS):
        began = time.perf_counter()
        await call()
        taken.append(1_000 * (time.perf_counter() - began))
    return taken


async def measure_calls() -> None:
    spec = StdioServer(name="sleeper", command=sys.executable, args=(str(SERVER),))
    parameters = StdioServerParameters(command=spec.command, args=list(spec.args))
    async with ToolsBridge([spec]) as tools, Client(parameters, mode="legacy", cache=None) as client:
        await tools.wait_settled()
        ours: list[float] = []
        theirs: list[float] = []
        for _ in range(3):  # in turns, so that a busy machine is busy for both
            ours += await timed(lambda: call(tools, "sleeper.sleep", {"seconds": 0}))
            theirs += await timed(lambda: client.call_tool("sleep", {"seconds": 0}))
        report("call of a tool over stdio, median", f"{statistics.median(ours):.2f} ms", "")
        report("  the same with mcp.Client", f"{statistics.median(theirs):.2f} ms", "")
        more = statistics.median(ours) - statistics.median(theirs)
        report("  the difference", f"{more:+.2f} ms", "at most +0.3 ms")

        began = time.perf_counter()
        async with anyio.create_task_group() as calls:
            for number in range(50):
                calls.start_soon(call, tools, "sleeper.sleep", {"seconds": 0.5 + number / 100})
        ratio = (time.perf_counter() - began) / 0.99
        report("50 calls at once of 0.5 to 0.99 s, to the slowest", f"{ratio:.2f}", "at most 1.2")


def measure_tokens() -> None:
    try:
        tokens = tokenizer()
    except ImportError:
        sys.stdout.write("\nNo tokens are counted: pip install rs-bpe\n")
        return
    sys.stdout.write("\nTokens (o200k_base) of what a model reads before its first program\n\n")
    sys.stdout.write(f"{'tools':>6}{'plain tool lists':>20}{'execute_code':>16}{'plus one search':>18}\n")
    for number in (5, 50, 500, 2_000):
        plain, ours, told = (tokens(text) for text in before_the_first_program(number))
        sys.stdout.write(f"{number:>6,}{plain:>20,}{ours:>16,}{told:>18,}\n")
    sys.stdout.write("\nThe search's column has its ten rows and the description of the first.\n")


def tokenizer() -> Callable[[str], int]:
    """Counts tokens of o200k_base. Raises `ImportError` where it is not installed."""
    count: Callable[[str], int] = cast(Any, importlib.import_module("rs_bpe.bpe")).openai.o200k_base().count
    return count


def before_the_first_program(number: int) -> tuple[str, str, str]:
    """What a model reads of that many tools: as plain lists, as `execute_code`, and as that with one search."""
    lists = listed(number)
    plain = [
        {"name": f"{server}__{tool['name']}", "description": tool["description"], "input_schema": tool["inputSchema"]}
        for server, tools in lists.items()
        for tool in tools
    ]
    catalog = catalog_of(lists)
    ours = json.dumps(
        {
            "name": "execute_code",
            "description": describe_execute_code(catalog),
            "input_schema": input_schema(Limits()),
        }
    )
    found = [_row(tool) for tool in catalog.search("open issues of a repository")]
    return json.dumps(plain), ours, f"{ours}\n{json.dumps(found)}\n{catalog.describe(found[0]['name'])}"


def _row(tool: CatalogTool) -> dict[str, str]:
    return {"name": tool.full_name, "signature": tool.signature.line, "summary": tool.summary}


if __name__ == "__main__":
    measure_catalog()
    anyio.run(measure_calls)
    measure_tokens()
