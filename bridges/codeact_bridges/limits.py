"""Every limit of a run: its unit, its reason, its setting (`codeact.limits.NAME`).

Imports nothing of ours.
"""

from pydantic import BaseModel, Field

KILL_GRACE_S = 0.5
"""Seconds that a worker may outlive its deadline: the time to notice it, and to kill and reap the process."""


class Limits(BaseModel, extra="forbid", frozen=True):
    """The limits of one run. The defaults suit a laptop and a model that reads the result."""

    deadline_s: float = Field(default=60.0, gt=0, le=86_400)
    """Seconds a run may take if the client requests no other deadline. MCP clients time out after 60 to 300 s."""

    max_deadline_s: float = Field(default=240.0, gt=0, le=86_400)
    """Maximum `timeout_s` that a client may request, in seconds. Claude Desktop ends every call after about 240 s."""

    deadline_counts_tools: bool = True
    """Whether waiting for tools counts towards the deadline. It always counts towards `total_s`."""

    total_s: float = Field(default=3_600.0, gt=0, le=86_400)
    """Seconds a run may take in total, including the waits for a person, which do not count towards the deadline. Never
    less than the deadline."""

    memory_mib: int = Field(default=128, ge=64, le=4096)
    """MiB of guest memory. Python and its standard library use about 40 of them before the program starts."""

    code_bytes: int = Field(default=1_000_000, gt=0, le=16_000_000)
    """Bytes of program text (UTF-8). A program contains logic; data comes through tools and files."""

    output_bytes: int | None = Field(default=None, ge=1_000, le=64_000_000)
    """Bytes of output, and separately of the value, that are sent to the client. None: as much as the client is known
    to show its model, and 8,000 where nothing is known. What is over is cut out of the middle, and stored."""

    kept_output_bytes: int = Field(default=16_000_000, ge=0, le=256_000_000)
    """Bytes of output that are stored per run, so that a later program or the client can fetch the part beyond
    `output_bytes`. A program that prints more gets an error that it can catch. 10 MB in a loop is well within."""

    kept_bytes: int = Field(default=64_000_000, ge=0, le=4_000_000_000)
    """Bytes of stored results, of all clients together. The oldest are deleted first."""

    message_bytes: int = Field(default=16_000_000, ge=100_000, le=256_000_000)
    """Bytes of one message between guest and host, and so of a tool call's arguments or result."""

    tool_calls: int = Field(default=500, ge=0)
    """Tool calls a run may make. A faulty loop must not flood a server."""

    tool_bytes: int = Field(default=256_000_000, ge=0)
    """Bytes of all tool results of one run. Far more than the guest can hold at once."""

    concurrent_calls: int = Field(default=32, ge=1, le=1_000)
    """Calls of one run in flight at once; further calls wait."""

    call_timeout_s: float = Field(default=30.0, gt=0, le=86_400)
    """Seconds one tool call may take. Then the guest gets an error that it can catch."""

    http_requests: int = Field(default=1_000, ge=0)
    """HTTP requests a run may make, including refused ones."""

    http_timeout_s: float = Field(default=60.0, gt=0, le=86_400)
    """Seconds one HTTP request may take, from the first DNS lookup to the last byte that the program reads, including
    redirects. A program may request less."""

    http_response_bytes: int = Field(default=100_000_000, ge=0)
    """Bytes of one response body after decompression. The guest's memory is smaller: write a large body to a file."""

    start_timeout_s: float = Field(default=20.0, gt=0, le=86_400)
    """Seconds a downstream server may take to start and list its tools. Node servers need 1 s, Python servers 4 s;
    `npx` and `uvx` need more if they install the server first."""
