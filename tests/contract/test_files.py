"""Files as in Python. Each program runs in a guest and in this machine's own Python, with the same result."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from lab import Lab

from codeact_bridges.files.bridge import FilesBridge
from codeact_bridges.files.mounts import mount
from codeact_bridges.limits import Limits

MESSAGE_BYTES = Limits().message_bytes

SAME = {
    "text in every mode": """
        with open("f", "w") as f: n = f.write("one\\ntwo\\n")
        with open("f", "a") as f: f.write("three")
        with open("f", "r+") as f: f.seek(4); f.write("TWO")
        with open("f") as f: lines = list(f)
        with open("f", "w+") as f: f.write("new"); f.seek(0); new = f.read()
        try: open("f", "x")
        except FileExistsError as e: exists = type(e).__name__
        with open("g", "x") as f: f.write("made")
        result = [n, lines, new, exists, open("g").read()]
        """,
    "bytes in every mode": """
        with open("f", "wb") as f: f.write(bytes(range(256)))
        with open("f", "ab") as f: f.write(b"end"); at = f.tell()
        with open("f", "rb+") as f: f.seek(10); f.write(b"XY"); f.seek(-3, 2); end = f.read().decode(); f.truncate(20)
        with open("f", "rb", buffering=0) as f: some = list(f.read(12)); rest = len(f.readall())
        with open("f", "rb") as f: b = bytearray(5); f.readinto(b); peeked = len(f.peek(1)) > 0
        result = [at, end, some, rest, list(b), peeked, os.path.getsize("f")]
        """,
    "encodings and line ends": """
        with open("f", "w", encoding="utf-16") as f: f.write("é\\n")
        with open("g", "w", newline="\\r\\n") as f: f.write("a\\nb\\n")
        with open("h", "wb") as f: f.write(b"\\xff\\n")
        try: open("h", encoding="utf-8").read()
        except UnicodeDecodeError as e: bad = e.reason
        result = [open("f", encoding="utf-16").read(), open("g", "rb").read().decode(), open("g").read(),
                  open("g", newline="").read(), open("h", encoding="latin-1").read(), open("h", errors="replace").read(), bad]
        """,
    "wrong modes and arguments": """
        open("f", "w").close()
        def why(*args, **more):
            try: open(*args, **more).close()
            except Exception as e: return [type(e).__name__, str(e)]
        result = [why("f", "q"), why("f", "rw"), why("f", "rt+b"), why("f", "rb", encoding="utf-8"), why("f", "r", 0),
                  why("f", "rb", newline=""), why("f", 5), why(None), why("f\\0g"), why("f", ""), why("f", encoding="none")]
        """,
    "what a file object can do": """
        f = open("f", "w")
        attributes = [f.name, f.mode, f.closed, f.readable(), f.writable(), f.seekable(), f.isatty(), f.encoding.lower()]
        f.close()
        def why(act):
            try: act()
            except Exception as e: return [type(e).__name__, str(e)]
        g = open("f", "rb")
        result = [attributes, why(lambda: f.write("x")), why(lambda: open("f").write("x")), why(lambda: open("f", "w").read()),
                  why(lambda: g.write(b"x")), why(lambda: open("f", "wb").write("x")), g.raw.mode, g.raw.name, g.mode]
        """,
    "missing things": """
        def why(act):
            try: act()
            except OSError as e: return [type(e).__name__, e.strerror, e.filename]
        os.mkdir("d"); open("f", "w").close(); open("d/f", "w").close()
        result = [why(lambda: open("none")), why(lambda: open("d")), why(lambda: open("f/x")), why(lambda: os.listdir("none")),
                  why(lambda: os.listdir("f")), why(lambda: os.rmdir("d")), why(lambda: os.mkdir("d")), why(lambda: os.remove("none")),
                  why(lambda: os.stat("none")), why(lambda: os.rmdir("f")), why(lambda: os.chdir("f")), why(lambda: open("")),
                  why(lambda: open("none/x", "w"))]
        """,
    "folders": """
        os.makedirs("a/b/c"); os.makedirs("a/b/c", exist_ok=True); open("a/b/f", "w").write("x")
        walked = [[top, sorted(dirs), sorted(files)] for top, dirs, files in os.walk("a")]
        entries = sorted([e.name, e.path, e.is_dir(), e.is_file(), e.is_symlink(), e.stat().st_size if e.is_file() else 0] for e in os.scandir("a/b"))
        os.rename("a/b", "a/d"); os.replace("a/d/f", "a/d/g"); os.removedirs("a/d/c")
        here = os.getcwd(); os.chdir("a"); inside = os.listdir("d"); os.chdir("..")
        result = [walked, entries, sorted(os.listdir("a")), sorted(os.listdir()), inside, os.getcwd() == here, os.listdir(b"a")[0].decode(),
                  os.path.isdir("a"), os.path.isfile("a/d/g"), os.path.exists("none"), os.path.samefile("a/d", "a/../a/d")]
        """,
    "stat, times and access": """
        open("f", "w").write("12345"); os.utime("f", (1_000_000_000, 1_500_000_000.5)); s = os.stat("f")
        open("g", "w").close(); os.utime("g", ns=(5, 7)); os.truncate("f", 3); os.chmod("f", 0o644)
        import stat
        result = [s.st_size, s.st_mtime, s.st_atime, s[8], os.stat("g").st_mtime_ns, os.path.getmtime("g"), os.path.getsize("f"),
                  stat.S_ISREG(s.st_mode), stat.S_ISDIR(os.stat(".").st_mode), os.access("f", os.R_OK | os.W_OK), os.access("none", os.F_OK),
                  s.st_nlink, oct(os.lstat("f").st_mode)[-3:]]
        """,
    "numbers of open files": """
        fd = os.open("f", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        wrote = os.write(fd, b"0123456789"); os.lseek(fd, 2, os.SEEK_SET); some = os.read(fd, 3).decode(); size = os.fstat(fd).st_size
        os.pwrite(fd, b"XX", 0); other = os.dup(fd); os.ftruncate(fd, 8); os.fsync(fd); os.close(fd)
        rest = os.read(other, 100).decode(); both = os.pread(other, 4, 0).decode()
        with os.fdopen(other, "rb") as f: f.seek(0); all_ = f.read().decode()
        try: os.read(other, 1)
        except OSError as e: bad = e.strerror
        with open(os.open("g", os.O_WRONLY | os.O_CREAT | os.O_EXCL), "w") as f: f.write("by number")
        with open("g", opener=lambda path, flags: os.open(path, flags)) as f: opened = [f.read(), f.name, f.fileno() > 2]
        result = [wrote, some, size, rest, both, all_, bad, opened]
        """,
    "pathlib": """
        from pathlib import Path
        p = Path("a/b"); p.mkdir(parents=True); (p / "f.txt").write_text("text"); (p / "g.bin").write_bytes(b"bytes"); (p / "t").touch()
        (p / "f.txt").rename(p / "h.txt")
        with (p / "h.txt").open("a") as f: f.write(" more")
        (p / "t").unlink(); (p / "t").unlink(missing_ok=True)
        result = [(p / "h.txt").read_text(), sorted(map(str, Path().rglob("*"))), sorted(x.name for x in p.iterdir()), p.is_dir(), p.exists(),
                  (p / "none").exists(), (p / "h.txt").stat().st_size, str(p.resolve().relative_to(Path.cwd())), sorted(x.name for x in p.glob("*.t*"))]
        """,
    "shutil": """
        import shutil
        os.makedirs("a/b"); open("a/f", "w").write("f"); open("a/b/g", "w").write("g")
        shutil.copy("a/f", "c1"); shutil.copy2("a/f", "c2"); shutil.copyfile("a/f", "c3"); shutil.copytree("a", "t"); shutil.move("t", "u"); shutil.move("c1", "u")
        made = os.path.basename(shutil.make_archive("z", "zip", "a")); shutil.unpack_archive("z.zip", "unpacked"); shutil.rmtree("a")
        with open("u/f", "rb") as s, open("copied", "wb") as d: shutil.copyfileobj(s, d)
        same = open("copied").read() == "f"
        result = [sorted(os.path.join(top, f) for top, _, fs in os.walk(".") for f in fs), made, os.path.exists("a"), same]
        """,
    "glob and tempfile": """
        import glob, tempfile
        os.makedirs("a/b"); [open(p, "w").close() for p in ("a/1.txt", "a/2.csv", "a/b/3.txt")]
        found = [sorted(glob.glob("a/*.txt")), sorted(glob.glob("**/*.txt", recursive=True)), sorted(glob.iglob("a/?.c*"))]
        with tempfile.NamedTemporaryFile("w+", suffix=".x", dir=".") as f: f.write("t"); f.flush(); name = f.name; there = os.path.getsize(name)
        with tempfile.TemporaryDirectory(dir=".") as d: open(os.path.join(d, "f"), "w").close(); inside = os.listdir(d)
        fd, path = tempfile.mkstemp(dir="."); os.close(fd); os.remove(path)
        with tempfile.TemporaryFile(dir=".") as f: f.write(b"abc"); f.seek(1); rest = f.read().decode()
        with tempfile.SpooledTemporaryFile(max_size=2, dir=".") as f: f.write(b"abcd"); f.seek(0); spooled = f.read().decode()
        result = [found, there, os.path.exists(name), inside, os.path.exists(d), rest, spooled, sorted(os.listdir("."))]
        """,
    "formats": """
        import configparser, csv, fileinput, gzip, io, json, pickle, tarfile, zipfile
        with open("t.csv", "w", newline="") as f: csv.writer(f).writerows([["a", "b"], [1, "x,y"]])
        with open("t.csv", newline="") as f: rows = list(csv.DictReader(f))
        with open("t.json", "w") as f: json.dump({"k": [1, None]}, f)
        with open("t.json") as f: data = json.load(f)
        with gzip.open("t.gz", "wt") as f: f.write("zipped")
        with zipfile.ZipFile("t.zip", "w", zipfile.ZIP_DEFLATED) as z: z.writestr("s", "s" * 1000); z.write("t.csv")
        with zipfile.ZipFile("t.zip", "a") as z: z.writestr("later", "l")
        with zipfile.ZipFile("t.zip") as z: names = z.namelist(); s = len(z.read("s")); z.extractall("un")
        with tarfile.open("t.tar.gz", "w:gz") as t: t.add("un")
        with tarfile.open("t.tar.gz") as t: members = sorted(t.getnames()); t.extractall("untar", filter="data")
        with open("t.pkl", "wb") as f: pickle.dump({1, 2}, f)
        with open("t.pkl", "rb") as f: loaded = sorted(pickle.load(f))
        config = configparser.ConfigParser(); config["s"] = {"k": "v"}
        with open("t.ini", "w") as f: config.write(f)
        config = configparser.ConfigParser(); read = config.read(["t.ini", "none.ini"])
        lines = list(fileinput.input(["t.csv", "t.json"]))
        result = [rows, data, gzip.open("t.gz", "rt").read(), names, s, sorted(os.listdir("un")), members, sorted(os.listdir("untar/un")), loaded, read, lines]
        """,
    "sqlite": """
        import contextlib, sqlite3
        with contextlib.closing(sqlite3.connect("t.db")) as c:
            c.execute("create table t (x)"); c.executemany("insert into t values (?)", [(1,), (2,)]); c.commit()
            c.execute("insert into t values (3)")
        with sqlite3.connect("t.db") as c: kept = c.execute("select x from t").fetchall(); c.execute("insert into t values (4)")
        other = sqlite3.connect("t.db"); seen = other.execute("select x from t").fetchall()
        with contextlib.suppress(ZeroDivisionError):
            with other: other.execute("delete from t"); 1 / 0
        other.isolation_level = None; other.execute("insert into t values (5)"); other.close()
        auto = sqlite3.connect("t.db", isolation_level=None); auto.executescript("insert into t values (6); create index i on t (x);"); auto.close()
        read = sqlite3.connect("file:t.db?mode=ro", uri=True)
        end = read.execute("select x from t").fetchall()
        try: read.execute("insert into t values (7)"); read.commit(); refused = None
        except sqlite3.OperationalError as e: refused = str(e)
        def why(*args, **more):
            try: sqlite3.connect(*args, **more).execute("select 1")
            except sqlite3.OperationalError as e: return str(e)
        header = open("t.db", "rb").read(15).decode()
        result = [kept, seen, end, refused, why("none/t.db"), why("."), why("file:none.db?mode=ro", uri=True), header, sqlite3.connect(":memory:").execute("select 1").fetchone()]
        """,
    "two files of one content": """
        w = open("f", "wb"); r = open("f", "rb", 0); w.write(b"a" * 10); w.flush(); first = len(r.read()); w.write(b"b" * 300_000); w.flush()
        rest = r.read(); r.seek(0); again = r.read(5).decode(); w.seek(0); w.write(b"ZZ"); w.flush(); r.seek(0); changed = r.read(3).decode()
        w.truncate(1); w.close(); r.seek(0); short = r.read().decode(); os.remove("f"); gone = os.path.exists("f"); r.seek(0)
        result = [first, len(rest), again, changed, short, gone, r.read().decode()]
        """,
    "appending from two sides": """
        a = open("f", "ab"); b = open("f", "ab"); a.write(b"1"); a.flush(); b.write(b"2"); b.flush(); a.write(b"3"); a.close(); b.close()
        with open("f", "a+") as f: at = f.tell(); f.seek(0); read = f.read(); f.write("4")
        result = [open("f").read(), at, read]
        """,
    "large content in small steps": """
        data = bytes(i * 7 % 256 for i in range(100_000)) * 7
        with open("f", "wb") as f:
            for i in range(0, len(data), 777): f.write(data[i:i + 777])
        with open("f", "rb") as f: pieces = b"".join(iter(lambda: f.read(1_001), b""))
        with open("f", "rb") as f: f.seek(350_000); middle = f.read(10) == data[350_000:350_010]; f.seek(-5, 1); back = f.read(5) == data[350_005:350_010]
        with open("l", "w") as f: f.writelines(f"{i}\\n" for i in range(50_000))
        with open("l") as f: count = sum(1 for line in f)
        with open("l") as f: first = f.readline(); where = f.tell(); f.readline(); f.seek(where); second = f.readline()
        result = [pieces == data, middle, back, count, first, second]
        """,
}  # fmt: skip


@pytest.mark.parametrize("name", SAME)
async def test_files_behave_in_a_guest_as_in_this_machines_python(lab: Lab, tmp_path: Path, name: str) -> None:
    program = "import os\n" + textwrap.dedent(SAME[name]).strip()
    (tmp_path / "guest").mkdir()
    (tmp_path / "host").mkdir()

    guest = await lab.value(f"{program}\nresult", configured=(writable(tmp_path / "guest"),))

    assert guest == on_this_machine(program, tmp_path / "host")


async def test_a_program_starts_in_the_first_writable_folder(lab: Lab, tmp_path: Path) -> None:
    both = tmp_path / "a", tmp_path / "b"
    for each in both:
        each.mkdir()
    bridge = FilesBridge([mount("/in", "ro", both[0]), mount("/out", "rw", both[1])], MESSAGE_BYTES)

    assert await lab.value("import os; open('f', 'w').close(); os.getcwd()", configured=(bridge,)) == "/out"
    assert os.listdir(both[1]) == ["f"]


async def test_the_root_shows_the_mounts_and_the_folders_above_them(lab: Lab, tmp_path: Path) -> None:
    bridge = FilesBridge([mount("/mnt/a/data", "ro", tmp_path), mount("/tmp", "temp")], MESSAGE_BYTES)
    program = "import os; [os.listdir('/'), os.listdir('/mnt'), os.path.isdir('/mnt/a'), list(os.walk('/mnt'))[-1][0]]"

    assert await lab.value(program, configured=(bridge,)) == [["mnt", "tmp"], ["a"], True, "/mnt/a/data"]


OUTSIDE = """
import os, pathlib, shutil, tempfile
def why(act):
    try: act()
    except PermissionError as e: return str(e)
[why(lambda: open("/etc/passwd")), why(lambda: pathlib.Path("/etc/passwd").read_text()), why(lambda: os.stat("/etc")), why(lambda: os.listdir("/etc")),
 why(lambda: os.mkdir("/new")), why(lambda: shutil.rmtree("/etc")), why(lambda: os.chdir("/etc")), os.path.exists("/etc/passwd")]
"""


async def test_outside_the_mounts_the_refusal_names_the_mounts(lab: Lab, tmp_path: Path) -> None:
    bridge = FilesBridge([mount("/data", "ro", tmp_path), mount("/scratch", "temp")], MESSAGE_BYTES)

    said = await lab.value(OUTSIDE, configured=(bridge,))

    expected = "outside the mounted folders: there are /data (ro), /scratch (temp)"
    paths = ["/etc/passwd", "/etc/passwd", "/etc", "/etc", "/new", "/etc", "/etc"]
    assert said == [*(f"'{path}': {expected}" for path in paths), False]


async def test_without_mounts_the_refusal_names_the_setting(lab: Lab) -> None:
    said = await lab.value(OUTSIDE)

    assert all("no folder is mounted here" in each and "codeact.files" in each for each in said[:-1])
    assert said[-1] is False


async def test_a_temp_folder_is_empty_for_every_run_and_takes_temporary_files(lab: Lab) -> None:
    bridge = FilesBridge([mount("/scratch", "temp")], MESSAGE_BYTES)
    program = """
        import os, tempfile
        before = os.listdir("/scratch")
        with open("/scratch/f", "w") as f: f.write("x" * 1000)
        [before, os.path.dirname(tempfile.mkstemp()[1]), open("/scratch/f").read() == "x" * 1000]
        """

    for _ in range(2):
        result = await lab.run(program, configured=(bridge,))
        assert result.value is not None, result.failure
        assert json.loads(result.value.text) == [[], "/scratch", True]
        assert result.produced == ()


async def test_a_file_of_50_mb_is_read_at_once_and_line_by_line(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(b"a line of forty-nine characters and its end, yes\n" * 1_020_409)
    program = """
        with open("/data/big", "rb") as f: size = len(f.read())
        with open("/data/big") as f: lines = sum(1 for line in f)
        [size, lines]
        """
    bridge = FilesBridge([mount("/data", "ro", tmp_path)], MESSAGE_BYTES)

    assert await lab.value(program, configured=(bridge,)) == [50_000_041, 1_020_409]


async def test_written_files_stay_and_are_reported_when_the_program_fails(lab: Lab, tmp_path: Path) -> None:
    result = await lab.run("open('f', 'w').write('kept'); 1 / 0", configured=(writable(tmp_path),))

    assert result.failure is not None
    assert [(file.path, file.size_bytes) for file in result.produced] == [("/out/f", 4)]


@pytest.mark.slow
async def test_written_files_stay_and_are_reported_when_the_deadline_passes(lab: Lab, tmp_path: Path) -> None:
    program = "open('f', 'w').write('kept')\nwhile True: pass"

    result = await lab.run(program, deadline_s=2, configured=(writable(tmp_path),))

    assert result.failure is not None
    assert [file.path for file in result.produced] == ["/out/f"]


async def test_every_use_of_a_path_is_one_record_with_its_bytes(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(bytes(200_000))
    program = """
        import os
        len(open("f", "rb").read()); os.path.exists("none"); os.listdir(); open("g", "wb").write(bytes(1000))
        try: open("/etc/passwd")
        except PermissionError: pass
        """

    result = await lab.run(program, configured=(writable(tmp_path),))

    assert [(each.what, each.decision, each.rule, each.bytes) for each in result.accesses] == [
        ("read /out/f", "allow", "/out (rw)", 200_000),
        ("stat /out/none", "allow", "/out (rw)", 0),
        ("list /out/.", "allow", "/out (rw)", 0),
        ("write /out/g", "allow", "/out (rw)", 1_000),
        ("read /etc/passwd", "deny", "none in codeact.files", 0),
    ]


async def test_a_full_folder_is_an_error_and_earlier_files_are_whole(lab: Lab, tmp_path: Path) -> None:
    bridge = FilesBridge([mount("/out", "rw", tmp_path, max_bytes=100_000)], MESSAGE_BYTES)
    program = """
        with open("f", "wb") as f: f.write(bytes(60_000))
        try:
            with open("g", "wb") as f: f.write(bytes(60_000))
        except OSError as e: said = [e.strerror, e.filename]
        said
        """

    said = await lab.value(program, configured=(bridge,))

    assert said == ["no room for 60,000 more bytes under /out: max_bytes = 100,000, and 60,000 are used", "g"]
    assert (tmp_path / "f").stat().st_size == 60_000


async def test_hundreds_of_files_can_be_opened_in_turn_and_never_closed(lab: Lab, tmp_path: Path) -> None:
    program = "[open(f'{i}', 'w').write('x') for i in range(300)]; sum(len(open(f'{i}').read()) for i in range(300))"

    assert await lab.value(program, configured=(writable(tmp_path),)) == 300


async def test_files_work_with_small_messages(lab: Lab, tmp_path: Path) -> None:
    bridge = FilesBridge([mount("/out", "rw", tmp_path)], message_bytes=100_000)
    program = """
        import os
        data = os.urandom(1_000_000)
        with open("f", "wb") as f: f.write(data)
        os.mkdir("d"); [open(f"d/{i:03}-{'x' * 200}", "w").close() for i in range(600)]
        [open("f", "rb").read() == data, len(os.listdir("d")), len({e.name for e in os.scandir("d")})]
        """

    assert await lab.value(program, configured=(bridge,), limits=Limits(message_bytes=100_000)) == [True, 600, 600]


def writable(folder: Path) -> FilesBridge:
    return FilesBridge([mount("/out", "rw", folder)], MESSAGE_BYTES)


def on_this_machine(program: str, folder: Path) -> Any:
    """The result of the same program here."""
    code = f"{program}\nimport json; print(json.dumps(result))"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert not done.returncode, done.stderr
    return json.loads(done.stdout)
