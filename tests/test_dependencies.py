"""pyproject.toml says what is needed, uv.lock which versions were chosen, constraints.txt the same for pip.

After a change of the dependencies: `uv lock`, then the command in the first lines of constraints.txt.
"""

import re
import tomllib
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCK: dict[str, Any] = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
LOCKED: list[dict[str, Any]] = LOCK["package"]


def test_the_constraints_for_pip_are_the_versions_of_the_lock() -> None:
    pinned = re.findall(r"^([\w.-]+)==([^\s;]+)", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)

    assert set(pinned) == {(entry["name"], entry["version"]) for entry in LOCKED if entry["name"] != PROJECT["name"]}


def test_the_lock_was_made_from_the_projects_requirements() -> None:
    (ours,) = (entry for entry in LOCKED if entry["name"] == PROJECT["name"])
    declared = [
        *PROJECT["dependencies"],
        *(text for extra in PROJECT["optional-dependencies"].values() for text in extra),
    ]
    wanted = {
        (canonicalize_name(found.name), frozenset(found.extras), found.specifier)
        for found in map(Requirement, declared)
    }

    assert wanted == {
        (entry["name"], frozenset(entry.get("extras", ())), SpecifierSet(entry.get("specifier", "")))
        for entry in ours["metadata"]["requires-dist"]
    }
    assert (ours["version"], LOCK["requires-python"]) == (PROJECT["version"], PROJECT["requires-python"])
