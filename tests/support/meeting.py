"""Tools that prove that calls, or runs, go on at the same time. Not a test."""

from collections.abc import Mapping

import anyio

from codeact_bridges.errors import DownstreamFailed
from codeact_bridges.testing import ScriptedTools, echo
from codeact_bridges.values import Data, JsonValue, ToolValue


class Meeting:
    """A tool `meet` that returns when `size` calls of it are under way at once, and `wait`, which never does."""

    def __init__(self, size: int = 1) -> None:
        self.here = self.most = self.cancelled = 0
        self._size = size
        self._all_here = anyio.Event()
        self.tools = ScriptedTools({"t.meet": self.meet, "t.wait": self.wait, "t.echo": echo, "t.fail": self.fail})

    async def meet(self, arguments: Mapping[str, JsonValue]) -> ToolValue:
        self.here += 1
        self.most = max(self.most, self.here)
        if self.here == self._size:
            self._all_here.set()
        await self._all_here.wait()
        self.here -= 1
        return Data(arguments.get("i"))

    async def wait(self, _: Mapping[str, JsonValue]) -> ToolValue:
        try:
            await anyio.sleep_forever()
        except anyio.get_cancelled_exc_class():
            self.cancelled += 1
            raise
        raise AssertionError

    async def fail(self, arguments: Mapping[str, JsonValue]) -> ToolValue:
        raise DownstreamFailed("t", "fail", str(arguments.get("i")))
