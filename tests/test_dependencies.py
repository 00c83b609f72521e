"""pyproject.toml says what is needed, constraints.txt which versions are used.

After a change of the dependencies, run the command in the first lines of constraints.txt.
"""

import re
import tomllib
from importlib.metadata import requires
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
PINS = [
    Requirement(line)
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]
DIRECT = sorted({*PROJECT["dependencies"], *(text for extra in EXTRAS.values() for text in extra)})


def pins(name: str) -> list[Requirement]:
    return [pin for pin in PINS if canonicalize_name(pin.name) == canonicalize_name(name)]


def needed(names: list[str]) -> set[str]:
    """What these requirements need on this Python and system, with all that it needs itself."""
    found: set[str] = set()
    waiting = [Requirement(text) for text in names]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        key = f"{name}[{','.join(sorted(requirement.extras))}]"
        if key in found or (requirement.marker is not None and not requirement.marker.evaluate({"extra": ""})):
            continue
        found.add(key)
        for text in requires(name) or ():
            inner = Requirement(text)
            extras = ["", *requirement.extras]
            if inner.marker is None or any(inner.marker.evaluate({"extra": extra}) for extra in extras):
                inner.marker = None
                waiting.append(inner)
    return {key.partition("[")[0] for key in found}


def test_every_line_pins_one_version() -> None:
    assert all(re.fullmatch(r"==[^*,]+", str(pin.specifier)) for pin in PINS)


@pytest.mark.parametrize("text", DIRECT)
def test_each_requirement_allows_the_versions_that_are_pinned(text: str) -> None:
    requirement = Requirement(text)
    versions = [next(iter(pin.specifier)).version for pin in pins(requirement.name)]

    assert versions
    assert all(requirement.specifier.contains(version) for version in versions)


def test_everything_that_is_installed_for_us_is_pinned() -> None:
    here = [*PROJECT["dependencies"], *EXTRAS["test"]]
    assert sorted(name for name in needed(here) if not pins(name)) == []
