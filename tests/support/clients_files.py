"""Parse the configuration files of MCP clients. Not a test."""

import json
import tomllib
from collections.abc import Callable
from typing import Any

import yaml  # type: ignore[import-untyped]  # its stubs are a package of their own, for one call

PARSERS: dict[str, Callable[[str], Any]] = {"json": json.loads, "toml": tomllib.loads, "yaml": yaml.safe_load}
"""By the language: the suffix of a file, the name of a block of code."""
