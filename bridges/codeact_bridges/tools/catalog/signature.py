"""Python signatures of tools, made from their JSON schemas: the form in which models write calls best.

    github.search(query: str, state: Literal["open", "closed"] = "open", *, page: int = ...) -> list[Issue]
    Issue = {"id": int, "title": str, "labels"?: list[str]}

A default that the schema does not give is `...`; a key with `?` is optional. Bounded for any schema. Pure.
"""

import json
import keyword
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from codeact_bridges.text import cut, one_line
from codeact_bridges.tools.catalog.schema import Schema, deref, mapping, properties, required, sequence, wrapped_result

MAX_PARAMETERS = 40
MAX_FIELDS = 24
"""Fields of an object that are shown; further fields, and parameters above `MAX_PARAMETERS`, become `...`."""

MAX_OBJECTS = 12
"""Objects with a line of their own; further ones are shown as `dict`."""

MAX_NODES = 300
"""Schema nodes that are visited; beyond them everything is `Any`."""

MAX_DEPTH = 6
MAX_CHOICES = 16
MAX_NAME = 64
MAX_FULL_NAME = 200
"""Of a tool: its server's name has 64 characters at most and its own 128. A name that is cut cannot be called."""

MAX_LITERAL = 48

_SCALARS = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}


@dataclass(frozen=True, slots=True)
class Signature:
    """The signature of a tool, and the objects that occur in it."""

    line: str
    """`server.tool(query: str, limit: int = 30) -> list[Issue]`"""
    objects: tuple[str, ...] = ()
    """`Issue = {"id": int, "title": str}`, one line for each."""

    def __str__(self) -> str:
        return "\n".join((self.line, *self.objects))


def signature_of(name: str, input_schema: Schema, output_schema: Schema | None) -> Signature:
    """The signature of the tool `name`. Never fails: an unknown type is `Any`."""
    inputs = _Types(input_schema)
    text = f"{one_line(name, MAX_FULL_NAME)}({_parameters(input_schema, inputs)})"
    objects = dict(inputs.objects)
    if output_schema is not None:
        inner = wrapped_result(output_schema)
        outputs = _Types(output_schema, taken=objects)
        text += f" -> {outputs.text(output_schema if inner is None else inner, 'Result')}"
        objects |= outputs.objects
    return Signature(text, tuple(f"{key} = {value}" for key, value in objects.items()))


def type_text(schema: object, root: Schema) -> str:
    """One type, with objects shown as `dict`: for error messages."""
    return _Types(schema=root, most_objects=0).text(schema, "Value")


def _parameters(schema: Schema, types: "_Types") -> str:
    needed = required(schema)
    found = properties(schema)
    ordered = sorted(found, key=lambda name: name not in needed)  # stable: the author's order otherwise
    plain: list[str] = []
    awkward: list[str] = []
    for name in ordered[:MAX_PARAMETERS]:
        text = types.text(found[name], name)
        if name.isidentifier() and not keyword.iskeyword(name) and len(name) <= MAX_NAME:
            plain.append(f"{name}: {text}" + ("" if name in needed else f" = {_default(found[name], types)}"))
        else:
            awkward.append(f"{_quoted(name)}{'' if name in needed else '?'}: {text}")
    if len(ordered) > MAX_PARAMETERS:
        plain.append("...")
    if awkward:
        plain.append(f"**{{{', '.join(awkward)}}}")
    if not found and schema.get("additionalProperties", True) is not False and (needed or "properties" not in schema):
        plain.append("**arguments: Any")
    return ", ".join(plain)


def _default(schema: object, types: "_Types") -> str:
    own = mapping(schema)
    found = own if "default" in own else deref(schema, types.schema)
    return _literal(found["default"]) if "default" in found else "..."


