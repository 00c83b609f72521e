"""The documents say what is so: their code runs, their tables are complete, their links lead somewhere."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import anyio
import pytest
import typer.main
from clients_files import PARSERS
from pydantic import TypeAdapter
from served import EXAMPLES, Commands, execute
from typer.core import TyperArgument, TyperOption

from codeact_bridges.files import changed_files, open_files, paths
from codeact_bridges.network import connections, headers, redirects
from codeact_bridges.runs import async_operations, guest_host, handle, result_store
from codeact_server.cli.commands import cli
from codeact_server.config import document as configuration_file
from codeact_server.config.load import load
from codeact_server.config.model import Settings
from codeact_server.protocol import client, description
from codeact_server.transports import http_messages, json_rpc

ROOT = Path(__file__).parents[1]
DOCUMENTS = {
    str(path.relative_to(ROOT)): path.read_text(encoding="utf-8")
    for path in sorted([*ROOT.glob("*.md"), *ROOT.glob("server/*.md"), *ROOT.glob("bridges/*.md")])
}
README = DOCUMENTS["README.md"]
MAX_README_LINES = 130
DEMO_WITHIN_LINES = 40
TOKENS_TOLERANCE = 0.05
"""A reworded description changes a few."""
GUARD_S = 120
"""A first start compiles the guest."""


@dataclass(frozen=True)
class Block:
    """One fenced block of a document."""

    document: str
    line: int
    language: str
    text: str
    output: str
    """The `text` block right behind it, if there is one."""

    def __str__(self) -> str:
        return f"{self.document}:{self.line}"


def blocks(language: str) -> list[Block]:
    """Those for users. CONTRIBUTING is about our own code."""
    documents = [document for document in DOCUMENTS if document != "CONTRIBUTING.md"]
    return [block for document in documents for block in blocks_of(document) if block.language == language]


def blocks_of(document: str) -> list[Block]:
    text = DOCUMENTS[document]
    fenced = re.finditer(r"^```(\w*)\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", text, re.MULTILINE | re.DOTALL)
    return [Block(document, text[: m.start()].count("\n") + 1, m[1], m[2], m[3] or "") for m in fenced]


def rows(document: str) -> list[list[str]]:
    """The cells of every table's rows."""
    lines = re.findall(r"^\| (.*) \|$", DOCUMENTS[document], re.MULTILINE)
    return [re.split(r" \| | \|(?= )", line) for line in lines]


def plain(cell: str) -> str:
    return cell.strip("`")


def is_our_entry(text: str) -> bool:
    return '"codeact-mcp"' in text or '/codeact-mcp"' in text


# The README


def test_the_readme_is_a_landing_page() -> None:
    assert README.count("\n") <= MAX_README_LINES


def test_the_readme_shows_the_demo_and_its_output_near_its_top() -> None:
    command, output = (block for block in blocks_of("README.md")[:2])
    assert command.text.endswith("codeact-mcp demo\n")
    assert "36 tool calls in one program" in output.text
    assert output.line + output.text.count("\n") + 1 <= DEMO_WITHIN_LINES


def test_each_command_of_the_readme_does_all_of_its_own_set_up() -> None:
    commands = [block.text for block in blocks_of("README.md") if block.language == "sh"]
    assert len(commands) == 2
    assert all(re.match(r"python3 -m venv \S+ && \S+/pip install -c constraints.txt ", each) for each in commands)
    assert [each.split()[-1] for each in commands] == ["demo", "pytest"]


@pytest.mark.slow
def test_the_demo_prints_what_the_readme_shows(commands: Commands) -> None:
    """But for its times, and where a terminal breaks lines."""

    def without_times(text: str) -> str:
        return re.sub(r"\s+", " ", re.sub(r"\d+(\.\d+)? ms", "N ms", text))

    done = commands.run("demo", "--engine", "wasmtime", COLUMNS="80")
    assert done.returncode == 0, done.stderr
    shown = blocks_of("README.md")[1].text.split(" …\n")
    assert [part for part in map(without_times, shown) if part.strip() not in without_times(done.stdout)] == []


