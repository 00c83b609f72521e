"""Runs a program as a notebook runs a cell: with top-level `await`, and the last expression's value as the result."""

import __future__

import ast
import asyncio
import gc
import inspect
import sys
import types
from collections.abc import Coroutine, Mapping

from codeact_guest import hints, loop, traceback_sources

_names: list[str] = []
"""The file names of the programs that ran in this guest, in order. A session runs several."""

_FUTURE_FLAGS = sum(
    getattr(__future__, name).compiler_flag for name in __future__.all_feature_names if name != "nested_scopes"
)


def is_first() -> bool:
    """Whether no program has run in this guest before."""
    return not _names


def current_name() -> str:
    """The file name of the running program in tracebacks."""
    return _names[-1] if _names else ""


def is_program(filename: str) -> bool:
    """Whether `filename` names a program that ran in this guest."""
    return filename in _names


def run(code: str, names: Mapping[str, object]) -> object:
    """Run the program and return the value of its last expression, or None. Its exceptions pass through."""
    name = f"program-{len(_names) + 1}.py" if _names else "program.py"
    _names.append(name)
    traceback_sources.remember(name, code)
    main = sys.modules["__main__"]
    if len(_names) == 1:
        main = sys.modules["__main__"] = types.ModuleType("__main__")
        main.__dict__.update(names)
    main.__dict__["__file__"] = name
    sys.argv = [name]
    compiled = parts(code, name)
    sys.set_coroutine_origin_tracking_depth(2)  # so that a warning can name the line of a coroutine never awaited
    try:
        value = _value(compiled, main.__dict__, code, name)
    except SystemExit:
        loop.name_and_drop_pending()
        raise
    loop.name_and_drop_pending()
    return value


def end() -> None:
    """Finalize the program's objects as the interpreter does at exit, so that their `__del__` methods run."""
    main = sys.modules["__main__"].__dict__
    for name in sorted(main, key=lambda name: not name.startswith("_")):
        if name != "__builtins__":
            main[name] = None
    gc.collect()


def rehearse(code: str, names: Mapping[str, object]) -> object:
    """Run and end one of our own programs, and leave no trace of it."""
    main, argv = sys.modules["__main__"], sys.argv
    try:
        return run(code, names)
    finally:
        end()
        sys.modules["__main__"], sys.argv = main, argv
        traceback_sources.forget(_names.pop())


def parts(code: str, name: str) -> list[types.CodeType]:
    """Compile the program; its last expression, if it ends with one, is a separate code object."""
    try:
        return _parts(code, name)
    except SyntaxError as exc:
        _complete(exc, code, name)
        raise


def _parts(code: str, name: str) -> list[types.CodeType]:
    tree = ast.parse(code, name)
    last: ast.Expression | None = None
    if tree.body and isinstance(tree.body[-1], ast.Expr):
        last = ast.Expression(tree.body.pop().value)
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    compiled = [compile(tree, name, "exec", flags=flags, dont_inherit=True)]
    if last is not None:
        future_flags = compiled[0].co_flags & _FUTURE_FLAGS  # `from __future__ import …` applies to the last line too
        compiled.append(compile(last, name, "eval", flags=flags | future_flags, dont_inherit=True))
    return compiled


def _complete(exc: SyntaxError, code: str, name: str) -> None:
    """Add the source line, which the compiler of a syntax tree does not know, and a hint to the error."""
    lines = code.splitlines(keepends=True)
    if exc.filename != name or not exc.lineno or not 0 < exc.lineno <= len(lines):
        return
    line = lines[exc.lineno - 1]
    if exc.text is None:
        exc.text = line
        exc.offset = _in_characters(line, exc.offset)
        if exc.end_lineno and exc.end_lineno <= len(lines):
            exc.end_offset = _in_characters(lines[exc.end_lineno - 1], exc.end_offset)
    exc.msg = f"{exc.msg}{hints.for_syntax(exc, line)}"


def _in_characters(line: str, offset: int | None) -> int | None:
    """Convert a column offset: a syntax tree counts bytes, `SyntaxError` characters."""
    return offset and len(line.encode()[: offset - 1].decode(errors="ignore")) + 1


def _value(compiled: list[types.CodeType], names: dict[str, object], code: str, name: str) -> object:
    if any(part.co_flags & inspect.CO_COROUTINE for part in compiled):
        with asyncio.Runner(loop_factory=loop.GuestLoop) as runner:
            return runner.run(_run_async(compiled, names, code, name))
    value: object = None
    for part in compiled:
        value = eval(part, names)
    if inspect.iscoroutine(value):
        with asyncio.Runner(loop_factory=loop.started_or_new) as runner:
            return runner.run(_awaiting(value, code, name))
    if isinstance(value, asyncio.Future):  # from `gather`, `create_task` …: it belongs to the loop that they started
        if value.get_loop().is_closed():
            return value.result() if value.done() else value
        return value.get_loop().run_until_complete(_awaiting(value, code, name))
    return value


async def _run_async(compiled: list[types.CodeType], names: dict[str, object], code: str, name: str) -> object:
    value: object = None
    for part in compiled:
        value = eval(part, names)
        if part.co_flags & inspect.CO_COROUTINE:
            value = await value
    if inspect.iscoroutine(value) or isinstance(value, asyncio.Future):
        return await _awaiting(value, code, name)
    return value


def _awaiting(value: object, code: str, name: str) -> Coroutine[object, object, object]:
    """Make a coroutine that awaits the last expression's value at that expression's place, for the traceback."""
    last = ast.parse(code).body[-1]
    tree = ast.Expression(ast.copy_location(ast.Await(ast.copy_location(ast.Name("value", ast.Load()), last)), last))
    return eval(compile(tree, name, "eval", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True), {"value": value})
