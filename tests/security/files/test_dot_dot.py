"""`..`, and paths that begin somewhere else."""

import pytest
from mounted import Mounted

OUTWARDS = [
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


@pytest.mark.parametrize("path", OUTWARDS)
def test_a_path_that_leaves_the_mounts_is_refused_with_the_mounts_there_are(mounted: Mounted, path: str) -> None:
    name, sentence = mounted.why_not("files.open", path=path)

    assert name == "EACCES"
    assert sentence == "outside the mounted folders: there are /data (ro), /out (rw), /scratch (temp)"


@pytest.mark.parametrize("path", OUTWARDS)
def test_nothing_outside_is_made_changed_or_looked_at(mounted: Mounted, path: str) -> None:
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


def test_dot_dot_behind_a_link_is_where_the_link_stands_not_where_it_leads(mounted: Mounted) -> None:
    (mounted.data / "a" / "b").mkdir(parents=True)
    (mounted.data / "link").symlink_to("a/b")
    (mounted.data / "here.txt").write_text("here")

    assert mounted.read("/data/link/../here.txt") == b"here"


def test_every_refusal_is_on_record_as_one(mounted: Mounted) -> None:
    mounted.why_not("files.open", path="/etc/passwd")

    (record,) = mounted.records.told()
    assert (record.what, record.decision, record.rule) == ("read /etc/passwd", "deny", "none in codeact.files")