@dataclass(slots=True)
class _Types:
    """Renderer of the types of one schema. Collects its objects."""

    schema: Schema
    taken: Mapping[str, str] = field(default_factory=dict[str, str])
    """Names of objects that are taken."""
    most_objects: int = MAX_OBJECTS
    objects: dict[str, str] = field(default_factory=dict[str, str])
    _names: dict[int, str] = field(default_factory=dict[int, str])
    """The name of each object by its identity, so that rendering a recursive object ends."""
    _nodes: int = 0

    def text(self, schema: object, hint: str, depth: int = 0) -> str:
        self._nodes += 1
        ref = mapping(schema).get("$ref")
        if isinstance(ref, str):
            hint = ref.rsplit("/", 1)[-1]
        found = deref(schema, self.schema)
        if self._nodes > MAX_NODES or depth > MAX_DEPTH or not found:
            return "Any"
        text = self._text(found, hint, depth)
        return f"{text} | None" if found.get("nullable") is True and "None" not in text.split(" | ") else text

    def _text(self, schema: Schema, hint: str, depth: int) -> str:
        if "const" in schema:
            return f"Literal[{_literal(schema['const'])}]"
        if choices := sequence(schema.get("enum")):
            shown = ", ".join(_literal(choice) for choice in choices[:MAX_CHOICES])
            return f"Literal[{shown}{', ...' if len(choices) > MAX_CHOICES else ''}]"
        for combined in ("anyOf", "oneOf"):
            if branches := sequence(schema.get(combined)):
                return _union(self.text(branch, hint, depth + 1) for branch in branches[:MAX_CHOICES])
        if merged := self._merged(schema):
            return self._text(merged, hint, depth)
        if kinds := sequence(schema.get("type")):
            return _union(self._of_kind(kind, schema, hint, depth) for kind in kinds[:MAX_CHOICES])
        kind = schema.get("type")
        if kind is None:
            kind = "object" if "properties" in schema else "array" if "items" in schema else None
        return self._of_kind(kind, schema, hint, depth)

    def _of_kind(self, kind: object, schema: Schema, hint: str, depth: int) -> str:
        if kind == "object":
            return self._object(schema, hint, depth)
        if kind == "array":
            if parts := sequence(schema.get("prefixItems")):
                return f"tuple[{', '.join(self.text(part, hint, depth + 1) for part in parts[:MAX_CHOICES])}]"
            item = self.text(schema.get("items"), _singular(hint), depth + 1)
            return "list" if item == "Any" else f"list[{item}]"
        return _SCALARS.get(kind, "Any") if isinstance(kind, str) else "Any"

    def _object(self, schema: Schema, hint: str, depth: int) -> str:
        if known := self._names.get(id(schema)):
            return known
        fields = properties(schema)
        if not fields:
            value = self.text(schema.get("additionalProperties"), hint, depth + 1)
            return "dict" if value == "Any" else f"dict[str, {value}]"
        if len(self._names) >= self.most_objects:
            return "dict"
        title = schema.get("title")
        name = self._free_name(title if isinstance(title, str) and len(title) <= MAX_NAME else hint)
        self._names[id(schema)] = name
        self.objects[name] = "..."  # a placeholder, so that the lines are in the order of first use
        needed = required(schema)
        shown = [
            f"{_quoted(key)}{'' if key in needed else '?'}: {self.text(value, key, depth + 1)}"
            for key, value in list(fields.items())[:MAX_FIELDS]
        ]
        if len(fields) > MAX_FIELDS:
            shown.append("...")
        self.objects[name] = f"{{{', '.join(shown)}}}"
        return name

    def _merged(self, schema: Schema) -> Schema | None:
        """The parts of an `allOf` merged into one schema."""
        parts = [deref(part, self.schema) for part in sequence(schema.get("allOf"))[:MAX_CHOICES]]
        if not parts:
            return None
        merged: dict[str, Any] = {}
        for part in (*parts, {key: value for key, value in schema.items() if key != "allOf"}):
            both = {**properties(merged), **properties(part)}
            needed = [*required(merged), *required(part)]
            merged |= {key: value for key, value in part.items() if key != "allOf"}
            merged |= {"properties": both, "required": needed} if both else {}
        return merged

    def _free_name(self, hint: str) -> str:
        base = "".join(word[:1].upper() + word[1:] for word in re.findall(r"[A-Za-z0-9]+", hint))[:MAX_NAME] or "Object"
        base = f"T{base}" if base[0].isdigit() else base
        name, number = base, 2
        while name in self.taken or name in self.objects:
            name, number = f"{base}{number}", number + 1
        return name


def _union(texts: Iterable[str]) -> str:
    parts = list(dict.fromkeys(part for text in texts for part in _alternatives(text)))
    if "Any" in parts:
        return "Any"
    return " | ".join([part for part in parts if part != "None"] + (["None"] if "None" in parts else []))


def _alternatives(text: str) -> list[str]:
    return [text] if "[" in text or '"' in text else text.split(" | ")


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return f"{word[:-3]}y"
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 2 else word


def _literal(value: object) -> str:
    match value:
        case bool() | None:
            return repr(value)
        case str():
            return _quoted(value, MAX_LITERAL)
        case int() | float():
            return cut(repr(value) if -(10**40) < value < 10**40 else "...", MAX_LITERAL)
        case [] | ():
            return "[]"
        case _ if value == {}:
            return "{}"
        case _:
            return "..."


def _quoted(text: str, limit: int = MAX_NAME) -> str:
    return json.dumps(one_line(text, limit), ensure_ascii=False)
