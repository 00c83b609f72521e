"""The shape of a tool's results, for tools without an output schema: types and keys, never values.

    list[{"id": int, "title": str, "closed"?: str | None}]

Shapes are taken from results, merged, and bounded. An object whose keys are data rather than names (addresses, dates,
numbers) becomes `dict[str, …]`, since its keys may be confidential. Pure.
"""

import re
from dataclasses import dataclass
from typing import cast

from codeact_bridges.text import cut, one_line
from codeact_bridges.values import Data, JsonValue, Media, ToolParts, ToolValue

MAX_DEPTH = 5
MAX_KEYS = 24
MAX_ITEMS = 20
"""Items of a list that are inspected: enough to see which keys are optional."""

MAX_KEY = 40
MAX_TEXT = 800

_A_NAME = re.compile(r"[^\W\d][\w $.:/-]*")
_IS_DATA = re.compile(r"[0-9]{3}|[0-9a-f]{8}-|[/\\]{2}|\.[A-Za-z]{2,}$")
"""Ids, dates, addresses, file names."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The observed types of a value. Two shapes merge into one."""

    scalars: frozenset[str] = frozenset()
    items: "Shape | None" = None
    """The shape of its items, if it was a list."""
    keys: "dict[str, Shape] | None" = None
    """The shapes of its fields, if it was an object."""
    sometimes: frozenset[str] = frozenset()
    """Optional keys: those that some values lacked."""
    values: "Shape | None" = None
    """The shape of its values, if it was an object whose keys are data."""

    def __str__(self) -> str:
        return cut(_text(self), MAX_TEXT)


def shape_of(value: ToolValue) -> Shape:
    """The shape of one result."""
    match value:
        case Data(inner):
            return _shape(inner, 0)
        case Media(kind):
            return Shape(frozenset({kind.capitalize()}))
        case ToolParts(parts):
            return Shape(items=_merge_all([shape_of(part) for part in parts[:MAX_ITEMS]]))
        case _:
            return Shape(frozenset({"Link"}))


def merged(one: Shape, other: Shape) -> Shape:
    """The shape that covers both."""
    if one == other:
        return one
    items = _either(one.items, other.items)
    values = _either(one.values, other.values)
    if one.keys is None or other.keys is None:
        keys, sometimes = (one.keys if one.keys is not None else other.keys), one.sometimes | other.sometimes
    else:
        ours, theirs = one.keys, other.keys
        names = list(dict.fromkeys((*ours, *theirs)))
        if len(names) > MAX_KEYS and len(names) > len(ours) + MAX_KEYS // 2:
            # Few keys in common: so the keys are data.
            all_of_them = _merge_all([*ours.values(), *theirs.values()][: 2 * MAX_KEYS])
            return Shape(one.scalars | other.scalars, items, None, frozenset(), _either(values, all_of_them))
        names = names[:MAX_KEYS]
        keys = {
            name: merged(ours[name], theirs[name])
            if name in ours and name in theirs
            else (ours.get(name) or theirs[name])
            for name in names
        }
        sometimes = (one.sometimes | other.sometimes | (ours.keys() ^ theirs.keys())) & keys.keys()
    return Shape(one.scalars | other.scalars, items, keys, frozenset(sometimes), values)


def plain(shape: Shape) -> JsonValue:
    """`shape` as JSON, for the file."""
    found: dict[str, JsonValue] = {}
    if shape.scalars:
        found["scalars"] = cast("list[JsonValue]", sorted(shape.scalars))
    if shape.items is not None:
        found["items"] = plain(shape.items)
    if shape.keys is not None:
        found["keys"] = {key: plain(inner) for key, inner in shape.keys.items()}
    if shape.sometimes:
        found["sometimes"] = cast("list[JsonValue]", sorted(shape.sometimes))
    if shape.values is not None:
        found["values"] = plain(shape.values)
    return found


def from_plain(found: object, depth: int = 0) -> Shape:
    """The shape in the JSON that `plain` made. Raises ValueError if it is not one."""
    if not isinstance(found, dict) or depth > 2 * MAX_DEPTH:
        raise ValueError("not a shape")
    parts = cast("dict[str, object]", found)
    keys = parts.get("keys")
    if keys is not None and not isinstance(keys, dict):
        raise ValueError("not a shape")
    named = None if keys is None else list(cast("dict[str, object]", keys).items())[:MAX_KEYS]
    return Shape(
        _words(parts.get("scalars")),
        from_plain(parts["items"], depth + 1) if "items" in parts else None,
        None if named is None else {one_line(key, MAX_KEY): from_plain(inner, depth + 1) for key, inner in named},
        _words(parts.get("sometimes")),
        from_plain(parts["values"], depth + 1) if "values" in parts else None,
    )


def _words(found: object) -> frozenset[str]:
    if found is None:
        return frozenset()
    if not isinstance(found, list):
        raise ValueError("not a shape")  # noqa: TRY004  # it is a file's content that is wrong
    return frozenset(one_line(str(word), MAX_KEY) for word in cast("list[object]", found)[: 2 * MAX_KEYS])


def _shape(value: JsonValue, depth: int) -> Shape:
    if depth >= MAX_DEPTH:
        return Shape(frozenset({"Any"}))
    if isinstance(value, dict):
        if not all(map(_is_a_name, list(value)[: 10 * MAX_KEYS])):
            return Shape(values=_merge_all([_shape(inner, depth + 1) for inner in list(value.values())[:MAX_ITEMS]]))
        shown = list(value.items())[:MAX_KEYS]
        return Shape(keys={key: _shape(inner, depth + 1) for key, inner in shown})
    if isinstance(value, list):
        return Shape(items=_merge_all([_shape(item, depth + 1) for item in value[:MAX_ITEMS]]))
    return Shape(frozenset({"None" if value is None else type(value).__name__}))


def _is_a_name(key: str) -> bool:
    """Whether a key looks like a name that a programmer chose."""
    return len(key) <= MAX_KEY and _A_NAME.fullmatch(key) is not None and _IS_DATA.search(key) is None


def _either(one: Shape | None, other: Shape | None) -> Shape | None:
    return merged(one, other) if one and other else one or other


def _merge_all(shapes: list[Shape]) -> Shape:
    result = shapes[0] if shapes else Shape()
    for shape in shapes[1:]:
        result = merged(result, shape)
    return result


def _text(shape: Shape) -> str:
    kinds = sorted(shape.scalars - {"None"})
    if shape.keys is not None:
        fields = (
            f'"{key}"{"?" if key in shape.sometimes else ""}: {_text(inner)}' for key, inner in shape.keys.items()
        )
        kinds.append(f"{{{', '.join(fields)}}}")
    if shape.values is not None:
        kinds.append("dict" if shape.values == Shape() else f"dict[str, {_text(shape.values)}]")
    if shape.items is not None:
        kinds.append("list" if shape.items == Shape() else f"list[{_text(shape.items)}]")
    return " | ".join(kinds + ["None"] * ("None" in shape.scalars)) or "Any"
