"""Third-party packages that the operator lists, from the host's own installation."""

import pytest
from lab import Lab

from codeact_bridges.modules.packages import Packages, find_packages


@pytest.fixture(scope="module")
def packages() -> Packages:
    return find_packages(["PyYAML", "python-dateutil", "jinja2"])


async def test_yaml_works_without_its_compiled_part(lab: Lab, packages: Packages) -> None:
    program = "import yaml; [yaml.safe_load('a: [1, {b: c}]'), yaml.dump({'x': 1}), yaml.__with_libyaml__]"
    assert await lab.value(program, packages=packages) == [{"a": [1, {"b": "c"}]}, "x: 1\n", False]


async def test_dateutil_works(lab: Lab, packages: Packages) -> None:
    program = """
        import dateutil.parser, dateutil.rrule, dateutil.tz
        at = dateutil.parser.parse("3 March 2024 10:00 UTC").astimezone(dateutil.tz.gettz("Asia/Tokyo"))
        [at.isoformat(), len(list(dateutil.rrule.rrule(dateutil.rrule.DAILY, count=3, dtstart=at)))]
    """
    assert await lab.value(program, packages=packages) == ["2024-03-03T19:00:00+09:00", 3]


async def test_jinja2_works_with_markupsafe_in_pure_python(lab: Lab, packages: Packages) -> None:
    program = "import jinja2\njinja2.Template('{% for i in x %}{{ i|e }},{% endfor %}').render(x=['<a>', 2])"
    assert await lab.value(program, packages=packages) == "&lt;a&gt;,2,"


async def test_a_package_knows_its_version_and_its_data(lab: Lab, packages: Packages) -> None:
    from importlib.metadata import version

    program = """
        import importlib.metadata as m, importlib.resources as r, inspect, jinja2, yaml
        names = {d.name for d in m.distributions()} - {"six", "tzdata"}
        [m.version("Jinja2"), m.version("python_dateutil"), sorted(names), r.files("jinja2").joinpath("py.typed").is_file(),
         inspect.getsource(yaml.safe_load).splitlines()[0]]
    """
    assert await lab.value(program, packages=packages) == [
        version("jinja2"),
        version("python-dateutil"),
        ["Jinja2", "MarkupSafe", "PyYAML", "python-dateutil"],
        True,
        "def safe_load(stream):",
    ]


async def test_the_modules_of_a_package_can_be_listed(lab: Lab, packages: Packages) -> None:
    program = """
        import pkgutil, yaml, jinja2, json
        names = [[m.name for m in pkgutil.iter_modules(package.__path__)] for package in (yaml, jinja2, json)]
        ["nodes" in names[0], "environment" in names[1], sorted(names[2])[1:]]
    """
    assert await lab.value(program, packages=packages) == [True, True, ["decoder", "encoder", "scanner", "tool"]]


async def test_a_traceback_shows_where_a_package_was_entered_and_where_it_failed(lab: Lab, packages: Packages) -> None:
    error = await lab.error("import yaml\nyaml.safe_load('a: [')", packages=packages)
    files = [line.split(",")[0].strip() for line in error.splitlines() if line.startswith('  File "')]
    assert files == ['File "program.py"', 'File "/packages/yaml/__init__.py"', 'File "/packages/yaml/parser.py"']
    assert "    return load(stream, SafeLoader)\n" in error


async def test_packages_that_are_not_listed_are_not_served(lab: Lab, packages: Packages) -> None:
    program = """
        refused = []
        for name in ("pip", "pytest", "anyio", "pydantic", "yaml._yaml", "codeact_bridges"):
            try:
                __import__(name)
            except ModuleNotFoundError as e:
                refused.append(e.name)
        refused
    """
    assert await lab.value(program, packages=packages) == [
        "pip",
        "pytest",
        "anyio",
        "pydantic",
        "yaml._yaml",
        "codeact_bridges",
    ]
    assert "No module named 'yaml'" in await lab.error("import yaml")
