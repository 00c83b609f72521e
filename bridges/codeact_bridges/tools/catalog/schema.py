"""Access to an untrusted JSON schema.

Checks whether a schema is usable, follows its local references, and reads its parts without trusting their types.
Remote references are never fetched. `signature` renders a schema as Python; `argument_check` checks arguments against
it. Pure.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, cast
from urllib.parse import unquote

Schema: TypeAlias = Mapping[str, Any]
"""A JSON schema that is an object; `true` and `false` count as `{}`."""

MAX_NODES = 20_000
"""Objects and arrays in one schema. The largest schema among 32 public servers has 2,100."""

MAX_DEPTH = 64
"""Levels of nesting. Real schemas have fewer than 20; a deeper one is an attempt to overflow a stack."""

MAX_REFS = 16
"""References followed in a chain. A longer chain counts as a loop."""

_TYPES = frozenset({"null", "boolean", "object", "array", "number", "string", "integer"})


def why_unusable(schema: object) -> str | None:
    """Why this input schema cannot be used to describe and check calls; None if it can."""
    if not isinstance(schema, Mapping):
        return f"the input schema is {type(schema).__name__}, not an object"
    root = cast(Schema, schema)
    if root.get("type", "object") != "object":
        return f"the input schema is of type {root.get('type')!r}, not 'object'"
    return _why_malformed(root)


def mapping(value: object) -> Schema:
    """`value` if it is a JSON object, else an empty one."""
    return cast(Schema, value) if isinstance(value, Mapping) else {}


def sequence(value: object) -> Sequence[Any]:
    """`value` if it is a JSON array, else an empty one."""
    return cast("Sequence[Any]", value) if isinstance(value, list | tuple) else ()


def properties(schema: Schema) -> Schema:
    """The properties that a schema names, by name."""
    return mapping(schema.get("properties"))


def required(schema: Schema) -> frozenset[str]:
    """The names of the required properties."""
    return frozenset(name for name in sequence(schema.get("required")) if isinstance(name, str))


def deref(schema: object, root: Schema) -> Schema:
    """`schema`, or the target of its `$ref` in `root`; empty if the target is missing, a loop or not in `root`."""
    found = mapping(schema)
    for _ in range(MAX_REFS):
        ref = found.get("$ref")
        if ref is None:
            return found
        found = mapping(_pointed_to(ref, root))
    return {}


def wrapped_result(output_schema: Schema | None) -> Schema | None:
    """The schema of `x` if the server declares that it wraps every result as `{"result": x}`, else None.

    `mcp` does so, without a mark, for a tool that does not return an object: the schema has `result` as its only
    property, and requires it. fastmcp adds `x-fastmcp-wrap-result`.
    """
    if output_schema is None:
        return None
    named = properties(output_schema)
    if "result" not in named:
        return None
    marked = output_schema.get("x-fastmcp-wrap-result") is True
    alone = len(named) == 1 and "result" in required(output_schema)
    return mapping(named["result"]) if marked or alone else None


def _pointed_to(ref: object, root: Schema) -> object:
    if not isinstance(ref, str) or not ref.startswith("#"):
        return None
    node: object = root
    for part in unquote(ref[1:]).split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(node, Mapping):
            node = mapping(cast(object, node)).get(key)
        elif isinstance(node, list) and key.isdecimal() and len(key) < 6:
            items = cast("list[object]", node)
            node = items[int(key)] if int(key) < len(items) else None
        else:
            return None
    return node


def _why_malformed(root: Schema) -> str | None:
    """Why this is not a valid schema. Visits each node once, within the bounds."""
    waiting: list[tuple[object, int, bool]] = [(root, 0, True)]
    seen = 0
    while waiting:
        node, depth, is_schema = waiting.pop()
        seen += 1
        if seen > MAX_NODES:
            return f"the input schema has more than {MAX_NODES:,} objects and arrays"
        if depth > MAX_DEPTH:
            return f"the input schema is nested more than {MAX_DEPTH} levels deep"
        if isinstance(node, Mapping):
            schema = cast(Schema, node)
            if is_schema and (wrong := _why_wrong_here(schema)):
                return wrong
            for key, value in schema.items():
                if isinstance(value, Mapping | list):
                    # The keys under these are names, which may be "type" or "required".
                    names = is_schema and key in {"properties", "patternProperties", "$defs", "definitions"}
                    data = not is_schema or key in {"default", "enum", "const", "examples", "example"}
                    inner = mapping(cast(object, value)).values() if names else (cast(object, value),)
                    waiting += [(part, depth + 1, not data) for part in inner]
        elif isinstance(node, list):
            waiting += [
                (part, depth + 1, is_schema) for part in cast("list[object]", node) if isinstance(part, Mapping | list)
            ]
    return None


def _why_wrong_here(schema: Schema) -> str | None:
    kind = schema.get("type")
    kinds: Sequence[object] = (
        () if kind is None else sequence(cast(object, kind)) if isinstance(kind, list) else (kind,)
    )
    if unknown := [one for one in kinds if not isinstance(one, str) or one not in _TYPES]:
        return f"the input schema has the type {str(unknown[0])[:40]!r}, which JSON Schema does not define"
    if not isinstance(schema.get("properties", {}), Mapping):
        return "the 'properties' in the input schema are not an object"
    # Draft 3 and many hand-written schemas have `"required": true` on a property: wrong, but harmless.
    if not isinstance(schema.get("required", []), list | bool):
        return "the 'required' in the input schema is not a list"
    return None
