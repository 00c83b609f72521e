"""No path that a guest can write, through whatever links, reads or changes anything outside the mounts."""

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mounted import SECRET, Mounted, mounted_below

from codeact_bridges.errors import BadGuestCall, FileRefused
from codeact_bridges.files import safe_open

EXAMPLES = 20_000 if os.environ.get("CI") else 1_000

STEPS = [
    "..", ".", "", "data", "out", "outside", "secret.txt", "f", "d", "up", "root", "abs", "proc", "loop", "chain",
    "etc", "passwd", "self", "environ", "fd", "0", "~", "..\0", "…", "．．", "%2e%2e", "..\\..", "dé", "\u202e", "-",
]  # fmt: skip

NAMES = [step for step in STEPS if step not in ("", ".", "..") and "\0" not in step]

paths = st.one_of(
    st.lists(st.sampled_from(STEPS), max_size=9).map(lambda steps: "/" + "/".join(steps)),
    st.tuples(
        st.sampled_from(["/data/", "/out/", "/scratch/", "/"]),
        st.lists(st.one_of(st.sampled_from(STEPS), st.text(max_size=4)), max_size=8),
    ).map(lambda pair: pair[0] + "/".join(pair[1])),
    st.text(max_size=20),
)


@pytest.fixture(scope="module")
def tangle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mounted]:
    """Mounts with links that lead out in every way."""
    folder = tmp_path_factory.mktemp("tangle")
    with mounted_below(folder, 1_000_000, 1_000) as mounted:
        for inside in (mounted.data, mounted.out):
            (inside / "d" / "d").mkdir(parents=True)
            (inside / "f").write_text("inside")
            (inside / "d" / "f").write_text("inside")
            (inside / "up").symlink_to("../outside")
            (inside / "d" / "up").symlink_to("../..")
            (inside / "root").symlink_to("/")
            (inside / "abs").symlink_to(mounted.outside / "secret.txt")
            (inside / "proc").symlink_to("/proc/self/root")
            (inside / "loop").symlink_to("d/loop")
            (inside / "d" / "loop").symlink_to("../loop")
            (inside / "chain").symlink_to("d/chain")
            (inside / "d" / "chain").symlink_to("../../outside")
        yield mounted


@contextmanager
def without_openat2() -> Generator[None]:
    """As on macOS, which lacks the system call."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(safe_open, "has_openat2", lambda: False)
        yield


def everything_outside(mounted: Mounted) -> dict[str, object]:
    return {path.name: (path.read_text(), path.stat().st_mtime_ns) for path in mounted.outside.iterdir()}


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)
@given(path=paths)
def test_no_path_reads_anything_outside(tangle: Mounted, path: str) -> None:
    read_everything(tangle, path)


@settings(max_examples=EXAMPLES // 4, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)
@given(path=paths)
def test_no_path_reads_anything_outside_without_openat2(tangle: Mounted, path: str) -> None:
    with without_openat2():
        read_everything(tangle, path)


def read_everything(tangle: Mounted, path: str) -> None:
    """Use every operation that shows content or facts."""
    try:
        answer = tangle.call("files.open", path=path, ahead=4_096)
    except (FileRefused, BadGuestCall):
        pass
    else:
        assert answer["ahead"] in (b"inside", b"guest", b"")
        if answer["handle"] is not None:
            tangle.call("files.close", closed=[answer["handle"]])
    try:
        names = tangle.names(path)
    except (FileRefused, BadGuestCall):
        pass
    else:
        assert not {"secret.txt", "outside", "passwd"} & set(names)
    try:
        facts = tangle.call("files.stat", path=path)
    except (FileRefused, BadGuestCall):
        pass
    else:
        assert facts[4] != len(SECRET)


@settings(max_examples=EXAMPLES // 10, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)
@given(path=paths, other=paths, operation=st.sampled_from(["open", "mkdir", "rmdir", "remove", "rename", "utime"]))
def test_no_path_changes_anything_outside(tangle: Mounted, path: str, other: str, operation: str) -> None:
    with without_openat2():
        change(tangle, path, other, operation)
    change(tangle, path, other, operation)


def change(tangle: Mounted, path: str, other: str, operation: str) -> None:
    """Make one change and check that nothing outside has changed."""
    before = everything_outside(tangle)
    arguments: dict[str, Any] = {"path": path}
    match operation:
        case "open":
            arguments |= {"access": "w", "create": True, "truncate": True}
        case "rename":
            arguments |= {"target": other}
        case "utime":
            arguments |= {"accessed_ns": 0, "modified_ns": 0}
        case _:
            pass
    try:
        answer = tangle.call(f"files.{operation}", **arguments)
    except (FileRefused, BadGuestCall):
        pass
    else:
        if operation == "open":
            handle: int = answer["handle"]
            tangle.put(handle, b"guest")
            tangle.call("files.close", closed=[handle])

    assert everything_outside(tangle) == before
    assert sorted(path.name for path in tangle.outside.parent.iterdir()) == ["data", "out", "outside"]


@settings(max_examples=EXAMPLES // 4, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)
@given(parts=st.lists(st.sampled_from(NAMES), max_size=6))
def test_openat2_and_the_walk_agree(tangle: Mounted, parts: list[str]) -> None:
    """Both open the same file, and both refuse the same paths."""
    if not safe_open.has_openat2():
        pytest.skip("this kernel has no openat2")
    root = os.open(tangle.data, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for follow in (True, False):
            assert _seen(safe_open.open_beneath, root, parts, follow) == _seen(_walk, root, parts, follow)
    finally:
        os.close(root)


def _walk(root: int, parts: tuple[str, ...], flags: int, *, follow: bool) -> int:
    return safe_open.walk(root, parts, flags, follow, 0)


def _seen(opener: Callable[..., int], root: int, parts: list[str], follow: bool) -> object:
    try:
        opened = opener(root, tuple(parts), os.O_PATH, follow=follow)
    except OSError:
        return None
    try:
        seen = os.fstat(opened)
        return seen.st_dev, seen.st_ino
    finally:
        os.close(opened)


def test_the_secret_can_be_reached_from_the_host(tangle: Mounted) -> None:
    """Proves that the links of the other tests do lead to the secret."""
    assert (Path(tangle.data) / "abs").read_text() == SECRET
