"""A guest that calls the host directly, around its runtime, and one that tries every function of Python."""

from pathlib import Path

import pytest
from lab import Lab

from codeact_bridges.files.bridge import FilesBridge
from codeact_bridges.files.mounts import mount
from codeact_bridges.limits import Limits

SECRET = "no guest may ever read this"


@pytest.fixture
def bridge(tmp_path: Path) -> FilesBridge:
    data, out, outside = (tmp_path / name for name in ("data", "out", "outside"))
    for each in (data, out, outside):
        each.mkdir()
    (outside / "secret.txt").write_text(SECRET)
    (data / "f").write_text("inside")
    for name, target in (("abs", outside / "secret.txt"), ("rel", "../outside/secret.txt"), ("up", ".."), ("top", "/")):
        (data / name).symlink_to(target)
        (out / name).symlink_to(target)
    mounts = [mount("/data", "ro", data), mount("/out", "rw", out, 1_000_000, 50), mount("/scratch", "temp")]
    return FilesBridge(mounts, Limits().message_bytes)


async def test_no_function_of_python_reads_or_changes_anything_outside(
    lab: Lab, bridge: FilesBridge, tmp_path: Path
) -> None:
    program = """
        import glob, io, os, pathlib, shutil, sqlite3, subprocess, zipfile
        inside = ["/data", "/out"]
        outside_paths = [f"{i}/{p}" for i in inside for p in ("abs", "rel", "up/outside/secret.txt", "../outside/secret.txt", "top/etc/passwd", "../../etc/passwd")]
        outside_paths += ["/etc/passwd", "/proc/self/environ", "/proc/self/fd/0", "/dev/mem", "../outside/secret.txt", "/python/os.py"]
        got = []
        for path in outside_paths:
            for act in (
                lambda: open(path).read(), lambda: open(path, "w"), lambda: open(path, "a"), lambda: pathlib.Path(path).read_bytes(),
                lambda: os.open(path, os.O_RDWR | os.O_CREAT), lambda: io.FileIO(path).read(), lambda: shutil.copy(path, "/scratch/x"),
                lambda: sqlite3.connect(path).execute("select 1"), lambda: zipfile.ZipFile(path, "a"), lambda: os.utime(path), lambda: os.truncate(path, 0),
                lambda: os.symlink(path, "/out/new"), lambda: os.link(path, "/out/new"), lambda: os.rename(path, "/out/new"),
                lambda: os.stat(path), lambda: os.listdir(path), lambda: os.mkdir(path + "/new"), lambda: os.readlink("/data/abs"),
            ):
                try: got.append([path, repr(act())])
                except (OSError, sqlite3.Error): pass
        [got, sorted(glob.glob("/data/**", recursive=True))]
        """

    got, found = await lab.value(program, configured=(bridge,))

    assert [each for each in got if "rename" not in each[1] and each[1] != "None"] == []
    assert SECRET not in str(got)
    assert not any("secret" in path for path in found)
    assert (tmp_path / "outside" / "secret.txt").read_text() == SECRET
    assert [path.name for path in (tmp_path / "outside").iterdir()] == ["secret.txt"]


async def test_a_guest_that_calls_the_host_directly_gets_no_further(
    lab: Lab, bridge: FilesBridge, tmp_path: Path
) -> None:
    program = """
        from codeact_guest import host
        call = host.call
        answers = []
        for path in ("/etc/passwd", "/data/../etc/passwd", "/data/abs", "/data/up/outside/secret.txt", "/data/rel", "", "/data\\0"):
            for operation, more in (
                ("files.open", {"ahead": 100}), ("files.open", {"access": "w", "create": True}), ("files.stat", {}), ("files.list", {}),
                ("files.mkdir", {}), ("files.rename", {"target": "/out/x"}), ("files.readlink", {}),
            ):
                try: answers.append([operation, path, call(operation, path=path, **more)])
                except Exception: pass
        for operation, arguments in (
            ("files.read", {"handle": 1, "at": 0, "length": 10}), ("files.read", {"handle": -1, "at": 0, "length": 10}), ("files.nothing", {}),
            ("files.open", {"path": ["/data/f"]}), ("files.open", {"path": "/data/f", "access": "rwx"}), ("files.write", {"handle": 3, "at": -5}),
        ):
            try: answers.append([operation, call(operation, **arguments)])
            except Exception: pass
        [answers, open("/data/f").read()]
        """

    assert await lab.value(program, configured=(bridge,)) == [[], "inside"]
    assert (tmp_path / "outside" / "secret.txt").read_text() == SECRET


async def test_without_mounts_there_are_no_file_operations(lab: Lab) -> None:
    program = """
        from codeact_guest import host
        try: host.call("files.open", path="/etc/passwd")
        except Exception as e: said = str(e)
        said
        """

    assert "there is no operation 'files.open'" in await lab.value(program)


async def test_too_many_open_files_are_an_error_in_the_program(lab: Lab, bridge: FilesBridge) -> None:
    program = """
        open("/out/f", "w").close()
        held = []
        try:
            while True: held.append(open("/out/f"))
        except OSError as e: said = e.strerror
        count = len(held); held.clear()
        [count, said, open("/out/f").read()]
        """

    assert await lab.value(program, configured=(bridge,)) == [
        100,
        "a program may have at most 100 files open at once; close some",
        "",
    ]


async def test_a_bomb_of_files_stops_at_the_operators_limits(lab: Lab, bridge: FilesBridge, tmp_path: Path) -> None:
    program = """
        import os
        said = set()
        for i in range(200):
            try: open(f"/out/{i}", "wb").truncate(10**9 if i % 2 else 10_000)
            except OSError as e: said.add(e.strerror.partition(":")[0])
        sorted(said)
        """

    said = await lab.value(program, configured=(bridge,))

    assert said == ["no room for 1,000,000,000 more bytes under /out", "no room for another file under /out"]
    files = [path for path in (tmp_path / "out").iterdir() if not path.is_symlink()]
    assert len(files) == 46
    assert sum(path.stat().st_size for path in files) <= 1_000_000
