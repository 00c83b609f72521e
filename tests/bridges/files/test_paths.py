"""A guest's path, parsed."""

import errno

import pytest

from codeact_bridges.files.paths import MAX_DEPTH, MAX_NAME_BYTES, MAX_PATH_BYTES, check_new, parse


@pytest.mark.parametrize(
    ("text", "parts", "folder"),
    [
        ("/", (), True),
        ("/out/a.txt", ("out", "a.txt"), False),
        ("//out/./a.txt", ("out", "a.txt"), False),
        ("/out/", ("out",), True),
        ("/out/.", ("out",), True),
        ("/out/link/..", ("out",), True),
        ("/../../etc", ("etc",), False),
        ("/out/../../../data", ("data",), False),
        ("/out/...", ("out", "..."), False),
        ("/out/a\\..\\b", ("out", "a\\..\\b"), False),
        ("/Ä/a\u0308", ("Ä", "a\u0308"), False),
    ],
)
def test_a_path_is_its_names(text: str, parts: tuple[str, ...], folder: bool) -> None:
    parsed = parse(text)

    assert (parsed.text, parsed.parts, parsed.folder) == (text, parts, folder)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", errno.EINVAL),
        ("out/a", errno.EINVAL),
        ("../a", errno.EINVAL),
        ("/a\0b", errno.EINVAL),
        ("/a\ud800", errno.EILSEQ),
        ("/" + "a/" * (MAX_PATH_BYTES // 2), errno.ENAMETOOLONG),
        ("/" + "a" * (MAX_NAME_BYTES + 1), errno.ENAMETOOLONG),
        ("/" + "ä" * (MAX_NAME_BYTES // 2 + 1), errno.ENAMETOOLONG),
    ],
)
def test_a_path_that_no_file_system_has_is_refused(text: str, code: int) -> None:
    with pytest.raises(OSError) as caught:  # noqa: PT011  # its number is what counts
        parse(text)

    assert caught.value.errno == code


def test_the_longest_name_and_path_are_accepted() -> None:
    assert parse("/" + "a" * MAX_NAME_BYTES).parts == ("a" * MAX_NAME_BYTES,)
    assert len(parse("/a" * (MAX_PATH_BYTES // 2)).parts) == MAX_PATH_BYTES // 2


@pytest.mark.parametrize("char", ["\n", "\x00", "\x1b", "\x7f"])
def test_a_new_name_has_no_control_characters(char: str) -> None:
    with pytest.raises(OSError, match="control characters"):
        check_new(("out", f"a{char}"))


def test_a_name_that_is_there_already_may_have_any() -> None:
    check_new(("a\nb", "new"))


def test_folders_are_made_to_a_depth() -> None:
    check_new(("a",) * MAX_DEPTH)
    with pytest.raises(OSError, match="levels of folders"):
        check_new(("a",) * (MAX_DEPTH + 1))
