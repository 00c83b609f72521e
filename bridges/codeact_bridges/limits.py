"""Every limit of a run, in one place: its unit, its reason, its setting (`codeact.limits.NAME`).

Imports nothing of ours.
"""

from pydantic import BaseModel, Field

KILL_GRACE_S = 0.5
"""How long after its deadline a worker may still exist: the time to see it, kill it and collect the process."""


class Limits(BaseModel, extra="forbid", frozen=True):
    """What one run may use. Defaults suit a laptop and a model that reads the result."""

    deadline_s: float = Field(default=60.0, gt=0, le=86_400)
    """Seconds a run may take when the client names none. MCP clients give up between 60 and 300 s."""

    max_deadline_s: float = Field(default=240.0, gt=0, le=86_400)
    """Seconds a client may ask for with `timeout_s`. Claude Desktop ends a call after about 240 s whatever we do."""

    deadline_counts_tools: bool = True
    """Whether the time in which a program waits for tools counts towards its deadline. Towards `total_s` it does."""

    total_s: float = Field(default=3_600.0, gt=0, le=86_400)
    """Seconds a run may take in all, with its waits for a person, which its deadline does not count. Never less than
    the deadline."""

    memory_mib: int = Field(default=128, ge=64, le=4096)
    """MiB of guest memory, of which Python and its standard library take about 40 before the program starts."""

    code_bytes: int = Field(default=1_000_000, gt=0, le=16_000_000)
    """Bytes of program text (UTF-8). A program carries logic; data comes through tools and files."""

    output_bytes: int = Field(default=64_000, ge=1_000, le=64_000_000)
    """Bytes of printed output, and separately of the value, that reach the client. Claude Code, the most generous
    client measured, shows a model 100 kB at most and a file beyond that."""

    kept_output_bytes: int = Field(default=16_000_000, ge=0, le=256_000_000)
    """Bytes of printed output that a run keeps, for a later program or the client to fetch what is over `output_bytes`.
    A program that prints more gets an error that it can catch. 10 MB in a loop is well within."""

    kept_bytes: int = Field(default=64_000_000, ge=0, le=4_000_000_000)
    """Bytes of results that are kept for all clients together, until the oldest go."""

    message_bytes: int = Field(default=16_000_000, ge=100_000, le=256_000_000)
    """Bytes of one message between guest and host, so of one tool's arguments or result."""

    tool_calls: int = Field(default=500, ge=0)
    """Tool calls a run may make. A loop that went wrong must not hammer somebody's server."""

    tool_bytes: int = Field(default=256_000_000, ge=0)
    """Bytes that all tools together may give one run. Far more than the guest can hold at once."""

    concurrent_calls: int = Field(default=32, ge=1, le=1_000)
    """Calls of one run under way at once; further ones wait their turn."""

    call_timeout_s: float = Field(default=30.0, gt=0, le=86_400)
    """Seconds one tool call may take. After that the guest gets an error it can catch."""

    http_requests: int = Field(default=1_000, ge=0)
    """HTTP requests a run may make, refused ones included."""

    http_timeout_s: float = Field(default=60.0, gt=0, le=86_400)
    """Seconds one HTTP request may take, from the first name that is looked up to the last byte that the program has
    fetched, redirects included. A program may ask for less."""

    http_response_bytes: int = Field(default=100_000_000, ge=0)
    """Bytes of one response's body after decompression. The guest's memory is smaller: a large body goes to a file."""

    start_timeout_s: float = Field(default=20.0, gt=0, le=86_400)
    """Seconds a downstream server may take to start and list its tools. Node servers need 1 s, Python ones 4, and
    `npx` or `uvx` more when they have to install it first."""
