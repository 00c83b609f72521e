"""A configuration file as plain data in which every value knows its key.

Reads, decodes and parses. `load.py` and `dialects.py` interpret the values. Errors name the key and the problem, never
the value: it may be a secret.
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
"""Maximum file size. The largest file in use is `~/.claude.json`, which also stores histories: up to some MB."""

Key: TypeAlias = tuple[str | int, ...]
"""The position of a value: the keys and indices that lead to it."""


class ConfigError(Exception):
    """The configuration cannot be used. The message is one line: file, key, reason. Nothing has been started."""

    def __init__(self, file: str, key: str, reason: str) -> None:
        super().__init__(": ".join(escaped(part) for part in (file, key, reason) if part))
        self.file, self.key, self.reason = file, key, reason


@dataclass(frozen=True, slots=True)
class Node:
    """One value in a configuration file. Its methods return it as one type, or raise `ConfigError` with its key."""

    file: str
    key: Key
    value: object = field(repr=False)

    def error(self, reason: str) -> ConfigError:
        return ConfigError(self.file, key_text(self.key), reason)

    def table(self) -> "dict[str, Node]":
        """The entries, without those that are null: JSON writers use null for a missing value."""
        value = self.value
        if not isinstance(value, dict):
            raise self.error(f"must be a table, not {_kind(value)}")
        entries = cast("dict[str, object]", value)
        if isinstance(entries, _JsonObject) and entries.duplicate is not None:
            raise self.child(entries.duplicate, None).error("is defined twice")
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
            raise self.error("contains a NUL or an unpaired surrogate, which no program or server can be given")
        return self.value

    def scalar(self) -> str:
        """Text; also a number or a boolean, as text: people write `PORT = 8080` for an environment variable."""
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
        """The whole value as plain JSON data, without numbers and text on which JSON readers disagree."""
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
                raise self.error("is too large a number")
            case None | bool() | int() | float():
                return self.value
            case _:
                raise self.error(f"must be text, a number, true or false, a list or a table, not {_kind(self.value)}")


def read(path: Path, shown: str) -> Node:
    """Read the file at `path` and return its root table. Messages call the file `shown`."""
    parsers = {".toml": _parse_toml, ".json": _parse_json, ".jsonc": _parse_json}
    if (parse := parsers.get(path.suffix.lower())) is None:
        raise ConfigError(shown, "", "the file name must end in .toml, .json or .jsonc")
    text = _text_of(path, shown)
    try:
        root = Node(shown, (), parse(text, shown))
    except RecursionError:
        raise ConfigError(shown, "", "is nested too deeply") from None
    if not isinstance(root.value, dict):
        raise ConfigError(shown, "", f"must contain a table at the top level, not {_kind(root.value)}")
    return root


def key_text(key: Key) -> str:
    """Return `key` as TOML and JavaScript write it: `mcpServers.github.args[1]`."""
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
        if not stat.S_ISREG(mode):  # opening a FIFO would block
            raise ConfigError(shown, "", "is a directory" if stat.S_ISDIR(mode) else "is not a regular file")
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as exc:
        raise ConfigError(shown, "", (exc.strerror or str(exc)).lower()) from exc
    except ValueError as exc:  # a NUL in the path
        raise ConfigError(shown, "", "is not a valid path") from exc
    if len(data) > MAX_FILE_BYTES:
        raise ConfigError(shown, "", f"is larger than {MAX_FILE_BYTES:,} bytes")
    try:
        return data.decode("utf-8-sig")  # Windows editors add a byte order mark
    except UnicodeDecodeError as exc:
        line = data.count(b"\n", 0, exc.start) + 1
        raise ConfigError(shown, f"line {line}", "is not UTF-8 text") from exc


def _parse_toml(text: str, shown: str) -> object:
    try:
        return tomllib.loads(text)
    except ValueError as exc:
        reason, _, place = str(exc).partition(" (at line ")
        place = f"line {place.removesuffix(')')}" if place else ""
        raise ConfigError(shown, place, f"invalid TOML: {_lowered(reason)}") from exc


class _JsonObject(dict[str, object]):
    """A JSON object that remembers its first duplicate key.

    A duplicate is an error only in the parts that we read: VS Code and Zed merely warn, and their files are large.
    """

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        super().__init__(pairs)
        self.duplicate: str | None = None
        if len(self) < len(pairs):
            self.duplicate = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)


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
        raise ConfigError(shown, place, f"invalid JSON: {_lowered(exc.msg)}") from exc
    except ValueError as exc:  # an integer of more than 4,300 digits
        raise ConfigError(shown, "", "invalid JSON: a number is too long") from exc


def _is_broken(text: str) -> bool:
    return any("\ud800" <= char <= "\udfff" for char in text)


def _lowered(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def _kind(value: object) -> str:
    """Return the type of `value` in the words of a configuration file."""
    kinds = {"dict": "a table", "_JsonObject": "a table", "list": "a list", "str": "text", "bool": "true or false"}
    kinds |= {"int": "a number", "float": "a number", "NoneType": "null"}
    return kinds.get(type(value).__name__, "a date or a time")
