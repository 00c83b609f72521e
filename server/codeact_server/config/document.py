"""A configuration file as plain data in which every value knows its place.

Reads, decodes and parses; what the values mean is decided in `config.py` and `dialects.py`. Errors name a value's
place and what is wrong with it, never the value: it may be a secret.
"""

import json
import math
import re
import stat
import tomllib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias, cast

from codeact_bridges.text import escaped
from codeact_bridges.values import JsonValue
from codeact_server.config.jsonc import without_comments

MAX_FILE_BYTES = 4_000_000
"""Largest file that is read. `~/.claude.json`, which also holds histories, is the largest in use: up to some MB."""

Key: TypeAlias = tuple[str | int, ...]
"""A value's place: the keys and indices that lead to it."""


class ConfigError(Exception):
    """The configuration cannot be used. Its text is one line: file, key, reason. Still usable: nothing has started."""

    def __init__(self, file: str, key: str, reason: str) -> None:
        super().__init__(": ".join(escaped(part) for part in (file, key, reason) if part))
        self.file, self.key, self.reason = file, key, reason


@dataclass(frozen=True, slots=True)
class Node:
    """One value in a configuration file: reads itself as one type, or raises `ConfigError` with its place."""

    file: str
    key: Key
    value: object = field(repr=False)

    def error(self, reason: str) -> ConfigError:
        return ConfigError(self.file, written(self.key), reason)

    def table(self) -> "dict[str, Node]":
        """The entries, without those that are null: JSON writers use it for what is not there."""
        value = self.value
        if not isinstance(value, dict):
            raise self.error(f"must be a table, not {_kind(value)}")
        entries = cast("dict[str, object]", value)
        if isinstance(entries, _JsonObject) and entries.twice is not None:
            raise self.child(entries.twice, None).error("written twice")
        return {key: self.child(key, value) for key, value in entries.items() if value is not None}

    def items(self) -> "list[Node]":
        value = self.value
        if not isinstance(value, list):
            raise self.error(f"must be a list, not {_kind(value)}")
        entries = cast("list[object]", value)
        return [self.child(index, value) for index, value in enumerate(entries)]

    def child(self, key: str | int, value: object) -> "Node":
        return Node(self.file, (*self.key, key), value)

    def text(self) -> str:
        if not isinstance(self.value, str):
            raise self.error(f"must be text, not {_kind(self.value)}")
        if "\0" in self.value or _is_broken(self.value):
            raise self.error("holds a NUL or half a surrogate pair, which no program or server can be given")
        return self.value

    def scalar(self) -> str:
        """Text, or a number or truth written as text: people write `PORT = 8080` for an environment variable."""
        match self.value:
            case bool():
                return str(self.value).lower()
            case int() | float():
                return str(self.plain())
            case _:
                return self.text()

    def flag(self) -> bool:
        if not isinstance(self.value, bool):
            raise self.error(f"must be true or false, not {_kind(self.value)}")
        return self.value

    def seconds(self) -> float:
        if isinstance(self.value, bool) or not isinstance(self.value, int | float):
            raise self.error(f"must be a number of seconds, not {_kind(self.value)}")
        if not 0 < self.value <= 86_400:
            raise self.error("must be more than 0 and at most 86400 seconds")
        return float(self.value)

    def plain(self) -> JsonValue:
        """Everything below as plain JSON data, checked for what JSON readers disagree on."""
        match self.value:
            case dict():
                return {key: node.plain() for key, node in self.table().items()}
            case list():
                return [node.plain() for node in self.items()]
            case str():
                return self.text()
            case float() if not math.isfinite(self.value):
                raise self.error("must be a finite number")
            case int() if abs(self.value) >= 1 << 63:
                raise self.error("too large a number")
            case None | bool() | int() | float():
                return self.value
            case _:
                raise self.error(f"must be text, a number, true or false, a list or a table, not {_kind(self.value)}")


def read(path: Path, shown: str) -> Node:
    """The root table of the file at `path`, which messages call `shown`."""
    parsers = {".toml": _parse_toml, ".json": _parse_json, ".jsonc": _parse_json}
    if (parse := parsers.get(path.suffix.lower())) is None:
        raise ConfigError(shown, "", "its name must end in .toml or .json, which says how to read it")
    text = _text_of(path, shown)
    try:
        root = Node(shown, (), parse(text, shown))
    except RecursionError:
        raise ConfigError(shown, "", "nested too deeply") from None
    if not isinstance(root.value, dict):
        raise ConfigError(shown, "", f"must hold a table at the top level, not {_kind(root.value)}")
    return root


def written(key: Key) -> str:
    """A place the way TOML and JavaScript write it: `mcpServers.github.args[1]`."""
    text = ""
    for part in key:
        if isinstance(part, str) and re.fullmatch(r"[A-Za-z0-9_-]{1,200}", part):
            text += f".{part}"
        else:
            text += f"[{json.dumps(part[:200] if isinstance(part, str) else part)}]"
    return text.removeprefix(".")


def _text_of(path: Path, shown: str) -> str:
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):  # opening a FIFO would wait for ever
            raise ConfigError(shown, "", "is a directory" if stat.S_ISDIR(mode) else "is not a regular file")
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as exc:
        raise ConfigError(shown, "", (exc.strerror or str(exc)).lower()) from exc
    except ValueError as exc:  # a NUL in the path
        raise ConfigError(shown, "", "not a usable path") from exc
    if len(data) > MAX_FILE_BYTES:
        raise ConfigError(shown, "", f"larger than {MAX_FILE_BYTES:,} bytes")
    try:
        return data.decode("utf-8-sig")  # Windows editors put a byte order mark in front
    except UnicodeDecodeError as exc:
        line = data.count(b"\n", 0, exc.start) + 1
        raise ConfigError(shown, f"line {line}", "not UTF-8 text") from exc


def _parse_toml(text: str, shown: str) -> object:
    try:
        return tomllib.loads(text)
    except ValueError as exc:
        reason, _, place = str(exc).partition(" (at line ")
        place = f"line {place.removesuffix(')')}" if place else ""
        raise ConfigError(shown, place, f"not valid TOML: {_lowered(reason)}") from exc


class _JsonObject(dict[str, object]):
    """A JSON object that remembers the first key which it holds twice.

    Only the parts of a file that we read are held to this: VS Code and Zed merely warn, and theirs are large.
    """

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        super().__init__(pairs)
        self.twice: str | None = None
        if len(self) < len(pairs):
            self.twice = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)


def _parse_json(text: str, shown: str) -> object:
    decoder = json.JSONDecoder(object_pairs_hook=_JsonObject)
    try:
        return decoder.decode(text)
    except ValueError:
        text = without_comments(text)
    try:
        return decoder.decode(text)
    except json.JSONDecodeError as exc:
        place = f"line {exc.lineno}, column {exc.colno}"
        raise ConfigError(shown, place, f"not valid JSON: {_lowered(exc.msg)}") from exc
    except ValueError as exc:  # an integer of more than 4,300 digits
        raise ConfigError(shown, "", "not valid JSON: a number is too long") from exc


def _is_broken(text: str) -> bool:
    return any("\ud800" <= char <= "\udfff" for char in text)


def _lowered(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def _kind(value: object) -> str:
    """What `value` is, in the words of a configuration file."""
    kinds = {"dict": "a table", "_JsonObject": "a table", "list": "a list", "str": "text", "bool": "true or false"}
    kinds |= {"int": "a number", "float": "a number", "NoneType": "null"}
    return kinds.get(type(value).__name__, "a date or a time")
