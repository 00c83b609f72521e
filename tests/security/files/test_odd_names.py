"""Names that other programs misread: NUL, line ends, unpaired surrogates, names that are too long."""

import os

import pytest
from mounted import Mounted

from codeact_bridges.errors import BadGuestCall

ODD = {
    "": "EINVAL",
    "data": "EINVAL",
    "./data": "EINVAL",
    "~/x": "EINVAL",
    "/data/\0": "EINVAL",
    "/data\0/x": "EINVAL",
    "/data/" + "x" * 256: "ENAMETOOLONG",
    "/data/" + "é" * 128: "ENAMETOOLONG",
    "/data" + "/x" * 2_048: "ENAMETOOLONG",
}


@pytest.mark.parametrize(("path", "name"), ODD.items())
def test_an_impossible_path_is_refused_with_its_own_error(mounted: Mounted, path: str, name: str) -> None:
    assert mounted.why_not("files.open", path=path)[0] == name
    assert mounted.why_not("files.stat", path=path)[0] == name
    assert mounted.why_not("files.mkdir", path=path)[0] == name


def test_an_unpaired_surrogate_never_reaches_the_file_system(mounted: Mounted) -> None:
    with pytest.raises(BadGuestCall):
        mounted.operations.answer("files.open", '{"path": "/data/\\udc80"}')


@pytest.mark.parametrize("char", ["\n", "\r", "\t", "\x1b", "\x7f"])
def test_no_new_name_may_contain_control_characters(mounted: Mounted, char: str) -> None:
    mounted.write("/out/fine", b"")
    refusals = [
        mounted.why_not("files.open", path=f"/out/a{char}b", access="w", create=True),
        mounted.why_not("files.mkdir", path=f"/out/a{char}b"),
        mounted.why_not("files.rename", path="/out/fine", target=f"/out/a{char}b"),
    ]

    assert {name for name, _ in refusals} == {"EINVAL"}
    assert os.listdir(mounted.out) == ["fine"]


def test_an_existing_file_with_such_a_name_can_be_read_and_its_record_is_one_line(mounted: Mounted) -> None:
    (mounted.data / "a\nb").write_text("content")

    assert mounted.read("/data/a\nb") == b"content"
    (record,) = mounted.access_log.drain()
    assert record.what == "read /data/a\\nb"


def test_a_name_that_is_not_utf_8_is_hidden(mounted: Mounted) -> None:
    with open(os.fsencode(mounted.data) + b"/\xff", "wb"):
        pass
    (mounted.data / "fine").write_text("")

    assert mounted.names("/data") == ["fine"]


def test_folders_can_be_nested_64_levels_deep_and_no_deeper(mounted: Mounted) -> None:
    path = "/out"
    for _ in range(64):
        path += "/d"
        mounted.call("files.mkdir", path=path)

    assert mounted.why_not("files.mkdir", path=path + "/d")[0] == "ENAMETOOLONG"
    mounted.call("files.mkdir", path="/out/e")
    mounted.call("files.mkdir", path="/out/e/f")
    assert mounted.why_not("files.rename", path="/out/d", target="/out/e/f/d")[0] == "ENAMETOOLONG"
    assert mounted.why_not("files.rename", path="/out/e", target=path + "/e")[0] == "ENAMETOOLONG"
