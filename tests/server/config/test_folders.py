"""`codeact.files`: valid mounts, and the errors that are found before anything starts."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from codeact_bridges.files.mounts import MAX_BYTES, MAX_FILES, MAX_TEMP_BYTES, byte_size
from codeact_server.config.load import ConfigError, load
from codeact_server.config.model import Config

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="folders are not mounted on Windows")


def loaded(folder: Path, files: Mapping[str, Any]) -> Config:
    path = folder / "config.json"
    path.write_text(json.dumps({"codeact": {"files": files}}))
    return load(path, {"HOME": str(folder), "REPORTS": "reports"})


def reason(folder: Path, files: Mapping[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        loaded(folder, files)
    return str(caught.value).replace(str(folder), "…").removeprefix("…/config.json: ")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for name in ("reports", "out", "out/sub"):
        (tmp_path / name).mkdir()
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to("reports")
    return tmp_path


def test_the_example_of_the_documentation_is_valid(home: Path) -> None:
    data, out, scratch = loaded(
        home,
        {
            "/data": {"path": "~/reports", "mode": "ro"},
            "/out": {"path": "./out", "mode": "rw", "max_bytes": "200MB", "max_files": 1000},
            "/scratch": {"mode": "temp"},
        },
    ).files

    assert (data.guest, data.mode, data.path) == ("/data", "ro", home / "reports")
    assert (out.mode, out.path, out.max_bytes, out.max_files) == ("rw", home / "out", 200_000_000, 1_000)
    assert (scratch.mode, scratch.path, scratch.max_bytes, scratch.max_files) == (
        "temp",
        None,
        MAX_TEMP_BYTES,
        MAX_FILES,
    )


def test_a_folder_is_read_only_and_bounded_by_default(home: Path) -> None:
    (one,) = loaded(home, {"/a": {"path": "${REPORTS}"}}).files
    assert (one.mode, one.path) == ("ro", home / "reports")

    (one,) = loaded(home, {"/a": {"path": "out", "mode": "rw"}}).files
    assert (one.max_bytes, one.max_files) == (MAX_BYTES, MAX_FILES)


def test_a_link_is_followed_once_at_start(home: Path) -> None:
    (one,) = loaded(home, {"/a": {"path": "link"}}).files

    assert one.path == home / "reports"


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"/a": {"path": "none"}}, 'codeact.files["/a"].path: there is no folder …/none'),
    ({"/a": {"path": "file"}}, 'codeact.files["/a"].path: …/file is not a folder'),
    ({"/a": {"path": "${NONE}"}}, 'codeact.files["/a"].path: '),
    ({"/a": {"path": "/"}}, 'codeact.files["/a"].path: this is the whole file system; name the folder that programs need'),
    ({"/a": {"path": "/proc/self"}}, 'codeact.files["/a"].path: /proc holds system settings and secrets'),
    ({"/a": {}}, 'codeact.files["/a"].path: is missing; name the folder to mount'),
    ({"/a": {"mode": "rw"}}, 'codeact.files["/a"].path: is missing; name the folder to mount'),
    ({"/a": {"path": "out", "mode": "temp"}}, 'codeact.files["/a"].path: a temp folder is in memory and has no path; leave it out, or set mode = rw'),
    ({"/a": {"path": "out", "max_bytes": 5}}, 'codeact.files["/a"].max_bytes: limits writing, which mode = ro does not allow; leave it out'),
    ({"/a": {"path": "out", "mode": "rx"}}, 'codeact.files["/a"].mode: must be \'ro\', \'rw\' or \'temp\''),
    ({"/a": {"path": "out", "size": 1}}, 'codeact.files["/a"].size: unknown key; known keys: path, mode, max_bytes, max_files'),
    ({"/a": {"path": "out", "mode": "rw", "max_bytes": "much"}}, 'codeact.files["/a"].max_bytes: must be a number of bytes, like 200MB or 1 GiB'),
    ({"/a": {"path": "out", "mode": "rw", "max_bytes": 0}}, 'codeact.files["/a"].max_bytes: must be greater than or equal to 1'),
    ({"/a": {"path": "out", "mode": "rw", "max_files": 0}}, 'codeact.files["/a"].max_files: must be greater than or equal to 1'),
    ({"a": {"mode": "temp"}}, "codeact.files.a: must be an absolute path like /data: a path must begin with /"),
    ({"/": {"mode": "temp"}}, 'codeact.files["/"]: the root itself cannot be a mount; use a path below it, like /data'),
    ({"/a/": {"mode": "temp"}}, 'codeact.files["/a/"]: must be written /a'),
    ({"/a/../b": {"mode": "temp"}}, 'codeact.files["/a/../b"]: must be written /b'),
    ({"/a\u200b": {"mode": "temp"}}, 'codeact.files["/a\\u200b"]: contains an invisible character'),
    ({"/dev": {"mode": "temp"}}, 'codeact.files["/dev"]: /dev is reserved for the sandbox'),
    ({"/a": {"mode": "temp"}, "/a/b": {"mode": "temp"}}, 'codeact.files["/a/b"]: lies inside /a'),
    ({"/a/b": {"path": "out"}, "/a": {"mode": "temp"}}, 'codeact.files["/a/b"]: lies inside /a'),
    ({"/a": {"path": "out"}, "/b": {"path": "out", "mode": "rw"}}, 'codeact.files["/b"].mode: the same folder is mounted as /a with mode = ro'),
    ({"/a": {"path": "out", "mode": "rw"}, "/b": {"path": "./out", "mode": "rw"}}, 'codeact.files["/b"].path: this folder can also be written to through /a, so its limits would not hold'),
    ({"/a": {"path": "out", "mode": "rw"}, "/b": {"path": "out/sub"}}, 'codeact.files["/b"].mode: this folder lies inside that of /a, which is writable'),
    ({"/a": {"path": "out", "mode": "rw"}, "/b": {"path": "out/sub", "mode": "rw"}}, 'codeact.files["/b"].path: this folder can also be written to through /a, so its limits would not hold'),
]  # fmt: skip


@pytest.mark.parametrize(("files", "said"), WRONG)
def test_a_useless_or_contradictory_mount_is_an_error_with_its_key(
    home: Path, files: dict[str, Any], said: str
) -> None:
    assert reason(home, files).startswith(said)


def test_a_folder_to_write_to_may_lie_in_one_to_read_and_one_may_be_read_under_two_names(home: Path) -> None:
    assert len(loaded(home, {"/a": {"path": "."}, "/b": {"path": "out", "mode": "rw"}}).files) == 2
    assert len(loaded(home, {"/a": {"path": "out"}, "/b": {"path": "out"}}).files) == 2


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("200MB", 200_000_000),
        ("1 GiB", 1 << 30),
        ("1.5 kB", 1_500),
        ("10", 10),
        ("64 K", 64_000),
        ("2 TiB", 2 << 40),
        (7, 7),
    ],
)
def test_sizes_are_read_as_people_write_them(text: str | int, size: int) -> None:
    assert byte_size(text) == size


@pytest.mark.parametrize(
    "text", ["", "MB", "-1", "1e9", "1,000", "1 iB", "1 PB", "0", "0.0001 kB", "9" * 16, "١MB\u00a0x"]
)
def test_an_invalid_size_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"bytes|byte"):
        byte_size(text)
