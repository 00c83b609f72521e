"""Hints that are added to common errors: how to write in this sandbox what works elsewhere."""

import re
from collections.abc import Iterator

from codeact_guest import host

_NOT_AWAITED = re.compile(r"'(?:coroutine|Future|Task|_asyncio\.\w+|_GatheringFuture)'|type '?coroutine\b")
"""The type names by which error messages show that a value was not awaited."""
_NOT_AWAITABLE = re.compile(r"'await' expression|can't be awaited|awaitable is required|coroutine was expected")
_AWAITING = re.compile(r"\b(?:await\s|(?:gather|create_task|ensure_future|wait_for|wait|as_completed|run)\()")
_BLOCKING = re.compile(r"\b(call_tool|http_request|http_get|http_post|search_tools|describe_tool|list_tools)\(")
_ASYNC_FORMS = {"call_tool": "call_tool_async", "http_request": "http_request_async"}
_COMPILES = re.compile(r"\b(?:eval|exec|compile|parse|literal_eval)\(")
_FOUND_TOOLS = 20
"""How many found tools are compared with a name that the program may have meant."""


def for_error(exc: BaseException, line: str) -> str:
    """Return the hint to append to the message of `exc`, or ""; `line` is the program's line that raised it."""
    if isinstance(exc, MemoryError):
        # CPython's parser raises it, too, for an expression that is nested too deeply.
        return "" if str(exc) or _COMPILES.search(line) else "memory is limited by codeact.limits.memory_mib"
    if isinstance(exc, TypeError) and (_NOT_AWAITABLE.search(str(exc)) or "unhashable" in str(exc)):
        several = (
            "; to await several, write await asyncio.gather(*calls)" if "'list' object can't be" in str(exc) else ""
        )
        return _for_awaited(line) or several  # "unhashable": `gather` uses its arguments as keys before it checks them
    if isinstance(exc, TypeError | AttributeError) and _NOT_AWAITED.search(str(exc)):
        return "; write `await` before it to get its value"
    if isinstance(exc, NameError) and not isinstance(exc, UnboundLocalError) and exc.name:
        return _for_name(exc.name, line)
    return ""


def for_syntax(exc: SyntaxError, line: str) -> str:
    """Return the hint to append to the message of a `SyntaxError` in the program, or ""; `line` is the wrong line."""
    line, message = line.strip(), str(exc.msg)
    if line.startswith(("```", "~~~")):
        return "; a program is plain Python: remove the Markdown fences (```)"
    if re.match(r"[%!]{1,2}\s*(?:\w+\s+-m\s+)?(?:uv\s+)?(?:pip|conda|mamba)\b|(?:python\S* -m )?pip3? install\b", line):
        return (
            "; a program is plain Python and cannot install packages: the operator lists them in the setting "
            "codeact.packages"
        )
    if line.startswith(("%", "!")):
        return "; a program is plain Python: notebook commands and shell commands do not work"
    if message == "'return' outside function":
        return "; to return a result, write the value alone as the program's last line"
    if message == "'await' outside async function":
        return "; `await` works at the top level of a program and inside an `async def`"
    return ""


def _for_awaited(line: str) -> str:
    blocking = _BLOCKING.search(line)
    if blocking is None or not _AWAITING.search(line):
        return ""
    name = blocking[1]
    instead = f", or use {_ASYNC_FORMS[name]}(…)" if name in _ASYNC_FORMS else ""
    return f"; {name}(…) has waited and returned a value: remove `await`{instead}"


def _for_name(name: str, line: str) -> str:
    try:
        tools = list(dict.fromkeys(_meant(name, line)))[:3]
    except Exception:
        return ""
    calls = " or ".join(f'call_tool("{tool}", …)' for tool in tools)
    return f"\ntools are called by name: write {calls}" if calls else ""


def _meant(name: str, line: str) -> Iterator[str]:
    """The tools that a program may have meant by a name or by its attribute. Calls the host at most three times."""
    attributes = _attributes(name, line)
    known = _names(host.call("tools.search", query=" ".join([name, *attributes]), server=None, limit=_FOUND_TOOLS))
    exact = [tool for tool in known if tool in [f"{name}.{each}" for each in attributes]]
    exact = exact or [tool for tool in known if tool.partition(".")[2] == name]
    if exact or not attributes:
        yield from exact
        return
    of_server = _names(host.call("tools.search", query=attributes[0], server=name, limit=3))
    yield from of_server or _names(host.call("tools.list", server=name))


def _attributes(name: str, line: str) -> list[str]:
    return re.findall(rf"\b{re.escape(name)}\.(\w+)", line)


def _names(rows: list[dict[str, str]]) -> list[str]:
    return [row["name"] for row in rows]
