"""`..`, and paths that begin outside the mounts."""

import pytest
from mounted import Mounted

OUTSIDE = [
    "/data/../outside/secret.txt",
    "/data/../../outside/secret.txt",
    "/data/./../outside/secret.txt",
    "/data//..//outside/secret.txt",
    "/data/sub/../../outside/secret.txt",
    "/../outside/secret.txt",
    "/etc/passwd",
    "/data/../etc/passwd",
    "/proc/self/environ",
    "/data/../../../../../../../proc/self/root/etc/passwd",
    "//data/../etc/passwd",
]


@pytest.mark.parametrize("path", OUTSIDE)
def test_a_path_outside_the_mounts_is_refused_and_the_refusal_names_the_mounts(mounted: Mounted, path: str) -> None:
    name, sentence = mounted.why_not("files.open", path=path)

    assert name == "EACCES"
    assert sentence == "outside the mounted folders: there are /data (ro), /out (rw), /scratch (temp)"


@pytest.mark.parametrize("path", OUTSIDE)
def test_nothing_outside_is_created_changed_or_listed(mounted: Mounted, path: str) -> None:
    refused = {
        mounted.why_not("files.open", path=path, access="w", create=True, truncate=True)[0],
        mounted.why_not("files.stat", path=path)[0],
        mounted.why_not("files.list", path=path)[0],
        mounted.why_not("files.mkdir", path=path)[0],
        mounted.why_not("files.rmdir", path=path)[0],
        mounted.why_not("files.remove", path=path)[0],
        mounted.why_not("files.rename", path=path, target="/out/stolen")[0],
        mounted.why_not("files.utime", path=path, accessed_ns=0, modified_ns=0)[0],
        mounted.why_not("files.readlink", path=path)[0],
    }

    assert refused == {"EACCES"}
    assert mounted.names("/out") == []


def test_dot_dot_at_the_root_stays_at_the_root(mounted: Mounted) -> None:
    assert mounted.names("/../..") == mounted.names("/") == ["data", "out", "scratch"]


def test_dot_dot_after_a_link_is_the_folder_of_the_link_and_not_of_its_target(mounted: Mounted) -> None:
    (mounted.data / "a" / "b").mkdir(parents=True)
    (mounted.data / "link").symlink_to("a/b")
    (mounted.data / "here.txt").write_text("here")

    assert mounted.read("/data/link/../here.txt") == b"here"


def test_every_refusal_is_recorded_as_denied(mounted: Mounted) -> None:
    mounted.why_not("files.open", path="/etc/passwd")

    (record,) = mounted.access_log.drain()
    assert (record.what, record.decision, record.rule) == ("read /etc/passwd", "deny", "none in codeact.files")