@pytest.mark.slow
@pytest.mark.skipif(sys.version_info >= (3, 14), reason="NOT COUNTED: rs-bpe has no wheel for Python 3.14")
@pytest.mark.parametrize(
    ("script", "line"), [("catalog", r"^ *500 .*$"), ("context", r"one by one: .*tokens[^$]*one program: .* tokens$")]
)
def test_the_tokens_that_the_readme_states_are_those_that_its_command_counts(
    script: str, line: str, environment: Mapping[str, str]
) -> None:
    command = f"tests/performance/{script}.py"
    (sentence,) = re.findall(rf"^.*(?=`python {command}`)", README, re.MULTILINE)
    done = subprocess.run(
        [sys.executable, command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    (counted,) = re.findall(line, done.stdout, re.MULTILINE)
    # The sentence ends with two numbers of tokens. The output has other numbers too.
    stated = numbers_in(sentence)[-2:]
    assert len(stated) == 2
    assert [
        n for n in stated if not any(n == pytest.approx(each, rel=TOKENS_TOLERANCE) for each in numbers_in(counted))
    ] == []


def numbers_in(text: str) -> list[int]:
    return [int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", text)]


# Links


def headings(document: str) -> set[str]:
    """The anchors of a document's headings."""
    found = re.findall(r"^#+ (.*)$", DOCUMENTS[document], re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-") for heading in found}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_relative_links_lead_somewhere(document: str) -> None:
    broken: list[str] = []
    for target in re.findall(r"\]\(([^)\s]+)\)", DOCUMENTS[document]):
        path, _, anchor = target.partition("#")
        if "://" in target:
            continue
        file = (ROOT / document).parent / path if path else ROOT / document
        name = str(file.resolve().relative_to(ROOT))
        if not file.exists() or (anchor and name in DOCUMENTS and anchor not in headings(name)):
            broken.append(target)
    assert broken == []


# Blocks of code


@pytest.mark.parametrize("block", [each for each in blocks("toml") if not is_our_entry(each.text)], ids=str)
def test_a_configuration_in_the_documents_loads_without_a_note(block: Block, tmp_path: Path) -> None:
    for folder in ("reports", "out"):
        (tmp_path / folder).mkdir()
    file = tmp_path / "codeact.toml"
    servers = re.search(r"^\[(mcpServers|servers|context_servers|mcp_servers)\.", block.text, re.MULTILINE)
    file.write_text(block.text + ("" if servers else "\n[mcpServers.any]\ncommand = 'x'\n"), encoding="utf-8")
    assert load(file, {"HOME": str(tmp_path), "GITHUB_TOKEN": "t", "PATH": "/usr/bin:/bin"}).notes == ()


@pytest.mark.parametrize(
    "block", [each for each in [*blocks("json"), *blocks("toml")] if is_our_entry(each.text)], ids=str
)
def test_a_clients_entry_in_the_documents_is_recognised_as_ours(block: Block, tmp_path: Path) -> None:
    file = tmp_path / f"client.{block.language}"
    file.write_text(block.text, encoding="utf-8")
    config = load(file, {"HOME": str(tmp_path)})
    assert config.servers == ()
    own = "contains no servers" if '"mcp": {' in block.text else "codeact: skipped: it is codeact-mcp itself"
    assert own in config.notes[0]  # opencode's key `mcp` is not read


@pytest.mark.parametrize("file", sorted((EXAMPLES / "clients").iterdir()), ids=lambda file: file.name)
def test_the_examples_of_clients_entries_stand_in_the_document_of_clients(file: Path) -> None:
    language = file.suffix[1:]
    parse = PARSERS[language]
    shown = [parse(block.text) for block in blocks_of("server/clients.md") if block.language == language]
    assert parse(file.read_text(encoding="utf-8")) in shown


@pytest.mark.parametrize("block", blocks("py"), ids=str)
def test_what_the_documents_show_of_other_libraries_is_python(block: Block) -> None:
    compile(block.text, str(block), "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


@pytest.fixture
def programs(commands: Commands) -> str:
    """A configuration with what the programs of the documents use."""
    for folder in ("reports", "out"):
        (commands.folder / folder).mkdir()
    (commands.folder / "reports" / "sales.csv").touch()
    return commands.config(
        {"orders": {"command": sys.executable, "args": [str(EXAMPLES / "orders_server.py")]}},
        engine="wasmtime",
        files={"/data": {"path": "reports"}, "/out": {"path": "out", "mode": "rw"}},
    )


async def test_the_programs_in_the_documents_run_and_say_what_is_written_below_them(
    commands: Commands, programs: str
) -> None:
    with anyio.fail_after(GUARD_S):
        async with commands.serving("stdio", "--config", programs) as served, served.client("legacy") as client:
            for block in blocks("python"):
                failed, text = await execute(client, block.text)
                assert not failed, f"{block}: {text}"
                lines = iter(text.splitlines())
                assert [line for line in block.output.splitlines() if line not in lines] == [], f"{block}: {text}"


# Tables


SCHEMA = TypeAdapter(Settings).json_schema()


def settings(schema: Any, place: str) -> Iterator[tuple[str, Any]]:
    """The place and the schema of every setting at `place` and below."""
    inner = resolved(schema)
    entries = resolved(inner.get("additionalProperties")), resolved(inner.get("items"))
    if "properties" in inner:
        for name, field in inner["properties"].items():
            required = name in inner.get("required", [])
            yield from settings(field | {"required": required}, f"{place}.{name}")
    elif "properties" in entries[0]:
        yield from settings(entries[0], f"{place}.NAME")
    elif "properties" in entries[1]:
        yield from settings(entries[1], f"{place}[]")
    else:
        yield place.removeprefix("."), schema | inner


def resolved(schema: Any) -> Any:
    """`schema` without references, and without the null that it may be."""
    if not isinstance(schema, dict):
        return {}
    found = cast("dict[str, Any]", schema)
    (first, *_) = [each for each in found.get("anyOf", [found]) if each.get("type") != "null"]
    return SCHEMA["$defs"][first["$ref"].rpartition("/")[2]] if "$ref" in first else first


def default_of(schema: Any) -> str:
    """As the tables have it: JSON, or a word where there is none."""
    if schema.get("required") is True:
        return "required"
    match schema.get("default", {} if schema["type"] == "object" else None):
        case None:
            return "–"
        case float() as number:
            return f"{number:g}"
        case value:
            return json.dumps(value)


def test_every_setting_stands_in_its_table_with_its_default() -> None:
    cells = [row for row in rows("server/configuration.md") if len(row) == 4 and row[0] != "setting"]
    found = {plain(setting).replace("files.PATH", "files.NAME"): plain(default) for setting, _, default, _ in cells}
    expected = {place: default_of(schema) for place, schema in settings(SCHEMA, "")}
    assert found == {place: default for place, default in expected.items() if not place.startswith("limits.")}


def range_of(schema: Any) -> str:
    """As the table of limits has it."""
    if schema["type"] == "boolean":
        return "true, false"
    least = f"over {schema['exclusiveMinimum']}," if "exclusiveMinimum" in schema else f"{schema['minimum']}"
    return f"{least} to {schema['maximum']}" if "maximum" in schema else f"from {least}"


def test_every_limit_stands_in_its_table_with_its_default_and_its_range() -> None:
    cells = [row for row in rows("bridges/limits.md") if len(row) == 5 and row[0] != "setting"]
    found = {plain(setting): [default, bounds] for setting, default, bounds, _, _ in cells}
    limits = [(place, schema) for place, schema in settings(SCHEMA, "") if place.startswith("limits.")]
    expected = {place.removeprefix("limits."): [default_of(limit), range_of(limit)] for place, limit in limits}
    assert found == expected


FIXED = {
    "Values and images that one run may `display`": guest_host.MAX_DISPLAYED,
    "Operations of one run that were started and not awaited": async_operations.MAX_IN_FLIGHT,
    "Stored results at once": result_store.MAX_STORED,
    "Requests of downstream servers to a client in one run": handle.MAX_CLIENT_REQUESTS,
    "Files that one run may have open": open_files.MAX_OPEN,
    "Changed files that a result names": changed_files.MAX_FILES,
    "Bytes of a text file that come with the result as content": changed_files.MAX_TEXT_BYTES,
    "Bytes of an image that comes with the result as content": changed_files.MAX_IMAGE_BYTES,
    "Nesting of folders in a mount": paths.MAX_DEPTH,
    "Redirects of one HTTP request": redirects.MAX_REDIRECTS,
    "HTTP connections of one run at once": connections.MAX_CONNECTIONS,
    "Headers of one HTTP request": headers.MAX_HEADERS,
    "Bytes of the tool's description, whatever the number of tools": description.MAX_BYTES,
    "Bytes of an HTTP request to codeact-mcp": http_messages.MAX_BODY_BYTES,
    "Messages in one batch of a client (MCP 2025-03-26)": json_rpc.MAX_BATCH,
    "Bytes of the configuration file": configuration_file.MAX_FILE_BYTES,
}


def test_every_fixed_limit_in_its_table_is_the_one_that_holds() -> None:
    found = {
        what: int(value)
        for what, value in (row for row in rows("bridges/limits.md") if len(row) == 2)
        if value != "value"
    }
    assert found == FIXED


def test_the_table_of_what_clients_show_has_the_numbers_that_hold() -> None:
    cells = [row[1] for row in rows("server/clients.md") if len(row) == 3]
    written = {int(cell.removesuffix(" kB")) * 1_000 for cell in cells if re.fullmatch(r"\d+ kB", cell)}
    known = [client.KnownClient(), *client.KNOWN_CLIENTS.values()]
    assert written == {each.shown_bytes for each in known}


def test_every_module_that_is_absent_stands_in_the_table_of_absent_modules() -> None:
    listed = [re.findall(r"`([\w.]+)`", row[0]) for row in rows("bridges/programs.md") if len(row) == 2]
    source = ROOT / "bridges" / "codeact_bridges" / "guest" / "runtime" / "codeact_guest" / "unavailable.py"
    (absent,) = (
        node.value
        for node in ast.parse(source.read_text(encoding="utf-8")).body
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "MODULES"
    )
    assert absent is not None
    names = [node.value for node in ast.walk(absent) if isinstance(node, ast.Constant)]
    modules = {name for name in names if isinstance(name, str) and re.fullmatch(r"[a-z][\w.]*", name)}
    assert "tkinter" in modules
    table = {name for names in listed for name in names}
    assert modules - table == set()


# Commands

COMMANDS = cast(Any, typer.main.get_command(cli)).commands


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_stands_in_the_table_of_commands(name: str) -> None:
    text = DOCUMENTS["server/README.md"]
    (section,) = re.findall(rf"^### codeact-mcp {name}\b(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL)
    common = text[text.index("## Commands") : text.index("### codeact-mcp serve")]
    missing = [
        option
        for parameter in COMMANDS[name].params
        if isinstance(parameter, TyperOption)
        for option in [*parameter.opts, *parameter.secondary_opts]
        if f"`{option}" not in section + common
    ]
    assert missing == []
    for parameter in COMMANDS[name].params:
        if isinstance(parameter, TyperArgument):
            assert (parameter.metavar or "").partition("|")[0] in section


def command_lines() -> Iterator[tuple[str, str]]:
    """A document and what it has in a block for a shell, or between backticks."""
    for document, text in DOCUMENTS.items():
        shell = [block.text for block in blocks_of(document) if block.language in ("sh", "console")]
        for line in [*re.findall(r"`([^`\n]+)`", text), *"".join(shell).splitlines()]:
            yield document, line


def test_every_command_line_in_the_documents_has_a_known_command_and_known_options() -> None:
    seen: list[str] = []
    wrong: list[str] = []
    for document, line in command_lines():
        match = re.search(r"(?:^|[ /])codeact-mcp ([a-z]+)\b(.*)", line)
        if match is None:
            continue
        seen.append(line)
        command, rest = match.groups()
        parameters: list[Any] = COMMANDS[command].params if command in COMMANDS else []
        known = {option for each in parameters for option in [*each.opts, *each.secondary_opts]}
        unknown = set(re.findall(r"(?<= )--[a-z][a-z-]+", rest.partition(" -- ")[0])) - known
        if not parameters or unknown:
            wrong.append(f"{document}: {line}")
    assert len(seen) >= 15
    assert wrong == []
