"""Reading the file: errors before any value is interpreted."""

import os
from pathlib import Path

import pytest

from codeact_server.config.document import MAX_FILE_BYTES
from codeact_server.config.load import ConfigError, load


def error_for(content: bytes | str, tmp_path: Path, name: str = "config.json") -> str:
    """The error of `load` for a file with this content, without the folder."""
    file = tmp_path / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ConfigError) as caught:
        load(file, {})
    assert str(caught.value).startswith(f"{file}: ")
    return str(caught.value).removeprefix(f"{file}: ")


def test_a_missing_file_is_an_error_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "gone.toml", {})

    assert str(caught.value) == f"{tmp_path}/gone.toml: no such file or directory"


def test_a_folder_is_not_a_configuration(tmp_path: Path) -> None:
    (tmp_path / "folder.toml").mkdir()

    with pytest.raises(ConfigError, match=r"folder\.toml: is a directory$"):
        load(tmp_path / "folder.toml", {})


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
def test_a_fifo_is_refused_without_opening_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.json")

    with pytest.raises(ConfigError, match="is not a regular file"):
        load(tmp_path / "pipe.json", {})


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_an_error_with_its_path(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text("{}")
    file.chmod(0)

    with pytest.raises(ConfigError, match=r"config\.json: permission denied"):
        load(file, {})


def test_a_path_with_a_nul_is_an_error_on_one_line() -> None:
    with pytest.raises(ConfigError) as caught:
        load(Path("a\0b.json"), {})

    assert str(caught.value) == "a\\x00b.json: is not a valid path"


@pytest.mark.parametrize("name", ["config", "config.yaml", "config.json.bak"])
def test_the_suffix_must_be_that_of_a_known_format(name: str, tmp_path: Path) -> None:
    assert error_for("{}", tmp_path, name) == "the file name must end in .toml, .json or .jsonc"


def test_a_file_that_is_not_utf_8_is_an_error_with_its_line(tmp_path: Path) -> None:
    assert error_for(b'{\n"a": "\xff"}', tmp_path) == "line 2: is not UTF-8 text"


def test_a_byte_order_mark_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_bytes(b'\xef\xbb\xbf{"codeact": {"engine": "wasmtime"}}')

    assert load(tmp_path / "c.json", {}).engine == "wasmtime"


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    assert error_for(b" " * (MAX_FILE_BYTES + 1), tmp_path) == "is larger than 4,000,000 bytes"


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ('{"a": 1 "b": 2}', "c.json", "line 1, column 9: invalid JSON: expecting ',' delimiter"),
        ("", "c.json", "line 1, column 1: invalid JSON: expecting value"),
        ('{"a": ' + "1" * 5000 + "}", "c.json", "invalid JSON: a number is too long"),
        ("{\n// a comment\n/* and\none more */ !}", "c.json", "line 4, column 13: invalid JSON: expecting"),
        ('{"a": 1}\n /* never closed', "c.json", "line 2, column 2: invalid JSON: extra data"),
        ('{"a": 1} /*/', "c.json", "line 1, column 10: invalid JSON: extra data"),
        ("a = 1\nb = =", "c.toml", "line 2, column 5: invalid TOML: invalid value"),
        ("a = 1\na = 2\n", "c.toml", "line 2, column 6: invalid TOML: cannot overwrite a value"),
        ("a = [", "c.toml", "invalid TOML: invalid value (at end of document)"),
        ("[" * 100_000, "c.json", "is nested too deeply"),
        ("[]", "c.json", "must contain a table at the top level, not a list"),
        ("null", "c.json", "must contain a table at the top level, not null"),
    ],
)
def test_a_syntax_error_is_reported_with_its_position(text: str, name: str, message: str, tmp_path: Path) -> None:
    assert error_for(text, tmp_path, name).startswith(message)


def test_comments_and_trailing_commas_as_vs_code_and_zed_write_them_are_read(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text(
        """
        // my settings
        {
            "context_servers": { /* two
                lines */
                "docs": { "url": "https://example.com//mcp", }, // the // in the address stays
                "odd": { "command": "say", "args": ["/* not, a comment */", "a,]", "\\"//",], },
            },
        }
        """
    )

    docs, odd = load(tmp_path / "settings.json", {}).servers

    assert getattr(docs, "url", None) == "https://example.com//mcp"
    assert getattr(odd, "args", None) == ("/* not, a comment */", "a,]", '"//')


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"codeact": {"engine": "auto", "engine": "wasmtime"}}', "codeact.engine: is defined twice"),
        ('{"codeact": {"pool": {"spare": 1, "spare": 1}}}', "codeact.pool.spare: is defined twice"),
        ('{"mcpServers": {"a": {"command": "x"}, "a": {"command": "y"}}}', "mcpServers.a: is defined twice"),
        ('{"mcpServers": {"a": {"command": "x", "env": {"K": "", "K": ""}}}}', "mcpServers.a.env.K: is defined twice"),
        ('{"mcpServers": {}, "mcpServers": {}}', "mcpServers: is defined twice"),
    ],
)
def test_a_duplicate_key_is_an_error_in_the_parts_that_we_read(text: str, message: str, tmp_path: Path) -> None:
    assert error_for(text, tmp_path) == message


def test_a_duplicate_key_elsewhere_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "c.json").write_text('{"editor": {"tabs": 2, "tabs": 4}}')

    assert load(tmp_path / "c.json", {}).servers == ()


def test_a_tilde_is_the_home_folder_because_no_shell_expands_it_in_a_clients_file(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text('codeact.engine = "wasmtime"')

    assert load(Path("~/c.toml"), {"HOME": str(tmp_path)}).engine == "wasmtime"
