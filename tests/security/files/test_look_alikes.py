"""Names that look like a mount or like another file: compared exactly, never folded or normalized."""

import pytest
from mounted import Mounted

LOOK_ALIKES = [
    "/Data/x",
    "/DATA/x",
    "/dаta/x",
    "/data\u200b/x",
    "/ data/x",
    "/data /x",
    "/ｄata/x",
    "/dat\u0061\u0301/x",
]
"""The third has a Cyrillic а, the fourth a zero-width space, the seventh a full-width d, the last an accent."""


@pytest.mark.parametrize("path", LOOK_ALIKES)
def test_a_path_that_only_looks_like_a_mount_is_outside(mounted: Mounted, path: str) -> None:
    (mounted.data / "x").write_text("content")

    assert mounted.why_not("files.open", path=path)[0] == "EACCES"


def test_a_mount_does_not_cover_names_that_begin_with_its_own(mounted: Mounted) -> None:
    (mounted.data.parent / "data2").mkdir()
    (mounted.data.parent / "data2" / "x").write_text("content")

    assert mounted.why_not("files.open", path="/data2/x")[0] == "EACCES"
    assert mounted.why_not("files.open", path="/dat/x")[0] == "EACCES"


@pytest.mark.parametrize(
    "path",
    ["/data/．．/outside", "/data/‥/outside", "/data/..\u2215outside", "/data/%2e%2e/outside", "/data/..\\outside"],
)
def test_characters_that_only_look_like_dots_or_a_slash_are_part_of_a_name(mounted: Mounted, path: str) -> None:
    assert mounted.why_not("files.open", path=path)[0] == "ENOENT"


def test_two_unicode_spellings_of_one_letter_are_two_names(mounted: Mounted) -> None:
    mounted.write("/out/\u00e9", b"one letter")
    mounted.write("/out/e\u0301", b"a letter and an accent")

    assert mounted.read("/out/\u00e9") == b"one letter"
    assert len(mounted.names("/out")) == 2
